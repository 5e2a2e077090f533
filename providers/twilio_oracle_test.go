package providers

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twilio/twilio-go/client"
	"pgregory.net/rapid"
)

// naiveParams writes parameters as Twilio signs them, without a line of the code under test.
func naiveParams(values map[string]string) string {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(values)) {
		text.WriteString(name + values[name])
	}
	return text.String()
}

// Twilio's own library and this one agree on every form and every JSON body, right or wrong, wherever both are defined:
// no repeated names, no userinfo, fragment, IPv6 literal or apostrophe, a URL that net/url writes back unchanged.
func TestTwilioVerify_AgreesWithTwilioGo(t *testing.T) {
	t.Parallel()
	verdicts := map[bool]int{}
	rapid.Check(t, func(t *rapid.T) {
		token := rapid.StringN(1, 20, -1).Draw(t, "token")
		hosts := []string{"h.example", "h.example:443", "h.example:8443", "h.example:80"}
		address := rapid.SampledFrom([]string{"http://", "https://"}).Draw(t, "scheme") +
			rapid.SampledFrom(hosts).Draw(t, "host") + rapid.StringMatching(`(/[a-z%2F]{0,4}){1,3}(\?[a-z=&+]{0,8})?`).Draw(t, "path")
		parsed, err := url.Parse(address)
		if err != nil || parsed.String() != address {
			t.Skip("net/url would change it")
		}
		values := rapid.MapOf(rapid.StringN(1, 6, -1), rapid.String()).Draw(t, "params")
		var p params
		for name, value := range values {
			p = append(p, name, value)
		}
		r := twilioPost(address, p.form())
		if rapid.Bool().Draw(t, "json") {
			r = twilioPostJSON(address, rapid.String().Draw(t, "body"))
		}
		twilio := &Twilio{tokens: [][]byte{[]byte(token)}}
		twilio.Sign(r, twilioNow)
		damage(t, r)
		theirs := client.NewRequestValidator(token)
		want := theirs.ValidateBody(r.URL, r.Body, r.Header.Get(twilioSignature))
		require.Equal(t, want, twilio.Verify(r, twilioNow) == nil, "%s %q", r.URL, r.Body)
		verdicts[want]++
	})
	require.NotZero(t, verdicts[true])
	require.NotZero(t, verdicts[false])
}

// damage leaves a request as it is, or changes one part of it: the port (which may stay valid), the path, the body, the
// signature.
func damage(t *rapid.T, r *Request) {
	switch rapid.SampledFrom([]string{"none", "port", "path", "body", "signature"}).Draw(t, "damage") {
	case "port":
		from := rapid.SampledFrom([]string{"example:443/", "example:8443/", "example/"}).Draw(t, "from")
		to := rapid.SampledFrom([]string{"example:443/", "example:8443/", "example/"}).Draw(t, "to")
		r.URL = strings.Replace(r.URL, from, to, 1)
	case "path":
		r.URL = strings.Replace(r.URL, "example/", "example/x", 1)
	case "body":
		r.Body = append(r.Body, "x"...)
	case "signature":
		r.Header.Set(twilioSignature, twilioSum("x", string(r.Body)))
	}
}
