package providers

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTwilioAnswer(t *testing.T) {
	t.Parallel()
	const own = `<Response><Reject/></Response>`
	twilio, err := NewTwilio(TwilioConfig{Tokens: []string{"a"}, VoiceTwiML: own})
	require.NoError(t, err)
	for name, c := range map[string]struct {
		in   params
		want Answer
	}{
		"incoming message": {twilioText, Answer{ContentType: "text/xml", Body: []byte("<Response/>")}},
		"incoming voice":   {twilioVoice, Answer{ContentType: "text/xml", Body: []byte(own)}},
		"outgoing voice": {twilioVoice.with("Direction", "outbound-api").with("CallStatus", "in-progress"),
			Answer{ContentType: "text/xml", Body: []byte(own)}},
		"call status":    {twilioCallback, Answer{}},
		"message status": {twilioDelivery, Answer{}},
		"recording":      {twilioRecording, Answer{}},
		"conference":     {twilioConference, Answer{}},
		"another kind":   {params{"AccountSid", testAC}, Answer{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := twilio.Identify(twilioPost(twilioTestURL, c.in.form()))
			require.NoError(t, err)
			require.Equal(t, &c.want, twilio.Answer(&e))
		})
	}
}

func TestTwilioAnswer_DefaultSpeaks(t *testing.T) {
	t.Parallel()
	twilio := newTestTwilio(t)
	e, err := twilio.Identify(twilioPost(twilioTestURL, twilioVoice.form()))
	require.NoError(t, err)
	require.Equal(t, DefaultVoiceTwiML, string(twilio.Answer(&e).Body))
}

func TestCheckTwiML(t *testing.T) {
	t.Parallel()
	for doc, want := range map[string]string{
		DefaultVoiceTwiML: "",
		"<Response/>":     "",
		"<!-- hi --><Response><Say voice=\"alice\">a &amp; b</Say></Response>\n": "",
		"":                          "it holds 0 <Response> elements instead of one",
		"  ":                        "it holds 0 <Response> elements instead of one",
		"<response/>":               "its root is not <Response>",
		"<Say/>":                    "its root is not <Response>",
		`<Response xmlns="urn:x"/>`: "its root is not <Response>",
		"<Response/><Response/>":    "it holds 2 <Response> elements instead of one",
		"<Response/>x":              "it holds text outside <Response>",
		"hello":                     "it holds text outside <Response>",
		"<Response>":                "it is not well-formed XML",
		"<Response></Say>":          "it is not well-formed XML",
		"<Response>&x;</Response>":  "it is not well-formed XML",
		`<?xml version="1.0" encoding="latin1"?><Response/>`:               "it is not well-formed XML",
		`<!DOCTYPE r [<!ENTITY x "y">]><Response/>`:                        "it holds a document type",
		"<Response>" + strings.Repeat(" ", maxTwiML-21) + "</Response>":    "",
		"<Response>" + strings.Repeat(" ", maxTwiML-20) + "</Response>   ": "it is larger than 65536 bytes",
	} {
		err := checkTwiML(doc)
		if want == "" {
			require.NoError(t, err, doc)
			continue
		}
		require.ErrorContains(t, err, want, doc)
	}
}
