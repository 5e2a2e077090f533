package providers

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hookflow/event"
)

// twilioDigest is the SHA-256 of what Twilio signs for a URL and parameters without repeated names.
func twilioDigest(address string, p params) string {
	names := map[string]string{}
	for i := 0; i < len(p); i += 2 {
		names[p[i]] = p[i+1]
	}
	sum := sha256.Sum256([]byte(address + naiveParams(names)))
	return hex.EncodeToString(sum[:])
}

func TestTwilioIdentify_Kinds(t *testing.T) {
	t.Parallel()
	plain := params{"AccountSid", testAC}
	unknown := func(p params) string { return "sha256-" + twilioDigest(twilioTestURL, p) }
	voice := func(p params) string { return testCA + ":" + twilioDigest(twilioTestURL, p)[:16] }
	bare := plain.with("CallSid", testCA)
	outgoing := bare.with("CallStatus", "in-progress").with("Direction", "outbound-api")
	gather := twilioVoice.with("CallStatus", "in-progress").with("Digits", "1")
	late := bare.with("CallStatus", "completed").with("Direction", "inbound").with("DialCallStatus", "busy")
	both := twilioText.with("CallSid", testCA).with("CallStatus", "completed").with("CallbackSource", "x")
	conversation := plain.with("MessageSid", "IM00000000000000000000000000000007").with("Body", "x").with("EventType", "onMessageAdded")
	transcription := twilioVoice.with("CallStatus", "in-progress").with("TranscriptionSid", "TR00000000000000000000000000000008")
	old := twilioConference.without("SequenceNumber")
	for name, c := range map[string]struct {
		in       params
		id, kind string
	}{
		"call status":                         {twilioCallback, testCA + ":3", "call.completed"},
		"the first call status":               {twilioCallback.with("SequenceNumber", "0").with("CallStatus", "initiated"), testCA + ":0", "call.initiated"},
		"call status without a number":        {twilioCallback.without("SequenceNumber"), testCA + ":completed", "call.completed"},
		"call status and nothing else":        {bare.with("CallStatus", "queued"), testCA + ":queued", "call.queued"},
		"a status without other marks":        {bare.with("CallStatus", "ringing").with("Direction", "outbound-api"), testCA + ":ringing", "call.ringing"},
		"a status of an inbound call":         {twilioCallback.with("Direction", "inbound").with("CallStatus", "ringing"), testCA + ":3", "call.ringing"},
		"a status word that is new":           {twilioCallback.with("CallStatus", "on-hold_now"), testCA + ":3", "call.on-hold_now"},
		"a status with a recording":           {twilioCallback.with("RecordingSid", testRE), testCA + ":3", "call.completed"},
		"incoming voice":                      {twilioVoice, voice(twilioVoice), "call.incoming"},
		"the answer to a gather":              {gather, voice(gather), "call.incoming"},
		"instructions for an outgoing call":   {outgoing, voice(outgoing), "call.outgoing"},
		"the result of a verb after the call": {late, unknown(late), "unknown"},
		"incoming message":                    {twilioText, testSM, "message.received"},
		"incoming picture, no text":           {twilioText.with("MessageSid", testMM).with("Body", ""), testMM, "message.received"},
		"incoming message without a status":   {plain.with("MessageSid", testSM).with("Body", ""), testSM, "message.received"},
		"a message under its older name":      {plain.with("SmsSid", testSM).with("SmsStatus", "received"), testSM, "message.received"},
		"message status":                      {twilioDelivery, testSM + ":delivered", "message.delivered"},
		"message read":                        {twilioDelivery.with("MessageStatus", "read"), testSM + ":read", "message.read"},
		"recording":                           {twilioRecording, testRE + ":completed", "recording.completed"},
		"recording absent":                    {twilioRecording.with("RecordingStatus", "absent"), testRE + ":absent", "recording.absent"},
		"conference":                          {twilioConference, testCF + ":12", "conference.participant-join"},
		"conference without a number":         {old, testCF + ":" + unknown(old), "conference.participant-join"},
		"an account and nothing else":         {plain, unknown(plain), "unknown"},
		"a call without a status":             {bare, unknown(bare), "unknown"},
		"a message without status or text":    {plain.with("MessageSid", testSM), unknown(plain.with("MessageSid", testSM)), "unknown"},
		"a call and a message":                {both, unknown(both), "unknown"},
		"a message of Conversations":          {conversation, unknown(conversation), "unknown"},
		"a transcription":                     {transcription, unknown(transcription), "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := newTestTwilio(t).Identify(twilioPost(twilioTestURL, c.in.form()))
			require.NoError(t, err)
			require.Equal(t, c.id, e.EventID)
			require.Equal(t, c.kind, e.Type)
			require.Equal(t, testAC, e.Account)
			require.Equal(t, c.in.form(), string(e.Body))
			require.False(t, e.Chatty)
			require.Nil(t, e.Livemode)
		})
	}
}

