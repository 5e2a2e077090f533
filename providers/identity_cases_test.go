package providers

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Deliveries of public reports in which one event was taken for a copy of another, or a copy for another event. Each row is
// what is sent one after the other, and how many events there are.
func TestIdentity_Reports(t *testing.T) {
	t.Parallel()
	likes := func(user, time string) string {
		return `{"object":"user","entry":[{"id":"` + user + `","uid":"` + user + `","time":` + time + `,"changes":[{"field":"likes","value":{"page":"P"}}]}]}`
	}
	template := func(time, status string) string {
		return `{"object":"whatsapp_business_account","entry":[{"id":"W","time":` + time +
			`,"changes":[{"field":"message_template_status_update","value":{"event":"` + status + `","message_template_id":1}}]}]}`
	}
	whatsApp := func(inside string) string {
		return `{"object":"whatsapp_business_account","entry":[{"id":"W","changes":[{"field":"messages","value":{"messaging_product":"whatsapp","metadata":{"phone_number_id":"1"},` + inside + `}}]}]}`
	}
	hubspot := func(attempt int) string {
		return fmt.Sprintf(`[{"eventId":1,"subscriptionId":7,"portalId":5,"occurredAt":9,"subscriptionType":"deal.associationChange","fromObjectId":8,"attemptNumber":%d}]`, attempt)
	}
	for name, c := range map[string]struct {
		kind   string
		header http.Header
		bodies []string
		want   int
	}{
		"meta, a like of two users":                 {"meta", nil, []string{likes("U", "1"), likes("V", "1")}, 2},
		"meta, one like twice":                      {"meta", nil, []string{likes("U", "1"), likes("U", "1")}, 1},
		"meta, a status that returns":               {"meta", nil, []string{template("1", "APPROVED"), template("2", "PAUSED"), template("3", "APPROVED")}, 3},
		"meta, names of fields alone":               {"meta", nil, []string{`{"object":"user","entry":[{"id":"U","uid":"U","time":1,"changed_fields":["feed"]}]}`}, 1},
		"meta, a list that nobody declared":         {"meta", nil, []string{`{"object":"page","entry":[{"id":"P","time":1,"news":[{"a":1}]},{"id":"P","time":2,"news":[{"a":1}]}]}`}, 2},
		"meta, an empty list":                       {"meta", nil, []string{`{"object":"page","entry":[]}`}, 1},
		"whatsapp, a list that grows":               {"meta", nil, []string{whatsApp(`"statuses":[{"id":"a","status":"sent"}]`), whatsApp(`"statuses":[{"id":"a","status":"sent"},{"id":"c","status":"sent"}]`)}, 2},
		"whatsapp, statuses and messages":           {"meta", nil, []string{whatsApp(`"statuses":[{"id":"a","status":"sent"}],"messages":[{"id":"m"},{"id":"n"}]`)}, 3},
		"woocommerce, two orders of one second":     {"woocommerce", http.Header{"X-Wc-Webhook-Delivery-Id": {"d"}, "X-Wc-Webhook-Topic": {"order.created"}}, []string{`{"id":501}`, `{"id":502}`}, 2},
		"zoom, two who leave in one millisecond":    {"zoom", nil, []string{`{"event":"meeting.participant_left","event_ts":1,"payload":{"object":{"uuid":"u","participant":{"user_id":"1"}}}}`, `{"event":"meeting.participant_left","event_ts":1,"payload":{"object":{"uuid":"u","participant":{"user_id":"2"}}}}`}, 2},
		"paystack, a reminder that comes again":     {"paystack", nil, []string{`{"event":"charge.dispute.remind","data":{"id":1,"updatedAt":"a"}}`, `{"event":"charge.dispute.remind","data":{"id":1,"updatedAt":"b"}}`}, 2},
		"paystack, an object without an id":         {"paystack", nil, []string{`{"event":"subscription.not_renew","data":{"subscription_code":"S","cancelledAt":"a"}}`, `{"event":"subscription.not_renew","data":{"subscription_code":"S","cancelledAt":"b"}}`}, 2},
		"hubspot, an attempt more":                  {"hubspot", nil, []string{hubspot(0), hubspot(1)}, 1},
		"docusign, an attempt more":                 {"docusign", nil, []string{`{"event":"envelope-sent","retryCount":0,"generatedDateTime":"a","data":{"envelopeId":"E"}}`, `{"event":"envelope-sent","retryCount":1,"generatedDateTime":"a","data":{"envelopeId":"E"}}`}, 1},
		"docusign, another recipient":               {"docusign", nil, []string{`{"event":"recipient-sent","generatedDateTime":"a","data":{"envelopeId":"E","recipientId":"1"}}`, `{"event":"recipient-sent","generatedDateTime":"a","data":{"envelopeId":"E","recipientId":"2"}}`}, 2},
		"mailersend, the id of an object":           {"mailersend", nil, []string{`{"type":"sender_identity.verified","data":{"id":"o"}}`, `{"type":"inbound_forward.failed","data":{"id":"o"}}`}, 2},
		"postmark, a second open":                   {"postmark", nil, []string{`{"RecordType":"Open","MessageID":"m","Recipient":"a","ReceivedAt":"t","Geo":{"IP":"1"}}`, `{"RecordType":"Open","MessageID":"m","Recipient":"a","ReceivedAt":"t","Geo":{"IP":"2"}}`}, 2},
		"cloudflare-stream, a state that returns":   {"cloudflare-stream", nil, []string{`{"uid":"u","status":{"state":"ready"},"modified":"a"}`, `{"uid":"u","status":{"state":"ready"},"modified":"b"}`}, 2},
		"shopify, one action, two objects":          {"shopify", http.Header{"X-Shopify-Event-Id": {"e"}, "X-Shopify-Topic": {"products/update"}, "X-Shopify-Webhook-Id": {"w"}}, []string{`{"id":1}`, `{"id":2}`}, 2},
		"gitlab, a recursive webhook":               {"gitlab", http.Header{"X-Gitlab-Event-Uuid": {"e"}, "X-Gitlab-Event": {"Push Hook"}}, []string{`{"after":"1"}`, `{"after":"2"}`}, 2},
		"line, the console's test":                  {"line", nil, []string{`{"destination":"U","events":[]}`}, 0},
		"gocardless, an empty list":                 {"gocardless", nil, []string{`{"events":[]}`}, 1},
		"klaviyo, one id, two topics":               {"klaviyo", nil, []string{`{"data":[{"external_id":"1","topic":"a"}],"meta":{}}`, `{"data":[{"external_id":"1","topic":"b"}],"meta":{}}`}, 2},
		"xero, two updates of one second":           {"xero", nil, []string{`{"events":[{"resourceId":"r","eventType":"UPDATE","eventDateUtc":"a"}],"firstEventSequence":1}`, `{"events":[{"resourceId":"r","eventType":"UPDATE","eventDateUtc":"a"}],"firstEventSequence":2}`}, 2},
		"pusher, one channel twice in a webhook":    {"pusher", nil, []string{`{"time_ms":1,"events":[{"name":"member_added","channel":"c","user_id":"1"},{"name":"member_added","channel":"c","user_id":"2"}]}`}, 2},
		"stripe, the id of every dashboard test":    {"stripe", nil, []string{`{"id":"evt_00000000000000","type":"charge.failed"}`, `{"id":"evt_00000000000000","type":"charge.refunded"}`, `{"id":"evt_00000000000000","type":"charge.refunded"}`}, 2},
		"stripe, its own id":                        {"stripe", nil, []string{`{"id":"evt_1","type":"charge.failed","pending_webhooks":1}`, `{"id":"evt_1","type":"charge.failed","pending_webhooks":0}`}, 1},
		"mandrill, two opens of one second":         {"mandrill", nil, []string{`[{"event":"open","_id":"m","ts":1,"ip":"1"}]`, `[{"event":"open","_id":"m","ts":1,"ip":"2"}]`}, 2},
		"lemonsqueezy, two updates of one second":   {"lemonsqueezy", nil, []string{`{"meta":{"event_name":"subscription_updated"},"data":{"id":"1","attributes":{"updated_at":"t","status":"a"}}}`, `{"meta":{"event_name":"subscription_updated"},"data":{"id":"1","attributes":{"updated_at":"t","status":"b"}}}`}, 2},
		"adyen-platform, two updates of one second": {"adyen-platform", nil, []string{`{"type":"transfer.updated","timestamp":"t","data":{"id":"1","status":"a"}}`, `{"type":"transfer.updated","timestamp":"t","data":{"id":"1","status":"b"}}`}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var all []string
			for _, body := range c.bodies {
				d := readAs(t, c.kind, c.header, body)
				for _, e := range d.Events {
					all = append(all, e.EventID)
				}
			}
			slices.Sort(all)
			require.Len(t, slices.Compact(all), c.want)
		})
	}
}

