-- $1 events over 90 days, newest first in time: three providers, 40 types as uneven as they come, all states, some
-- thousand accounts. Content stands in webhook_payloads only; a listing does not read bodies.
CREATE TEMPORARY TABLE types (provider text, n int, type text);
INSERT INTO types SELECT 'stripe', ordinality - 1, type FROM unnest(ARRAY[
    'charge.succeeded', 'payment_intent.succeeded', 'payment_intent.created', 'customer.updated', 'invoice.paid', 'invoice.created',
    'invoice.finalized', 'invoice.updated', 'checkout.session.completed', 'checkout.session.expired', 'charge.updated', 'charge.refunded',
    'customer.created', 'customer.subscription.created', 'customer.subscription.updated', 'customer.subscription.deleted',
    'payment_method.attached', 'payout.paid', 'charge.dispute.created', 'checkout.session.async_payment_failed']) WITH ORDINALITY AS t (type, ordinality);
INSERT INTO types SELECT 'twilio', ordinality - 1, type FROM unnest(ARRAY[
    'message.sent', 'message.delivered', 'message.queued', 'message.received', 'message.undelivered', 'call.initiated', 'call.ringing',
    'call.in-progress', 'call.completed', 'recording.completed', 'conference.participant-join', 'conference.end']) WITH ORDINALITY AS t (type, ordinality);
INSERT INTO types SELECT 'vapi', ordinality - 1, type FROM unnest(ARRAY[
    'status-update', 'end-of-call-report', 'hang', 'tool-calls', 'assistant-request', 'speech-update', 'transcript', 'conversation-update'])
    WITH ORDINALITY AS t (type, ordinality);