func TestTwilioIdentify_Refuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body string
		want string
	}{
		"no parameters":          {"", "AccountSid is missing"},
		"no account":             {twilioCallback.without("AccountSid").form(), "AccountSid is missing"},
		"a short account":        {"AccountSid=AC1", "AccountSid is not AC and 32 lower-case hexadecimal digits"},
		"an account in capitals": {"AccountSid=AC0000000000000000000000000000000F", "AccountSid is not AC and 32 lower-case hexadecimal digits"},
		"a user as account":      {"AccountSid=US00000000000000000000000000000001", "AccountSid is not AC and 32 lower-case hexadecimal digits"},
		"two accounts":           {twilioCallback.form() + "&AccountSid=AC99999999999999999999999999999999", "AccountSid has two values"},
		"an invalid escape":      {"AccountSid=%zz", "the form holds a % that two hexadecimal digits do not follow"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := newTestTwilio(t).Identify(twilioPost(twilioTestURL, c.body))
			requireReason(t, CodeNoEvent, c.want, err)
		})
	}
}

// Parameters of other shapes than Twilio's cannot be told apart, and nothing that verifies is refused for it.
func TestTwilioIdentify_OddParametersAreOfNoKnownKind(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"two calls":                       twilioCallback.form() + "&CallSid=" + otherCA,
		"two statuses":                    twilioCallback.form() + "&CallStatus=busy",
		"a status glued to the call":      params{"AccountSid", testAC, "CallSid", testCA + "CallStatusfailed"}.form(),
		"a parameter glued to the status": twilioCallback.with("CallStatus", "completedCalled+15005550007").form(),
		"a number glued to the number":    twilioCallback.with("SequenceNumber", "3SipResponseCode200").form(),
		"a negative number":               twilioCallback.with("SequenceNumber", "-1").form(),
		"a number of 11 digits":           twilioCallback.with("SequenceNumber", "12345678901").form(),
		"a status in capitals":            twilioDelivery.with("MessageStatus", "Delivered").form(),
		"a status of 41 letters":          twilioDelivery.with("MessageStatus", strings.Repeat("a", 41)).form(),
		"a recording that is none":        twilioRecording.with("RecordingSid", "RE5").form(),
		"a conference that is none":       twilioConference.with("ConferenceSid", testCF+"0").form(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := newTestTwilio(t).Identify(twilioPost(twilioTestURL, body))
			require.NoError(t, err)
			require.Equal(t, twilioUnknown, e.Type)
			require.Regexp(t, "^sha256-[0-9a-f]{64}$", e.EventID)
		})
	}
}

func TestTwilioIdentify_ConfiguredAccount(t *testing.T) {
	t.Parallel()
	twilio, err := NewTwilio(TwilioConfig{Tokens: []string{twilioTestToken}, AccountSID: testAC})
	require.NoError(t, err)
	source := Source{Name: "twilio", Provider: twilio}
	_, err = readOne(source, signedTwilio(t, twilioPost(twilioTestURL, twilioText.form())), twilioNow)
	require.NoError(t, err)
	foreign := twilioText.with("AccountSid", "AC99999999999999999999999999999999")
	_, err = readOne(source, signedTwilio(t, twilioPost(twilioTestURL, foreign.form())), twilioNow)
	requireReason(t, CodeNoEvent, "AccountSid is not the configured account", err)
}

