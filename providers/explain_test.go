package providers

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The reason of a refusal is found by asking the verifier, whichever it is.
func TestExplain(t *testing.T) {
	t.Parallel()
	const body = `{"id":"evt_1","type":"t","note":"é</a>","x":1}`
	type capture = func(r *Request)
	for name, c := range map[string]struct {
		kind   string
		change capture
		now    time.Duration
		want   string
		hint   string
	}{
		"right":                  {kind: "github", change: func(*Request) {}},
		"right, Stripe":          {kind: "stripe", change: func(*Request) {}},
		"header missing":         {kind: "github", change: func(r *Request) { r.Header.Del("X-Hub-Signature-256") }, want: "the header X-Hub-Signature-256 is missing or empty"},
		"time header missing":    {kind: "slack", change: func(r *Request) { r.Header.Del("X-Slack-Request-Timestamp") }, want: "the header X-Slack-Request-Timestamp is missing"},
		"header twice":           {kind: "github", change: func(r *Request) { r.Header["X-Hub-Signature-256"] = []string{"a", "b"} }, want: "came twice"},
		"another form":           {kind: "github", change: func(r *Request) { r.Header.Set("X-Hub-Signature-256", "x") }, want: "cannot be read"},
		"a trailing new line":    {kind: "github", change: func(r *Request) { r.Body = append(r.Body, '\n') }, want: "a new line was added at its end"},
		"indented":               {kind: "github", change: func(r *Request) { r.Body = indented("  ")(r.Body) }, want: "encoded again: white space was added"},
		"escaped":                {kind: "github", change: func(r *Request) { r.Body = []byte(strings.Replace(string(r.Body), "</", `\u003c/`, 1)) }, want: `became \u003c`},
		"another body":           {kind: "github", change: func(r *Request) { r.Body = []byte("{}") }, want: "no current secret gives this signature"},
		"late":                   {kind: "stripe", change: func(*Request) {}, now: 7*time.Minute + 12*time.Second, want: "2026-01-01T00:00:00Z is 7m12s old, and 5m0s is allowed", hint: "at that time the signature was right"},
		"late and changed":       {kind: "zoom", change: func(r *Request) { r.Body = append(r.Body, '\n') }, now: time.Hour, want: "is 1h0m0s old", hint: "a new line was added"},
		"early":                  {kind: "slack", change: func(*Request) {}, now: -10 * time.Minute, want: "lies 10m0s ahead", hint: "the clock of this server"},
		"milliseconds":           {kind: "workos", change: func(*Request) {}, now: 4 * time.Minute, want: "is 4m0s old, and 3m0s is allowed"},
		"a retry too late":       {kind: "linear", change: func(*Request) {}, now: 9 * time.Hour, want: "2026-01-01T00:00:00Z is 9h0m0s old, and 8h0m0s is allowed", hint: "at that time the signature was right"},
		"a retry too early":      {kind: "linear", change: func(*Request) {}, now: -6 * time.Minute, want: "2026-01-01T00:00:00Z lies 6m0s ahead, and 5m0s is allowed"},
		"late, a repeating one":  {kind: "mailgun", change: func(*Request) {}, now: 9 * time.Hour, want: "2026-01-01T00:00:00Z is 9h0m0s old, and 8h10m0s is allowed"},
		"another URL":            {kind: "square", change: func(r *Request) { r.URL = strings.Replace(r.URL, "https", "http", 1) }, want: "another URL was signed: https://"},
		"a slash behind the URL": {kind: "twilio", change: func(r *Request) { r.URL += "/" }, want: "another URL was signed: https://"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kind := KindOf(c.kind)
			source, err := kind.New(c.kind, Settings{Secrets: []string{caseSecret(t, kind, 1)}})
			require.NoError(t, err)
			text := body
			r := &Request{Method: "POST", URL: "https://hooks.example.com/webhooks/x", Body: []byte(text)}
			setHeader(r, "Content-Type", jsonType)
			if c.kind == "twilio" {
				r.Header.Set("Content-Type", formType)
				r.Body = []byte("AccountSid=AC0123456789abcdef0123456789abcdef&CallSid=CA0123456789abcdef0123456789abcdef")
			}
			if c.kind == "linear" { // whose time stands in the body
				r.Body = []byte(`{"webhookTimestamp":1767225600000}`)
			}
			source.Provider.(Signer).Sign(r, testNow)
			signature := r.Header.Clone()
			c.change(r)
			d := source.Explain(r, testNow.Add(c.now))
			if c.want == "" {
				require.Empty(t, d.Problem)
				require.Len(t, d.Delivery.Events, 1)
				return
			}
			require.Contains(t, d.Problem, c.want)
			require.Contains(t, strings.Join(d.Hints, "\n"), c.hint)
			said := d.Problem + strings.Join(d.Hints, " ")
			for _, values := range signature {
				if len(values[0]) > 40 {
					require.NotContains(t, said, values[0][len(values[0])-32:], "no signature")
				}
			}
			require.NotContains(t, said, caseSecret(t, kind, 1))
		})
	}
}
