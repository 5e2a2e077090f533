package providers

import (
	"errors"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"hookflow/event"
)

// Each byte of the signature counts: no other byte in its place passes.
func TestTwilioVerify_EveryByteOfTheSignature(t *testing.T) {
	t.Parallel()
	twilio := newTestTwilio(t)
	r := signedTwilio(t, twilioPost(twilioTestURL, twilioCallback.form()))
	good := []byte(r.Header.Get(twilioSignature))
	for i := range good {
		for b := range 256 {
			changed := slices.Clone(good)
			if changed[i] = byte(b); changed[i] == good[i] {
				continue
			}
			r.Header[twilioSignature] = []string{string(changed)}
			require.Error(t, twilio.Verify(r, twilioNow), "byte %d as %#x", i, b)
		}
		r.Header[twilioSignature] = []string{string(good[:i]) + string(good[i+1:])}
		require.Error(t, twilio.Verify(r, twilioNow), "without byte %d", i)
	}
}

// Each byte of a form counts, or the change leaves the same event: %2B as %2b, or parameters cut anew without effect.
// This includes each byte left out, which is how parameters are glued.
func TestTwilioRead_EveryByteOfAForm(t *testing.T) {
	t.Parallel()
	source := Source{Name: "twilio", Provider: newTestTwilio(t)}
	for _, p := range []params{twilioCallback, twilioVoice, twilioText, twilioDelivery, twilioRecording, twilioConference} {
		r := signedTwilio(t, twilioPost(twilioTestURL, p.form()))
		want, err := readOne(source, r, twilioNow)
		require.NoError(t, err)
		refused := 0
		for _, body := range mutations(r.Body) {
			r.Body = body
			got, err := readOne(source, r, twilioNow)
			var typed *Error
			if errors.As(err, &typed) {
				refused++
				continue
			}
			if got.Type == twilioUnknown { // cut anew: one event, whichever way
				require.Equal(t, "sha256-"+twilioDigest(twilioTestURL, p), got.EventID, "%s", body)
				continue
			}
			require.Equal(t, want.Key(), got.Key(), "%s", body)
			require.Equal(t, want.Type, got.Type, "%s", body)
		}
		require.Greater(t, refused, 8*len(p.form()), "nearly every change is refused")
	}
}

func TestTwilioVerify_EveryByteOfAJSONBody(t *testing.T) {
	t.Parallel()
	twilio := newTestTwilio(t)
	r := signedTwilio(t, twilioPostJSON(twilioTestURL, `{"AccountSid": "`+testAC+`", "n": 1.0}`))
	for _, body := range mutations(r.Body) {
		r.Body = body
		requireReason(t, CodeSignature, ReasonMismatch, twilio.Verify(r, twilioNow))
	}
}

// mutations are all texts with one bit of one byte flipped, or one byte left out.
func mutations(text []byte) [][]byte {
	var all [][]byte
	for i := range text {
		for bit := range 8 {
			changed := slices.Clone(text)
			changed[i] ^= 1 << bit
			all = append(all, changed)
		}
		all = append(all, slices.Delete(slices.Clone(text), i, i+1))
	}
	return all
}

// What Verify accepts is what Twilio's rule gives for one of the spellings of the URL, and what Sign makes is accepted.
func FuzzTwilioVerify(f *testing.F) {
	f.Add("https://h.example/p?a=It's", twilioCallback.form(), false, "x", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	f.Add("http://u:p@[::1]:80/#x", `{"a":1}`, true, `{"a":2}`, "")
	f.Add("no scheme?bodySHA256=", "a=%zz&b", false, "", "\n")
	f.Fuzz(func(t *testing.T, address, body string, isJSON bool, otherBody, header string) {
		twilio := newTestTwilio(t)
		r := twilioPost(address, body)
		if isJSON {
			r = twilioPostJSON(address, body)
		}
		r.Header[twilioSignature] = []string{header}
		require.Error(t, twilio.Verify(r, twilioNow), "nobody guesses a signature")

		twilio.Sign(r, twilioNow)
		form, formErr := event.ParseForm(r.Body)
		require.Equal(t, isJSON || formErr == nil, twilio.Verify(r, twilioNow) == nil)

		r.Body = []byte(otherBody)
		if twilio.Verify(r, twilioNow) != nil || otherBody == body {
			return
		}
		require.False(t, isJSON, "another JSON body passed")
		other, err := event.ParseForm(r.Body)
		require.NoError(t, err)
		require.Equal(t, signForm("", form).text, signForm("", other).text, "another form passed")
	})
}

// Identify never panics, refuses with one code, and gives what it accepts an id that the ledger takes, the same each time
// and however the URL is spelt.
func FuzzTwilioIdentify(f *testing.F) {
	for _, p := range []params{twilioCallback, twilioVoice, twilioText, twilioDelivery, twilioRecording, twilioConference} {
		f.Add(twilioTestURL, p.form(), false, "token")
	}
	f.Add(twilioTestURL+"?bodySHA256=", `{"AccountSid":"`+testAC+`","a":[{}]}`, true, "")
	f.Fuzz(func(t *testing.T, address, body string, isJSON bool, token string) {
		twilio := newTestTwilio(t)
		r := twilioPost(address, body)
		if isJSON {
			r = twilioPostJSON(address, body)
		}
		r.Header[http.CanonicalHeaderKey(twilioToken)] = []string{token}
		e, err := twilio.Identify(r)
		if err != nil {
			var typed *Error
			require.ErrorAs(t, err, &typed)
			require.Equal(t, CodeNoEvent, typed.Code)
			return
		}
		require.Empty(t, event.CheckID(e.EventID))
		require.Empty(t, event.CheckID(e.Type))
		require.True(t, isSID(e.Account, "AC"))
		require.NotNil(t, twilio.Answer(&e))
		for _, spelling := range urlVariants(address) {
			if canonicalURL(spelling) != canonicalURL(address) {
				continue // a port that is not the default one is part of the address
			}
			r.URL = spelling + "#again"
			again, err := twilio.Identify(r)
			require.NoError(t, err)
			require.Equal(t, e, again)
		}
	})
}

func BenchmarkTwilioRead(b *testing.B) {
	source := Source{Name: "twilio", Provider: newTestTwilio(b)}
	r := signedTwilio(b, twilioPost(twilioTestURL, twilioCallback.form()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readOne(source, r, twilioNow); err != nil {
			b.Fatal(err)
		}
	}
}
