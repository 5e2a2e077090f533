package providers

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

type twilioVector struct {
	ID, Method, URL, Expect string
	Headers                 map[string]string
	Body                    string
	Params                  [][2]string
	SecretB64               string `json:"secret_b64"`
}

// The signatures that Twilio and its libraries publish get the verdict that they expect.
func TestTwilioVerify_Vectors(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/vectors/twilio.json")
	require.NoError(t, err)
	var vectors []twilioVector
	require.NoError(t, json.Unmarshal(text, &vectors))
	require.NotEmpty(t, vectors)
	for _, v := range vectors {
		t.Run(v.ID, func(t *testing.T) {
			t.Parallel()
			secret, err := base64.StdEncoding.DecodeString(v.SecretB64)
			require.NoError(t, err)
			twilio, err := NewTwilio(TwilioConfig{Tokens: []string{string(secret)}})
			require.NoError(t, err)
			r := &Request{Method: v.Method, URL: v.URL, Header: http.Header{}, Body: []byte(v.Body)}
			for name, value := range v.Headers {
				r.Header.Set(name, value)
			}
			if v.Params != nil {
				var p params
				for _, pair := range v.Params {
					p = append(p, pair[0], pair[1])
				}
				r.Body = []byte(p.form())
			}
			require.Equal(t, v.Expect == "valid", twilio.Verify(r, twilioNow) == nil)
		})
	}
}

func TestNewTwilio(t *testing.T) {
	t.Parallel()
	six := []string{"1", "2", "3", "4", "5", "6"}
	for name, c := range map[string]struct {
		config TwilioConfig
		want   string
	}{
		"no token":          {TwilioConfig{}, "twilio: auth token: " + errNoSecret.Error()},
		"an empty token":    {TwilioConfig{Tokens: []string{"a", ""}}, "twilio: auth token: " + errNoSecret.Error()},
		"too many tokens":   {TwilioConfig{Tokens: six}, "twilio: auth token: 6 secrets are current, at most 5 can be: each costs an HMAC per wrong request"},
		"not a SID":         {TwilioConfig{Tokens: six[:1], AccountSID: "AC1"}, "twilio: the account SID is not AC and 32 lower-case hexadecimal digits"},
		"not an account":    {TwilioConfig{Tokens: six[:1], AccountSID: testCA}, "twilio: the account SID is not AC and 32 lower-case hexadecimal digits"},
		"TwiML of no use":   {TwilioConfig{Tokens: six[:1], VoiceTwiML: "<Say/>"}, "twilio: the TwiML for voice calls: its root is not <Response>"},
		"all that is right": {TwilioConfig{Tokens: six[:5], AccountSID: testAC, VoiceTwiML: "<Response/>"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := NewTwilio(c.config)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, c.want)
		})
	}
}

func TestTwilioVerify_SignatureHeader(t *testing.T) {
	t.Parallel()
	body := twilioCallback.form()
	good := signedTwilio(t, twilioPost(twilioTestURL, body)).Header.Get(twilioSignature)
	raw, err := base64.StdEncoding.DecodeString(good)
	require.NoError(t, err)
	other := twilioSum("another token", twilioTestURL)
	for name, c := range map[string]struct {
		values []string
		want   string
	}{
		"missing":             {nil, ReasonMissing},
		"empty":               {[]string{""}, ReasonMissing},
		"twice, different":    {[]string{good, other}, ReasonRepeated},
		"twice, the same":     {[]string{good, good}, ReasonRepeated},
		"joined by a proxy":   {[]string{good + ", " + other}, ReasonMalformed},
		"white space":         {[]string{good + " "}, ReasonMalformed},
		"a line end":          {[]string{good + "\n"}, ReasonMalformed},
		"a line end inside":   {[]string{good[:14] + "\n" + good[15:]}, ReasonMalformed},
		"unpadded":            {[]string{strings.TrimRight(good, "=")}, ReasonMalformed},
		"URL-safe alphabet":   {[]string{"-" + good[1:]}, ReasonMalformed},
		"loose trailing bits": {[]string{good[:26] + nextBase64(good[26]) + "="}, ReasonMalformed},
		"hexadecimal digits":  {[]string{"0123456789abcdef0123456789abcdef01234567"}, ReasonMalformed},
		"truncated":           {[]string{base64.StdEncoding.EncodeToString(raw[:19])}, ReasonMalformed},
		"too long":            {[]string{base64.StdEncoding.EncodeToString(append(raw, 0))}, ReasonMalformed},
		"huge":                {[]string{strings.Repeat("A", maxSignatureHeader+1)}, ReasonMalformed},
		"of another token":    {[]string{other}, ReasonMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := twilioPost(twilioTestURL, body)
			r.Header[twilioSignature] = c.values
			requireReason(t, CodeSignature, c.want, newTestTwilio(t).Verify(r, twilioNow))
		})
	}
}

// nextBase64 returns the letter whose value is one higher: it differs in the two bits that padding leaves over.
func nextBase64(letter byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	return string(alphabet[strings.IndexByte(alphabet, letter)+1])
}