// readAs signs a body as a kind's sender does, and reads it.
func readAs(t *testing.T, kind string, header http.Header, body string) Delivery {
	t.Helper()
	k := KindOf(kind)
	secret := "whsec_" + strings.Repeat("ab", 20)
	if k.Declaration != nil {
		secret = caseSecret(t, k, 1)
	}
	source, err := k.New(kind, Settings{Secrets: []string{secret}, Options: map[string]string{}})
	require.NoError(t, err)
	r := &Request{Method: http.MethodPost, URL: "https://hooks.example.com/webhooks/" + kind, Header: http.Header{"Content-Type": {jsonType}}, Body: []byte(body)}
	if kind == "mandrill" {
		r.Header.Set("Content-Type", formType)
		r.Body = []byte("mandrill_events=" + url.QueryEscape(body))
	}
	for name, values := range header {
		r.Header[name] = values
	}
	source.Provider.(Signer).Sign(r, testNow)
	d, err := source.Read(r, testNow)
	require.NoError(t, err)
	return d
}

// What is kept of an event of a list is the delivery as it would be with this event alone.
func TestIdentity_ItemsKeepTheirEnvelope(t *testing.T) {
	t.Parallel()
	d := readAs(t, "meta", nil, `{"object":"user","entry":[{"id":"U","uid":"U","time":17,"changes":[{"field":"a","value":{"n":10000000000000000001}},{"field":"b"}],"messaging":[{"timestamp":5}],"more":[1,2]}]}`)
	var bodies []string
	for _, e := range d.Events {
		bodies = append(bodies, string(e.Body))
		require.Equal(t, "U", e.Account)
	}
	require.Equal(t, []string{
		`{"object":"user","entry":[{"id":"U","uid":"U","time":17,"changes":[{"field":"a","value":{"n":10000000000000000001}}],"more":[1,2]}]}`,
		`{"object":"user","entry":[{"id":"U","uid":"U","time":17,"changes":[{"field":"b"}],"more":[1,2]}]}`,
		`{"object":"user","entry":[{"id":"U","uid":"U","time":17,"messaging":[{"timestamp":5}],"more":[1,2]}]}`,
	}, bodies)
	require.EqualValues(t, 17, d.Events[0].OccurredAt.Unix())
	require.EqualValues(t, 5, d.Events[2].OccurredAt.Unix())
	require.Equal(t, "user.messaging", d.Events[2].Type)

	alone := readAs(t, "hubspot", nil, `[{"eventId":1,"subscriptionId":7}]`)
	require.Equal(t, `{"eventId":1,"subscriptionId":7}`, string(alone.Events[0].Body), "nothing stands beside the list")
	other := readAs(t, "meta", nil, `{"object":"user","entry":[{"id":"U","changed_fields":["feed"]}]}`)
	require.Equal(t, "user", other.Events[0].Type)
	require.Equal(t, `{"object":"user","entry":[{"id":"U","changed_fields":["feed"]}]}`, string(other.Events[0].Body))
}

func TestIdentity_TooManyItems(t *testing.T) {
	t.Parallel()
	k := KindOf("hubspot")
	p := declaredOf(t, k, caseSecret(t, k, 1))
	for count, fits := range map[int]bool{MaxItems: true, MaxItems + 1: false} {
		body := "[" + strings.Repeat(`{"a":1},`, count-1) + `{"a":1}]`
		d, err := Source{Name: "x", Provider: p}.Read(signedBy(p, body), testNow)
		if fits {
			require.NoError(t, err)
			require.Len(t, d.Events, count)
			continue
		}
		var refused *Error
		require.ErrorAs(t, err, &refused)
		require.Equal(t, CodeTooMany, refused.Code)
	}
	wide := KindOf("meta")
	p = declaredOf(t, wide, caseSecret(t, wide, 1))
	body := `{"pad":"` + strings.Repeat("x", 1<<20) + `","entry":[{"changes":[` + strings.Repeat(`{},`, 99) + `{}]}]}`
	_, err := Source{Name: "x", Provider: p}.Read(signedBy(p, body), testNow)
	require.Error(t, err, "a hundred times an envelope of 1 MiB")
}
