package providers

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// declaredVector is an entry of testdata/vectors/declared.json: published by the providers and their libraries, or made
// from their documentation.
type declaredVector struct {
	ID       string            `json:"id"`
	Provider string            `json:"provider"`
	Scheme   string            `json:"scheme"`
	Method   string            `json:"method"`
	URL      string            `json:"url"`
	Headers  map[string]string `json:"headers"`
	Body     string            `json:"body"`
	Now      float64           `json:"now"`
	Expect   string            `json:"expect"`
	Secret   json.RawMessage   `json:"secret_b64"`
}

// kind is the kind that reads the vector. Bitbucket and Atlassian have GitHub's scheme under another header, and of
// GitHub and HubSpot there are weak forms, which allow_weak adds.
func (v *declaredVector) kind() *Kind {
	switch v.Provider {
	case "bitbucket":
		return KindOf("bitbucket")
	case "atlassian":
		return KindOf("jira")
	case "adyen":
		return KindOf("adyen-platform")
	}
	name, _, _ := strings.Cut(v.Scheme, "-v")
	return KindOf(name)
}

// secrets decodes one secret, a list, or the two of Box, of which one may be null.
func (v *declaredVector) secrets(t testing.TB) []string {
	t.Helper()
	var one string
	var list []string
	var two struct{ Primary, Secondary *string }
	switch {
	case json.Unmarshal(v.Secret, &one) == nil:
		list = []string{one}
	case json.Unmarshal(v.Secret, &list) == nil:
	default:
		require.NoError(t, json.Unmarshal(v.Secret, &two))
		for _, s := range []*string{two.Primary, two.Secondary} {
			if s != nil {
				list = append(list, *s)
			}
		}
	}
	for i, coded := range list {
		text, err := base64.StdEncoding.DecodeString(coded)
		require.NoError(t, err)
		list[i] = string(text)
	}
	return list
}

// clock is the vector's, else the signed time: the tolerance is never switched off.
func (v *declaredVector) clock(t testing.TB, p *Declared) time.Time {
	t.Helper()
	if v.Now != 0 {
		return time.UnixMilli(int64(v.Now * 1000))
	}
	for _, verifier := range p.proof.(alternatives) {
		if verifier.present(v.header()) && (verifier.Timestamp.Header != "" || verifier.Timestamp.Element != "") {
			g, err := verifier.read(v.header())
			require.NoError(t, err)
			text := g.timestamp
			if verifier.Timestamp.Header != "" {
				text = v.header().Get(verifier.Timestamp.Header)
			}
			signed, ok := parseTime(text, verifier.Timestamp.Unit)
			require.True(t, ok)
			return signed
		}
	}
	return testNow
}

func (v *declaredVector) header() http.Header {
	h := http.Header{}
	for name, value := range v.Headers {
		h.Set(name, value)
	}
	return h
}

func (v *declaredVector) verify(t testing.TB, weak bool) error {
	t.Helper()
	kind := v.kind()
	require.NotNil(t, kind, v.ID)
	p, err := NewDeclared(kind.Name, *kind.Declaration, Settings{Secrets: v.secrets(t), AllowWeak: weak, MinSecret: 1})
	if err != nil {
		return err // a secret that is refused refuses the request
	}
	r := &Request{Method: v.Method, URL: v.URL, Header: v.header(), Body: []byte(v.Body)}
	return p.Verify(r, v.clock(t, p))
}

func TestDeclared_Vectors(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/vectors/declared.json")
	require.NoError(t, err)
	var vectors []declaredVector
	require.NoError(t, json.Unmarshal(text, &vectors))
	for _, v := range vectors {
		t.Run(v.ID, func(t *testing.T) {
			t.Parallel()
			err := v.verify(t, true)
			if v.Expect == "valid" {
				require.NoError(t, err)
			} else {
				require.Error(t, err)
			}
			if v.ID == "github-go-sha1" || v.Scheme == "hubspot-v2" {
				requireRefused(t, ReasonMissing, v.verify(t, false))
			} else if v.Expect == "valid" {
				require.NoError(t, v.verify(t, false), "it does not need allow_weak")
			}
		})
	}
}

// The vector of Zoom's handshake is its answer.
func TestDeclared_ZoomHandshake(t *testing.T) {
	t.Parallel()
	p, err := NewDeclared("zoom", *KindOf("zoom").Declaration, Settings{Secrets: []string{"local_zoom_secret"}})
	require.NoError(t, err)
	d, err := Source{Name: "zoom", Provider: p}.Read(signedBy(p, `{"payload":{"plainToken":"abc"},"event_ts":1767225600000,"event":"endpoint.url_validation"}`), testNow)
	require.NoError(t, err)
	require.JSONEq(t, `{"plainToken": "abc", "encryptedToken": "c6ff5659c500ca454a5c6645a35a30daf4cdb3780ebc1aef288e8778fde70e01"}`, string(d.Greeting.Body))
}