func TestTwilioVerify_Tokens(t *testing.T) {
	t.Parallel()
	r := signedTwilio(t, twilioPost(twilioTestURL, twilioText.form()))
	for name, c := range map[string]struct {
		tokens []string
		want   bool
	}{
		"second of two": {[]string{"new", twilioTestToken}, true},
		"fifth of five": {[]string{"1", "2", "3", "4", twilioTestToken}, true},
		"none of two":   {[]string{"new", "newer"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			twilio, err := NewTwilio(TwilioConfig{Tokens: c.tokens})
			require.NoError(t, err)
			require.Equal(t, c.want, twilio.Verify(r, twilioNow) == nil)
		})
	}
	require.Error(t, new(Twilio).Verify(r, twilioNow), "without a token nothing is genuine")
}

// Each row: the URL as we know it, and one that Twilio may have signed for it.
func TestTwilioVerify_URLs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		url, signed string
		want        bool
	}{
		"as it is":                    {"https://h.example/p?q=1", "https://h.example/p?q=1", true},
		"no port, signed with 443":    {"https://h.example/p", "https://h.example:443/p", true},
		"no port, signed with 80":     {"http://h.example/p", "http://h.example:80/p", true},
		"https is not 80":             {"https://h.example/p", "https://h.example:80/p", false},
		"443, signed without":         {"https://h.example:443/p", "https://h.example/p", true},
		"another port, with":          {"https://h.example:8443/p", "https://h.example:8443/p", true},
		"another port, without":       {"https://h.example:8443/p", "https://h.example/p", true},
		"another port is not 443":     {"https://h.example:8443/p", "https://h.example:443/p", false},
		"IPv6":                        {"https://[2001:db8::1]/p", "https://[2001:db8::1]/p", true},
		"IPv6, signed with 443":       {"https://[2001:db8::1]/p", "https://[2001:db8::1]:443/p", true},
		"IPv6 with port, without":     {"https://[2001:db8::1]:8443/p", "https://[2001:db8::1]/p", true},
		"userinfo signed":             {"https://u:p@h.example/p", "https://u:p@h.example/p", true},
		"userinfo dropped":            {"https://u:p@h.example/p", "https://h.example/p", true},
		"userinfo signed with port":   {"https://u:p@h.example/p", "https://u:p@h.example:443/p", true},
		"userinfo dropped with port":  {"https://u@h.example/p", "https://h.example:443/p", true},
		"a colon and @ of the query":  {"https://h.example/p?t=1:2@x", "https://h.example:443/p?t=1:2@x", true},
		"no path":                     {"https://h.example?q=1", "https://h.example:443?q=1", true},
		"fragment":                    {"https://h.example/p#rc=5&rp=all", "https://h.example/p", true},
		"fragment is never signed":    {"https://h.example/p#rc=5", "https://h.example/p#rc=5", false},
		"apostrophe as %27":           {"https://h.example/p?a=It's", "https://h.example/p?a=It%27s", true},
		"apostrophe as it is":         {"https://h.example/p?a=It's", "https://h.example/p?a=It's", true},
		"%27 as an apostrophe":        {"https://h.example/p?a=It%27s", "https://h.example/p?a=It's", true},
		"%27 of the path":             {"https://h.example/o%27p", "https://h.example/o'p", false},
		"apostrophe of the path":      {"https://h.example/o'p", "https://h.example/o%27p", false},
		"apostrophe and port":         {"https://h.example/p?a='", "https://h.example:443/p?a=%27", true},
		"spaces stay":                 {"https://h.example/a b?c d", "https://h.example/a b?c d", true},
		"spaces stay with the port":   {"https://h.example:1/a b", "https://h.example/a b", true},
		"spaces are not escaped":      {"https://h.example/a b", "https://h.example/a%20b", false},
		"letters beyond ASCII stay":   {"https://h.example:1/España?año=1", "https://h.example/España?año=1", true},
		"double slashes stay":         {"https://h.example//p", "https://h.example//p", true},
		"paths are not cleaned":       {"https://h.example//p", "https://h.example/p", false},
		"a trailing slash counts":     {"https://h.example/p/", "https://h.example/p", false},
		"the query is not sorted":     {"https://h.example/p?b=1&a=2", "https://h.example/p?a=2&b=1", false},
		"escapes are not decoded":     {"https://h.example/a%2Fb", "https://h.example/a/b", false},
		"an empty query counts":       {"https://h.example/p?", "https://h.example/p", false},
		"the scheme counts":           {"https://h.example/p", "http://h.example/p", false},
		"the host counts":             {"https://h.example/p", "https://10.0.0.5:8080/p", false},
		"upper-case escapes are kept": {"https://h.example/%c3", "https://h.example/%C3", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := twilioPost(c.url, "b=2&a=1")
			r.Header.Set(twilioSignature, twilioSum(twilioTestToken, c.signed+"a1b2"))
			require.Equal(t, c.want, newTestTwilio(t).Verify(r, twilioNow) == nil)
		})
	}
}