func TestTwilioIdentify_JSON(t *testing.T) {
	t.Parallel()
	object := `{"AccountSid":"` + testAC + `","CallSid":"` + testCA + `","CallStatus":"busy","SequenceNumber":4}`
	e, err := newTestTwilio(t).Identify(signedTwilio(t, twilioPostJSON(twilioTestURL, object)))
	require.NoError(t, err)
	require.Equal(t, testCA+":4", e.EventID)
	require.Equal(t, "call.busy", e.Type)

	r := signedTwilio(t, twilioPostJSON(twilioTestURL, `{"AccountSid":"`+testAC+`","nested":{"CallSid":1}}`))
	e, err = newTestTwilio(t).Identify(r)
	require.NoError(t, err)
	sum := sha256.Sum256([]byte(r.URL))
	require.Equal(t, "sha256-"+hex.EncodeToString(sum[:]), e.EventID, "a JSON body is signed by its hash in the URL")

	for body, want := range map[string]string{
		`"text"`:              "the body is not one JSON object",
		"":                    "the body is not one JSON object",
		`{"a":1`:              "the body is not one JSON object",
		`{"account_sid":"x"}`: "AccountSid is not AC and 32 lower-case hexadecimal digits",
	} {
		_, err := newTestTwilio(t).Identify(signedTwilio(t, twilioPostJSON(twilioTestURL, body)))
		requireReason(t, CodeNoEvent, want, err)
	}
}

// Products that send JSON write account_sid, and name the type themselves
// (https://www.twilio.com/docs/conversational-intelligence/api/service-resource).
func TestTwilioIdentify_JSONOfOtherProducts(t *testing.T) {
	t.Parallel()
	r := signedTwilio(t, twilioPostJSON(twilioTestURL, `{"account_sid":"`+testAC+`","service_sid":"GA1","transcript_sid":"GT1","event_type":"voice_intelligence_transcript_available"}`))
	e, err := newTestTwilio(t).Identify(r)
	require.NoError(t, err)
	require.Equal(t, testAC, e.Account)
	require.Equal(t, "voice_intelligence_transcript_available", e.Type)
	require.Equal(t, sumID([]byte(r.URL)), e.EventID)

	e, err = newTestTwilio(t).Identify(signedTwilio(t, twilioPostJSON(twilioTestURL, `{"a":1}`)))
	require.NoError(t, err, "genuine, whatever it lacks")
	require.Equal(t, twilioUnknown, e.Type)
	bound, err := NewTwilio(TwilioConfig{Tokens: []string{twilioTestToken}, AccountSID: testAC})
	require.NoError(t, err)
	_, err = bound.Identify(signedTwilio(t, twilioPostJSON(twilioTestURL, `{"a":1}`)))
	requireReason(t, CodeNoEvent, "AccountSid is missing", err)
}

// One request, however its URL is spelt, has one id; what is another request has another.
func TestTwilioIdentify_OneIDForEverySpelling(t *testing.T) {
	t.Parallel()
	id := func(address string, p params) string {
		e, err := newTestTwilio(t).Identify(twilioPost(address, p.form()))
		require.NoError(t, err)
		return e.EventID
	}
	const canonical = "https://h.example/p?a=It%27s"
	want := id(canonical, twilioVoice)
	require.Equal(t, testCA+":"+twilioDigest(canonical, twilioVoice)[:16], want)
	for _, address := range []string{
		"https://h.example/p?a=It's", "https://h.example:443/p?a=It's", "https://u:p@h.example/p?a=It's",
		"https://h.example/p?a=It's#rc=5", "https://h.example/p?a=It%27s#again",
	} {
		require.Equal(t, want, id(address, twilioVoice), address)
	}
	require.Equal(t, want, id(canonical, append(twilioVoice[2:], "AccountSid", testAC, "To", "+15005550007")),
		"order and repetition are not signed")
	for _, address := range []string{"https://h.example:8443/p?a=It%27s", "https://h.example/p?a=2", "http://h.example/p?a=It%27s"} {
		require.NotEqual(t, want, id(address, twilioVoice), address)
	}
	require.NotEqual(t, want, id(canonical, twilioVoice.with("Digits", "1")))
}

