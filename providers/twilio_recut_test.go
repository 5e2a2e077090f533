package providers

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"hookflow/event"
)

// resend verifies and reads a request whose signature was seen on another one.
func resend(t testing.TB, signature string, r *Request) (id, kind string, err error) {
	t.Helper()
	r.Header.Set(twilioSignature, signature)
	e, err := readOne(Source{Name: "twilio", Provider: newTestTwilio(t)}, r, twilioNow)
	return e.EventID, e.Type, err
}

func TestTwilioRecut_GluedAndMovedParameters(t *testing.T) {
	t.Parallel()
	const withQuery = twilioTestURL + "?tenant=1"
	two := params{"AccountSid", testAC, "CallSid", testCA, "CallStatus", "failed"}
	// An attacker's own text message, which he means to cut into a call status.
	forged := "xCallSid" + otherCA + "CallStatuscompletedCallbackSourcexDigits"
	evil := twilioText.with("Body", forged)
	rest := strings.TrimPrefix(signedTail(evil), signedTail(params{"AccountSid", testAC, "ApiVersion", "2010-04-01", "Body", forged}))
	glueTo := func(p params, name, glued string) string {
		return p.without(glued).with(name, value(p, name)+glued+value(p, glued)).form()
	}
	for name, c := range map[string]struct {
		genuine params
		url     string
		body    string
		want    string
	}{
		"a status into the call's SID": {two, withQuery, "AccountSid=" + testAC + "&CallSid=" + testCA + "CallStatusfailed", ""},
		"a SID into a name":            {two, withQuery, "AccountSid=" + testAC + "&CallSid" + testCA + "CallStatus=failed", ""},
		"a shorter name":               {twilioCallback, withQuery, twilioCallback.without("SequenceNumber").with("Sequence", "Number3").form(), ""},
		"a longer name":                {twilioConference, withQuery, twilioConference.without("SequenceNumber").with("SequenceNumber1", "2").form(), ""},
		"the number out of sight":      {twilioCallback, withQuery, glueTo(twilioCallback, "From", "SequenceNumber"), ""},
		"a name across two parameters": {twilioCallback, withQuery, twilioCallback.without("SequenceNumber").with("From", "+15005550006Sequence").with("Number", "3").form(), ""},
		"the direction":                {twilioVoice, withQuery, glueTo(twilioVoice, "Caller", "Direction"), ""},
		"the source":                   {twilioCallback, withQuery, glueTo(twilioCallback, "CallStatus", "CallbackSource"), ""},
		"the time":                     {twilioCallback, withQuery, glueTo(twilioCallback, "SipResponseCode", "Timestamp"), ""},
		"the recording's status":       {twilioRecording, withQuery, glueTo(twilioRecording, "RecordingStartTime", "RecordingStatus"), ""},
		"the event of a conference":    {twilioConference, withQuery, glueTo(twilioConference, "StartConferenceOnEnter", "StatusCallbackEvent"), ""},
		"all into the query":           {two, withQuery + signedTail(two), "", "AccountSid is missing"},
		"some into the query":          {two, withQuery + "AccountSid" + testAC, two.without("AccountSid").form(), "AccountSid is missing"},
		"a text cut into a call": {evil, withQuery, params{"AccountSid", testAC, "ApiVersion", "2010-04-01", "Body", "x", "CallSid", otherCA,
			"CallStatus", "completed", "CallbackSource", "x", "Digits", rest}.form(), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			signed := withQuery + signedTail(c.genuine)
			id, kind, err := resend(t, twilioSum(twilioTestToken, signed), twilioPost(c.url, c.body))
			if c.want != "" {
				requireReason(t, CodeNoEvent, c.want, err)
				return
			}
			require.NoError(t, err, "the signature must hold, or the row tests nothing")
			require.Equal(t, "unknown", kind)
			require.Equal(t, sumID([]byte(signed)), id, "however it is cut")
		})
	}
}