func TestTwilioVerify_Forms(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ body, signed string }{
		"empty":                       {"", ""},
		"sorted by name":              {"b=2&a=1", "a1b2"},
		"by name, not name and value": {"ReasonX=a&Reason=Y", "ReasonYReasonXa"},
		"distinct values, sorted":     {"d=5678&d=1234&d=1234", "d1234d5678"},
		"names are case-sensitive":    {"a=2&A=1", "A1a2"},
		"empty values keep the name":  {"b=&a", "ab"},
		"plus and %20":                {"a=x+y%20z", "ax y z"},
		"values are not trimmed":      {"a=hello+", "ahello "},
		"UTF-8":                       {"a=%C3%A9", "aé"},
		"; is data":                   {"a=1;b=2", "a1;b=2"},
		"bytes beyond UTF-8":          {"a=%FF", "a\xff"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := twilioPost(twilioTestURL, c.body)
			r.Header.Set(twilioSignature, twilioSum(twilioTestToken, twilioTestURL+c.signed))
			require.NoError(t, newTestTwilio(t).Verify(r, twilioNow))
		})
	}
}

func TestTwilioVerify_UnreadableForms(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"a=%zz", strings.Repeat("a=1&", 1001)} {
		r := signedTwilio(t, twilioPost(twilioTestURL, body))
		requireReason(t, CodeSignature, ReasonMalformed, newTestTwilio(t).Verify(r, twilioNow))
	}
}

func TestTwilioVerify_BodyHash(t *testing.T) {
	t.Parallel()
	const body = `{"AccountSid":"` + testAC + `"}`
	hash := bodyHash([]byte(body))
	for name, c := range map[string]struct {
		query  string
		signed string // behind the URL
		json   bool
		want   string
	}{
		"alone":                            {"?bodySHA256=" + hash, "", true, ""},
		"behind others":                    {"?a=1&bodySHA256=" + hash, "", true, ""},
		"missing":                          {"?a=1", "", true, ReasonMissing},
		"no query":                         {"", "", true, ReasonMissing},
		"of another body":                  {"?bodySHA256=" + bodyHash([]byte("x")), "", true, ReasonMismatch},
		"empty":                            {"?bodySHA256=", "", true, ReasonMismatch},
		"upper-case digits":                {"?bodySHA256=" + strings.ToUpper(hash), "", true, ReasonMismatch},
		"in the fragment":                  {"?a=1#bodySHA256=" + hash, "", true, ReasonMissing},
		"another name":                     {"?xbodySHA256=" + hash, "", true, ReasonMissing},
		"twice":                            {"?bodySHA256=" + hash + "&bodySHA256=" + hash, "", true, ReasonMalformed},
		"JSON is not signed as parameters": {"?bodySHA256=" + hash, body, true, ReasonMismatch},
		"a form, URL signed":               {"?bodySHA256=" + hash, "", false, ""},
		"a form, parameters signed":        {"?bodySHA256=" + hash, body, false, ""},
		"a form, wrong hash, URL signed":   {"?bodySHA256=" + bodyHash([]byte("x")), "", false, ReasonMismatch},
		"a form, wrong hash, parameters":   {"?bodySHA256=" + bodyHash([]byte("x")), body, false, ""},
		"a form without hash, URL signed":  {"?a=1", "", false, ReasonMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := twilioPost(twilioTestURL+c.query, body)
			if c.json {
				r = twilioPostJSON(twilioTestURL+c.query, body)
			}
			r.Header.Set(twilioSignature, twilioSum(twilioTestToken, cutFragment(r.URL)+c.signed))
			err := newTestTwilio(t).Verify(r, twilioNow)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			requireReason(t, CodeSignature, c.want, err)
		})
	}
}

func TestTwilioSign_JSON(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"https://h.example/p":                   "https://h.example/p?bodySHA256=",
		"https://h.example/p?":                  "https://h.example/p?bodySHA256=",
		"https://h.example/p?a=1#rc=5":          "https://h.example/p?a=1&bodySHA256=",
		"https://h.example/p?bodySHA256=aa&b=2": "https://h.example/p?b=2&bodySHA256=",
	} {
		r := twilioPostJSON(address, "{}")
		signedTwilio(t, r)
		require.Equal(t, want+"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", r.URL)
		require.NoError(t, newTestTwilio(t).Verify(r, twilioNow))
	}
}

func TestTwilioSign_TakesARequestWithoutHeaders(t *testing.T) {
	t.Parallel()
	r := &Request{URL: twilioTestURL, Body: []byte("a=1")}
	signedTwilio(t, r)
	require.Equal(t, twilioSum(twilioTestToken, twilioTestURL+"a1"), r.Header.Get(twilioSignature))
}

// The error of a refused request is one of the bounded words, whatever was in the request.
func TestTwilioVerify_SaysNothingOfTheRequest(t *testing.T) {
	t.Parallel()
	r := twilioPost(twilioTestURL, "secret=value")
	r.Header.Set(twilioSignature, twilioSum("false", "false"))
	require.EqualError(t, newTestTwilio(t).Verify(r, twilioNow), "signature_invalid: mismatch")
}