func TestTwilioIdentify_IdempotencyToken(t *testing.T) {
	t.Parallel()
	const token = "9f5b7c1e-0d6a-4e53-8f0e-3f1c8a2b7d10"
	id := func(p params, tokens ...string) string {
		r := twilioPost(twilioTestURL, p.form())
		r.Header[twilioToken] = tokens
		e, err := newTestTwilio(t).Identify(r)
		require.NoError(t, err)
		return e.EventID
	}
	voice := testCA + ":" + twilioDigest(twilioTestURL, twilioVoice)[:16]
	require.Equal(t, voice+":"+token, id(twilioVoice, token))
	for _, bad := range [][]string{nil, {""}, {"a", "b"}, {"a b"}, {"a\x7f"}, {"é"}, {strings.Repeat("a", 129)}} {
		require.Equal(t, voice, id(twilioVoice, bad...), "%q", bad)
	}
	require.Equal(t, testCA+":3", id(twilioCallback, token), "it is not signed, so nothing else depends on it")
	require.Equal(t, testSM, id(twilioText, token))
}

func TestTwilioIdentify_OccurredAt(t *testing.T) {
	t.Parallel()
	for stamp, want := range map[string]time.Time{
		"Thu, 01 Jan 2026 00:00:00 +0000": twilioNow,
		"Thu, 1 Jan 2026 01:00:00 +0100":  twilioNow,
		"2026-01-01T00:00:00Z":            {},
		"1767225600":                      {},
		"":                                {},
	} {
		e, err := newTestTwilio(t).Identify(twilioPost(twilioTestURL, twilioCallback.with("Timestamp", stamp).form()))
		require.NoError(t, err)
		require.Equal(t, want, e.OccurredAt, stamp)
	}
}

func TestTwilioSource_ReadsACompleteEvent(t *testing.T) {
	t.Parallel()
	r := signedTwilio(t, twilioPost(twilioTestURL, twilioCallback.form()))
	r.Header.Set("User-Agent", "TwilioProxy/1.1")
	r.Header.Set(twilioToken, "t1")
	r.Header.Set("Authorization", "Basic c2VjcmV0")
	e, err := readOne(Source{Name: "twilio-eu", Provider: newTestTwilio(t)}, r, twilioNow)
	require.NoError(t, err)
	require.Equal(t, event.Event{
		ID: event.ID("twilio-eu:" + testCA + ":3"), Provider: "twilio-eu", Scheme: "twilio", EventID: testCA + ":3",
		Type: "call.completed", Account: testAC, OccurredAt: twilioNow, ReceivedAt: twilioNow,
		Headers:     map[string]string{"User-Agent": "TwilioProxy/1.1", "I-Twilio-Idempotency-Token": "t1"},
		ContentType: "application/x-www-form-urlencoded; charset=UTF-8", Body: []byte(twilioCallback.form()),
	}, e)
}

func TestTwilioTraits_HeadersAreCanonicalAndHarmless(t *testing.T) {
	t.Parallel()
	traits := newTestTwilio(t).Traits()
	require.Equal(t, []string{"application/x-www-form-urlencoded", "application/json"}, traits.MediaTypes)
	require.EqualValues(t, 1<<20, traits.MaxBody)
	require.True(t, traits.SignsURL)
	for _, name := range traits.Headers {
		require.Equal(t, http.CanonicalHeaderKey(name), name)
	}
	require.NotContains(t, traits.Headers, twilioSignature)
}
