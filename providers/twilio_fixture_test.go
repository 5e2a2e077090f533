package providers

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The pieces of Twilio's requests that the tests share. The SIDs are made up.
const (
	twilioTestToken = "12345678901234567890123456789012"
	twilioTestURL   = "https://hooks.example.com/webhooks/twilio"

	testAC  = "AC00000000000000000000000000000001"
	testCA  = "CA00000000000000000000000000000002"
	testSM  = "SM00000000000000000000000000000003"
	testMM  = "MM00000000000000000000000000000004"
	testRE  = "RE00000000000000000000000000000005"
	testCF  = "CF00000000000000000000000000000006"
	otherCA = "CA99999999999999999999999999999999"
	otherSM = "SM99999999999999999999999999999999"
)

var twilioNow = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// params is a list of names and values in turn.
type params []string

var (
	twilioCallback = params{
		"AccountSid", testAC, "ApiVersion", "2010-04-01", "CallSid", testCA, "CallStatus", "completed", "CallDuration", "12",
		"CallbackSource", "call-progress-events", "Direction", "outbound-api", "From", "+15005550006", "To", "+15005550007",
		"SequenceNumber", "3", "SipResponseCode", "200", "Timestamp", "Thu, 01 Jan 2026 00:00:00 +0000",
	}
	twilioVoice = params{
		"AccountSid", testAC, "ApiVersion", "2010-04-01", "CallSid", testCA, "CallStatus", "ringing", "Called", "+15005550007",
		"Caller", "+15005550006", "Direction", "inbound", "From", "+15005550006", "To", "+15005550007",
	}
	twilioText = params{
		"AccountSid", testAC, "ApiVersion", "2010-04-01", "Body", "hello there", "From", "+15005550006", "FromCountry", "US",
		"MessageSid", testSM, "NumMedia", "0", "NumSegments", "1", "SmsMessageSid", testSM, "SmsSid", testSM,
		"SmsStatus", "received", "To", "+15005550007", "ToCountry", "US",
	}
	twilioDelivery = params{
		"AccountSid", testAC, "ApiVersion", "2010-04-01", "From", "+15005550006", "MessageSid", testSM,
		"MessageStatus", "delivered", "SmsSid", testSM, "SmsStatus", "delivered", "To", "+15005550007",
	}
	twilioRecording = params{
		"AccountSid", testAC, "CallSid", testCA, "ConferenceSid", testCF, "RecordingChannels", "1", "RecordingDuration", "7",
		"RecordingSid", testRE, "RecordingSource", "DialVerb", "RecordingStartTime", "Thu, 01 Jan 2026 00:00:00 +0000",
		"RecordingStatus", "completed", "RecordingUrl", "https://api.example.com/Recordings/" + testRE,
	}
	twilioConference = params{
		"AccountSid", testAC, "CallSid", testCA, "Coaching", "false", "ConferenceSid", testCF, "FriendlyName", "stand-up",
		"SequenceNumber", "12", "StartConferenceOnEnter", "true", "StatusCallbackEvent", "participant-join",
		"Timestamp", "Thu, 01 Jan 2026 00:00:00 +0000",
	}
)

// with returns p with one value changed or added.
func (p params) with(name, value string) params {
	p = slices.Clone(p)
	for i := 0; i < len(p); i += 2 {
		if p[i] == name {
			p[i+1] = value
			return p
		}
	}
	return append(p, name, value)
}

// without returns p without some names.
func (p params) without(names ...string) params {
	var kept params
	for i := 0; i < len(p); i += 2 {
		if !slices.Contains(names, p[i]) {
			kept = append(kept, p[i], p[i+1])
		}
	}
	return kept
}

// form writes p as a form body.
func (p params) form() string {
	var pieces []string
	for i := 0; i < len(p); i += 2 {
		pieces = append(pieces, url.QueryEscape(p[i])+"="+url.QueryEscape(p[i+1]))
	}
	return strings.Join(pieces, "&")
}

func newTestTwilio(t testing.TB) *Twilio {
	t.Helper()
	twilio, err := NewTwilio(TwilioConfig{Tokens: []string{twilioTestToken}})
	require.NoError(t, err)
	return twilio
}

// twilioPost is an unsigned request as Twilio sends it.
func twilioPost(address, body string) *Request {
	return &Request{
		Method: http.MethodPost,
		URL:    address,
		Header: http.Header{"Content-Type": {formType + "; charset=UTF-8"}},
		Body:   []byte(body),
	}
}

// twilioPostJSON is the same with a JSON body.
func twilioPostJSON(address, body string) *Request {
	r := twilioPost(address, body)
	r.Header.Set("Content-Type", "application/json")
	return r
}

func signedTwilio(t testing.TB, r *Request) *Request {
	t.Helper()
	newTestTwilio(t).Sign(r, twilioNow)
	return r
}

// twilioSum signs a text as Twilio's documentation says, without a line of the code under test.
func twilioSum(token, text string) string {
	mac := hmac.New(sha1.New, []byte(token))
	mac.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func requireReason(t testing.TB, code Code, reason string, err error) {
	t.Helper()
	var typed *Error
	require.ErrorAs(t, err, &typed)
	require.Equal(t, code, typed.Code)
	require.Equal(t, reason, typed.Reason)
}
