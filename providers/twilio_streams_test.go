package providers

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const streamBatch = `[
 {"specversion":"1.0","type":"com.twilio.messaging.message.delivered","source":"/v1/Accounts/x","id":"EZ1","time":"2026-01-01T00:00:00.000Z",
  "data":{"accountSid":"` + testAC + `","messageSid":"` + testSM + `"}},
 {"specversion":"1.0","type":"com.twilio.voice.status-callback.call.completed","id":"EZ2","time":"2026-01-01T00:00:01Z","data":{}},
 {"specversion":"1.0","id":7,"data":null}
]`

func TestTwilioStreams(t *testing.T) {
	t.Parallel()
	source := Source{Name: "twilio", Provider: newTestTwilio(t)}
	d, err := source.Read(signedTwilio(t, twilioPostJSON(twilioTestURL, streamBatch)), twilioNow)
	require.NoError(t, err)
	require.True(t, d.Batch)
	require.Len(t, d.Events, 3)
	first := d.Events[0]
	require.Equal(t, "twilio:EZ1", first.Key())
	require.Equal(t, "com.twilio.messaging.message.delivered", first.Type)
	require.Equal(t, testAC, first.Account)
	require.Equal(t, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), first.OccurredAt)
	require.JSONEq(t, `{"specversion":"1.0","type":"com.twilio.messaging.message.delivered","source":"/v1/Accounts/x","id":"EZ1",
		"time":"2026-01-01T00:00:00.000Z","data":{"accountSid":"`+testAC+`","messageSid":"`+testSM+`"}}`, string(first.Body))
	require.Equal(t, "twilio:EZ2", d.Events[1].Key())
	require.Contains(t, d.Events[2].EventID, "sha256-", "an item without an id is kept under its hash")
	require.Equal(t, unknownType, d.Events[2].Type)
	require.Nil(t, source.Answer(nil), "a batch is answered as the contract says")

	again, err := source.Read(signedTwilio(t, twilioPostJSON(twilioTestURL, streamBatch)), twilioNow.Add(time.Hour))
	require.NoError(t, err)
	for i := range d.Events {
		require.Equal(t, d.Events[i].Key(), again.Events[i].Key())
	}
}

func TestTwilioStreams_Edges(t *testing.T) {
	t.Parallel()
	source := Source{Name: "twilio", Provider: newTestTwilio(t)}
	d, err := source.Read(signedTwilio(t, twilioPostJSON(twilioTestURL, " []")), twilioNow)
	require.NoError(t, err)
	require.True(t, d.Batch)
	require.Empty(t, d.Events)

	_, err = source.Read(signedTwilio(t, twilioPostJSON(twilioTestURL, `[{"id":"EZ1"`)), twilioNow)
	requireNoEvent(t, err)

	r := signedTwilio(t, twilioPostJSON(twilioTestURL, streamBatch))
	r.Body[10] ^= 1
	_, err = source.Read(r, twilioNow)
	requireRefused(t, ReasonMismatch, err)

	other, err := NewTwilio(TwilioConfig{Tokens: []string{twilioTestToken}, AccountSID: "AC99999999999999999999999999999999"})
	require.NoError(t, err)
	_, err = Source{Name: "twilio", Provider: other}.Read(signedTwilio(t, twilioPostJSON(twilioTestURL, streamBatch)), twilioNow)
	requireReason(t, CodeNoEvent, "an event of the batch is not of the configured account", err)
}