// A text message may hold a query that names the hash of a JSON body. Moved into the URL, it would sign that body.
func TestTwilioRecut_TextAsBodyHash(t *testing.T) {
	t.Parallel()
	const withQuery = twilioTestURL + "?tenant=1"
	evil := `{"AccountSid":"` + testAC + `","CallSid":"` + otherCA + `","CallStatus":"completed"}`
	text := twilioText.with("Body", "&bodySHA256="+bodyHash([]byte(evil))+"&")
	signature := twilioSum(twilioTestToken, withQuery+signedTail(text))
	_, _, err := resend(t, signature, twilioPost(withQuery+signedTail(text), "AccountSid="+testAC))
	require.Error(t, err)
	id, kind, err := resend(t, signature, twilioPostJSON(withQuery+signedTail(text), evil))
	require.NoError(t, err)
	require.Equal(t, "unknown", kind, "not the status of a call")
	require.Equal(t, sumID([]byte(withQuery+signedTail(text))), id)
}

func TestTwilioRecut_GenuineRequestsPass(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]params{
		"longer names":                twilioCallback.with("ParentCallSid", otherCA).with("DialCallSid", otherCA).with("DialCallStatus", "busy"),
		"an answered message":         twilioText.with("OriginalRepliedMessageSid", otherSM),
		"a text full of names":        twilioText.with("Body", "CallSid"+otherCA+"SequenceNumber1 MessageStatusfailed AccountSid"+testAC),
		"a SID in a value":            twilioCallback.with("Url", "https://x.example/CallSid="+otherCA),
		"JSON in a value":             twilioCallback.with("AddOns", `{"CallSid":"`+otherCA+`","SequenceNumber":1}`),
		"a name without its value":    twilioConference.with("FriendlyName", "the CallSid and CallStatus meeting"),
		"empty identifying values":    twilioCallback.with("RecordingSid", "").with("MessageStatus", ""),
		"keys and speech":             twilioVoice.with("Digits", "1#").with("NumDigits", "2").with("SpeechResult", "yes please"),
		"JSON with a time":            twilioCallback.with("Payload", `{"Timestamp":"Thu, 01 Jan","Direction":"inbound"}`),
		"the SID that ends the event": twilioConference.with("CallSidEndingConference", otherCA),
	} {
		e, err := newTestTwilio(t).Identify(twilioPost(twilioTestURL, p.form()))
		require.NoError(t, err, name)
		require.NotEqual(t, "unknown", e.Type, name)
	}
}

// What somebody says or is called may begin like the name of a parameter. The request is kept, as no known kind.
func TestTwilioRecut_WordsOfOthersRefuseNothing(t *testing.T) {
	t.Parallel()
	for _, p := range []params{
		twilioVoice.with("SpeechResult", "Directions to your office please"),
		twilioText.with("ProfileName", "Directioner"),
		twilioText.with("ProfileName", "CallStatuscompleted"),
		twilioVoice.with("CallerName", "Timestamp Thu, SequenceNumber7"),
		twilioCallback.with("FriendlyName", "MessageSid"+otherSM),
	} {
		r := signedTwilio(t, twilioPost(twilioTestURL, p.form()))
		e, err := newTestTwilio(t).Identify(r)
		require.NoError(t, err, p.form())
		require.Equal(t, "unknown", e.Type, p.form())
		require.Equal(t, "sha256-"+twilioDigest(twilioTestURL, p), e.EventID)
		require.Equal(t, testAC, e.Account)
	}
}

// A name that ends in a telling one may be new, or glued from an empty parameter. It is kept, but as no known kind.
func TestTwilioRecut_LongerNamesAreOfNoKnownKind(t *testing.T) {
	t.Parallel()
	genuine := twilioVoice.with("CallerZip", "")
	glued := genuine.without("CallerZip", "Direction").with("CallerZipDirection", "inbound")
	signature := twilioSum(twilioTestToken, twilioTestURL+signedTail(genuine))
	id, kind, err := resend(t, signature, twilioPost(twilioTestURL, glued.form()))
	require.NoError(t, err)
	require.Equal(t, "unknown", kind)
	require.Equal(t, "sha256-"+twilioDigest(twilioTestURL, genuine), id)
}

