package providers

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func mask(t testing.TB, body string) (string, bool) {
	t.Helper()
	v, err := parseObject([]byte(body))
	require.NoError(t, err)
	masked, changed := maskCredentials(v)
	return string(masked), changed
}

func TestMask(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ body, want string }{
		"every name": {
			`{"twilioAuthToken":"s","twilioApiSecret":"s","secret":"s","apiKey":"s","token":"s","password":"s","authorization":"s"}`,
			`{"twilioAuthToken":#,"twilioApiSecret":#,"secret":#,"apiKey":#,"token":#,"password":#,"authorization":#}`,
		},
		"any case":          {`{"SECRET":"s","ApiKey":"s","TwilioAUTHToken":"s","Authorization":"s"}`, `{"SECRET":#,"ApiKey":#,"TwilioAUTHToken":#,"Authorization":#}`},
		"any kind":          {`{"secret":1e400,"token":true,"apiKey":{"a":[1,"}"]},"password":["s",{}],"x":1}`, `{"secret":#,"token":#,"apiKey":#,"password":#,"x":1}`},
		"null is none":      {`{"secret":null}`, `{"secret":null}`},
		"nested":            {`{"a":[[{"b":{"secret":"s"}}],{"token":"s"}]}`, `{"a":[[{"b":{"secret":#}}],{"token":#}]}`},
		"repeated":          {`{"secret":"a","secret":"b"}`, `{"secret":#,"secret":#}`},
		"escaped name":      {`{"s\u0065cret":"a","\u0054oken":"b"}`, `{"s\u0065cret":#,"\u0054oken":#}`},
		"escaped value":     {`{"secret":"a\"b\\","x":"\\"}`, `{"secret":#,"x":"\\"}`},
		"headers of server": {`{"server":{"url":"u","headers":{"X-A":"s","b":["s"]}}}`, `{"server":{"url":"u","headers":{"X-A":#,"b":#}}}`},
		"servers in a list": {`{"server":[{"Headers":{"a":"s"}}]}`, `{"server":[{"Headers":{"a":#}}]}`},
		"headers no object": {`{"Server":{"headers":[{"name":"a","value":"s"}]}}`, `{"Server":{"headers":#}}`},
		"headers elsewhere": {`{"tool":{"headers":{"a":"b"}},"headers":{"a":"b","authorization":"s"}}`, `{"tool":{"headers":{"a":"b"}},"headers":{"a":"b","authorization":#}}`},
		"headers far below": {`{"server":{"a":{"headers":{"a":"b"}}}}`, `{"server":{"a":{"headers":{"a":"b"}}}}`},
		"words and dashes": {
			`{"serverUrlSecret":"s","api_key":"s","x-api-key":"s","X-API-Key":"s","bearerToken":"s","sipPassword":"s","X-Vapi-Secret":"s","webhook_secret":"s"}`,
			`{"serverUrlSecret":#,"api_key":#,"x-api-key":#,"X-API-Key":#,"bearerToken":#,"sipPassword":#,"X-Vapi-Secret":#,"webhook_secret":#}`,
		},
		"other names":        {`{"tokens":1,"secretId":"x","promptTokens":2,"xsecret":"y","":"z"}`, `{"tokens":1,"secretId":"x","promptTokens":2,"xsecret":"y","":"z"}`},
		"names as values":    {`{"name":"secret","value":"token"}`, `{"name":"secret","value":"token"}`},
		"JSON in a string":   {`{"arguments":"{\"secret\":\"s\"}"}`, `{"arguments":"{\"secret\":\"s\"}"}`},
		"other bytes stay":   {" {\t\"n\" : 9007199254740993.10 ,\r\n\"secret\" : \"s\" , \"u\":\"\\u00fc\\/ü<\",\"e\":{ },\"f\":[ ] } \n", " {\t\"n\" : 9007199254740993.10 ,\r\n\"secret\" : # , \"u\":\"\\u00fc\\/ü<\",\"e\":{ },\"f\":[ ] } \n"},
		"not UTF-8 stays":    {"{\"x\":\"\xff\",\"secret\":\"\xfe\"}", "{\"x\":\"\xff\",\"secret\":#}"},
		"masked before":      {`{"secret":"[masked]"}`, `{"secret":"[masked]"}`},
		"secret in a secret": {`{"secret":{"secret":"s"}}`, `{"secret":#}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := strings.ReplaceAll(c.want, "#", maskText)
			got, changed := mask(t, c.body)
			require.Equal(t, want, got)
			require.Equal(t, want != c.body, changed)
			require.True(t, json.Valid([]byte(got)))
		})
	}
}

func TestMask_AtTheDeepestLevel(t *testing.T) {
	t.Parallel()
	open, end := strings.Repeat(`{"a":`, maxDepth-1), strings.Repeat("}", maxDepth-1)
	got, changed := mask(t, open+`{"secret":"s"}`+end)
	require.True(t, changed)
	require.Equal(t, open+`{"secret":`+maskText+`}`+end, got)
	_, err := parseObject([]byte(`{"a":` + open + `{"secret":"s"}` + end + `}`))
	requireNoEvent(t, err)
}

func TestVapiIdentify_Masks(t *testing.T) {
	t.Parallel()
	v := newTestVapi(t)
	body := `{"message":{"type":"hang","timestamp":1,"call":{"id":"c","orgId":"o","token":"s1"},"phoneNumber":{"twilioAuthToken":"s2"}}}`
	r := &Request{Body: []byte(body)}
	e, err := v.Identify(r)
	require.NoError(t, err)
	require.True(t, e.BodyMasked)
	require.NotContains(t, string(e.Body), "s1")
	require.NotContains(t, string(e.Body), "s2")
	require.Equal(t, "c:hang:1", e.EventID)
	require.Equal(t, body, string(r.Body), "the request's bytes stay")

	e, err = v.Identify(&Request{Body: []byte(testVapiBody)})
	require.NoError(t, err)
	require.False(t, e.BodyMasked)
	require.Equal(t, testVapiBody, string(e.Body))
}

var credentialNames = []string{"twilioauthtoken", "twilioapisecret", "secret", "apikey", "token", "password", "authorization"}

func hidden(v any) bool { return v == nil || v == "[masked]" }

// leaks walks a decoded body and reports whether a credential is left, by other means than the masking itself.
func leaks(v any, inServer bool) bool {
	switch v := v.(type) {
	case []any:
		return slices.ContainsFunc(v, func(e any) bool { return leaks(e, inServer) })
	case map[string]any:
		for name, e := range v {
			lower := strings.ToLower(name)
			if len(lower) != len(name) {
				lower = name // the Kelvin sign is no k here
			}
			headers, isMap := e.(map[string]any)
			switch {
			case slices.Contains(credentialNames, lower):
				if !hidden(e) {
					return true
				}
			case inServer && lower == "headers" && isMap:
				for _, h := range headers {
					if !hidden(h) {
						return true
					}
				}
			case leaks(e, lower == "server"):
				return true
			}
		}
	}
	return false
}

func FuzzMask(f *testing.F) {
	f.Add([]byte(`{"a":[{"secret":"s"}],"server":{"headers":{"x":1}}}`))
	f.Add([]byte(`{"s\u0065cret":{"token":null},"TOKEN":[1,2],"password":"\\\""}`))
	f.Add([]byte("{\"x\":\"\xff\\ud800\",\"apiKey\":1e5}"))
	f.Fuzz(func(t *testing.T, body []byte) {
		v, err := parseObject(body)
		if err != nil {
			return // TestJSONGrammar and FuzzJSONGrammar say that this is right
		}
		before := bytes.Clone(body)
		masked, changed := maskCredentials(v)
		require.Equal(t, before, body)
		require.True(t, json.Valid(masked))
		require.Equal(t, changed, !bytes.Equal(masked, body))
		var decoded any
		if json.Unmarshal(masked, &decoded) == nil { // a number such as 1e999 is valid JSON and no float64
			require.False(t, leaks(decoded, false), "%s", masked)
		}
		v, err = parseObject(masked)
		require.NoError(t, err)
		again, changed := maskCredentials(v)
		require.False(t, changed)
		require.Equal(t, masked, again)
	})
}