// However the signed string of a genuine request is cut into parameters again, it never becomes another event: it is
// refused, or has the same id, or is of no known kind under the one id that its signed string has.
func TestTwilioRecut_NeverAnotherEvent(t *testing.T) {
	t.Parallel()
	genuine := []params{twilioCallback, twilioVoice, twilioText, twilioDelivery, twilioRecording, twilioConference}
	words := []string{
		"x", "CallSid" + otherCA, "CallStatuscompleted", "CallbackSourcex", "Digits", "Directioninbound", "From", "+1",
		"MessageSid" + otherSM, "ProfileName", "SequenceNumber7", "SmsStatusreceived", "To", "Body", "RecordingSid" + testRE,
	}
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom(genuine).Draw(t, "genuine")
		if rapid.Bool().Draw(t, "with a text") && value(p, "Body") != "" {
			p = p.with("Body", strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 1, 5).Draw(t, "text"), ""))
		}
		original := twilioPost(twilioTestURL+"?t=1", p.form())
		twilio := &Twilio{tokens: [][]byte{[]byte(twilioTestToken)}}
		twilio.Sign(original, twilioNow)
		want, err := twilio.Identify(original)
		require.NoError(t, err)

		again := twilioPost(original.URL, recut(t, signedTail(p), p))
		again.Header.Set(twilioSignature, original.Header.Get(twilioSignature))
		if twilio.Verify(again, twilioNow) != nil {
			t.Skip("cut so that the order changed")
		}
		got, err := twilio.Identify(again)
		if err != nil || got.EventID == want.EventID && got.Type == want.Type {
			return
		}
		require.Equal(t, "unknown", got.Type, "%s", again.Body)
		require.Equal(t, "sha256-"+twilioDigest(original.URL, p), got.EventID)
	})
}

// recut cuts a text into parameters with up to five changes to the genuine cutting: a parameter glued to the one before
// it, a border between name and value moved, a parameter cut out of a value.
func recut(t *rapid.T, tail string, p params) string {
	type cut struct{ name, value int }
	var cuts []cut
	for _, place := range signForm("", mustForm(t, p)).spans {
		cuts = append(cuts, cut{place.start, place.value})
	}
	edge := rapid.SampledFrom(edges(tail, p))
	for range rapid.IntRange(1, 5).Draw(t, "changes") {
		i := rapid.IntRange(0, len(cuts)-1).Draw(t, "which")
		switch at := edge.Draw(t, "at"); rapid.IntRange(0, 2).Draw(t, "change") {
		case 0:
			if len(cuts) > 1 {
				cuts = slices.Delete(cuts, i, i+1)
			}
		case 1:
			cuts[i].value = at
		case 2:
			cuts = append(cuts, cut{at, edge.Draw(t, "value at")})
		}
	}
	slices.SortFunc(cuts, func(a, b cut) int { return a.name - b.name })
	cuts[0].name = 0
	var pieces []string
	for i, c := range cuts {
		end := len(tail)
		if i+1 < len(cuts) {
			end = cuts[i+1].name
		}
		border := min(max(c.value, c.name), end)
		pieces = append(pieces, url.QueryEscape(tail[c.name:border])+"="+url.QueryEscape(tail[border:end]))
	}
	return strings.Join(pieces, "&")
}

func mustForm(t require.TestingT, p params) event.Form {
	form, err := event.ParseForm([]byte(p.form()))
	require.NoError(t, err)
	return form
}

// edges are the places where a name or a value could begin: at each capital behind something else, at each SID, digit or
// status word behind a name.
func edges(tail string, p params) []int {
	marks := []string{"AC0", "CA0", "CA9", "SM0", "SM9", "RE0", "CF0", "completed", "received", "delivered", "inbound", "+1"}
	for i := 0; i < len(p); i += 2 {
		marks = append(marks, p[i], p[i+1])
	}
	marks = append(marks, "CallSid", "CallStatus", "CallbackSource", "Digits", "Direction", "MessageSid", "ProfileName", sequenceNumber)
	var at []int
	for i := range tail {
		for _, mark := range marks {
			if mark != "" && strings.HasPrefix(tail[i:], mark) {
				at = append(at, i)
				break
			}
		}
	}
	return at
}

// signedTail is what Twilio signs behind the URL.
func signedTail(p params) string {
	names := map[string]string{}
	for i := 0; i < len(p); i += 2 {
		names[p[i]] = p[i+1]
	}
	return naiveParams(names)
}

func value(p params, name string) string {
	for i := 0; i < len(p); i += 2 {
		if p[i] == name {
			return p[i+1]
		}
	}
	return ""
}
