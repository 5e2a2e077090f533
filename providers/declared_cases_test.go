package providers

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// caseBody holds what the schemes read of a body: Linear signs its time there.
var caseBody = `{"id":"evt-1","type":"thing.made","note":"<é\/>","webhookTimestamp":` + strconv.FormatInt(testNow.UnixMilli(), 10) + `}`

// caseSecret returns secret n of a kind, in the form that the sender issues.
func caseSecret(t testing.TB, k *Kind, n byte) string {
	t.Helper()
	secret, err := k.MakeSecret(repeating(n))
	require.NoError(t, err)
	return secret
}

// repeating is a source of randomness that has only one byte.
type repeating byte

func (r repeating) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(r)
	}
	return len(p), nil
}

func declaredOf(t testing.TB, k *Kind, secrets ...string) *Declared {
	t.Helper()
	source, err := k.New("x", Settings{Secrets: secrets})
	require.NoError(t, err, k.Name)
	return source.Provider.(*Declared)
}

// eachDeclared runs a test for each kind that is data.
func eachDeclared(t *testing.T, test func(t *testing.T, k *Kind)) {
	for _, k := range Kinds() {
		if k.Declaration != nil {
			t.Run(k.Name, func(t *testing.T) {
				t.Parallel()
				test(t, k)
			})
		}
	}
}

// digestOf finds the digest in a signed request, and the header that holds it.
func digestOf(t testing.TB, p *Declared, r *Request) (name, digest string) {
	t.Helper()
	if token, ok := p.proof.(*token); ok {
		return token.header, strings.TrimPrefix(r.Header.Get(token.header), token.prefix)
	}
	v := p.proof.(alternatives).of(r.Header)
	name = v.Headers[0]
	header := r.Header.Get(name)
	text := signedText{r: r, id: r.Header.Get(v.IDHeader), timestamp: r.Header.Get(v.Timestamp.Header)}
	if v.Timestamp.Element != "" {
		text.timestamp = formatTime(testNow, v.Timestamp.Unit)
	}
	if v.SignedHeaders != "" {
		text.names = "content-type"
	}
	sum := v.sum(v.keys[0], text)
	digest = hex.EncodeToString(sum)
	if v.Encoding == encodingBase64 {
		digest = base64.StdEncoding.EncodeToString(sum)
	}
	require.Contains(t, header, digest)
	return name, digest
}

// The cases that every receiver must stand, for each provider that is data.
func TestDeclared_Cases(t *testing.T) {
	t.Parallel()
	eachDeclared(t, func(t *testing.T, k *Kind) {
		p := declaredOf(t, k, caseSecret(t, k, 2), caseSecret(t, k, 1))
		golden := signedBy(declaredOf(t, k, caseSecret(t, k, 1)), caseBody)
		require.NoError(t, p.Verify(golden, testNow), "the second of two secrets")
		name, digest := digestOf(t, declaredOf(t, k, caseSecret(t, k, 1)), golden)
		header := golden.Header.Get(name)
		with := func(values ...string) error {
			r := *golden
			r.Header = golden.Header.Clone()
			r.Header[name] = values
			return p.Verify(&r, testNow)
		}
		requireRefused(t, ReasonMissing, with(""))
		requireRefused(t, ReasonMissing, with())
		requireRefused(t, ReasonRepeated, with(header, strings.Replace(header, digest, digest[1:]+"0", 1)))
		requireRefused(t, ReasonRepeated, with(header, header))
		requireRefused(t, ReasonMalformed, with(header+strings.Repeat("0", maxSignatureHeader)))
		for i := range digest {
			for _, bit := range []byte{0x01, 0x04} {
				changed := []byte(digest)
				changed[i] ^= bit
				require.Error(t, with(strings.Replace(header, digest, string(changed), 1)), "digest byte %d", i)
			}
		}
		for what, changed := range map[string]string{
			"truncated": digest[:len(digest)-1], "over-long": digest + "0", "doubled": digest + digest, "empty": "",
			"spaces inside": digest[:8] + " " + digest[8:], "a line end": digest[:8] + "\n" + digest[8:],
		} {
			require.Error(t, with(strings.Replace(header, digest, changed, 1)), what)
		}
		other := *golden
		other.Header = golden.Header.Clone()
		require.Error(t, declaredOf(t, k, caseSecret(t, k, 3)).Verify(&other, testNow), "another secret")
	})
}

// The cases of those that sign their bodies.
func TestDeclared_SignedCases(t *testing.T) {
	t.Parallel()
	eachDeclared(t, func(t *testing.T, k *Kind) {
		p := declaredOf(t, k, caseSecret(t, k, 1))
		all, ok := p.proof.(alternatives)
		if !ok {
			t.Skip("a token proves nothing about the body")
		}
		v := all[0]
		golden := signedBy(p, caseBody)
		name, digest := digestOf(t, p, golden)
		header := golden.Header.Get(name)
		for what, body := range map[string]string{
			"empty": "", "cut": caseBody[:len(caseBody)-1], "a new line behind it": caseBody + "\n", "a bit": "[" + caseBody[1:],
			"encoded again": strings.Replace(caseBody, `\/`, `/`, 1),
		} {
			r := *golden
			r.Body = []byte(body)
			require.Error(t, p.Verify(&r, testNow), what)
		}
		with := func(value string) error {
			r := *golden
			r.Header = golden.Header.Clone()
			r.Header.Set(name, value)
			return p.Verify(&r, testNow)
		}
		raw, err := hex.DecodeString(digest)
		recoded := base64.StdEncoding.EncodeToString(raw)
		if v.Encoding == encodingBase64 {
			raw, err = base64.StdEncoding.DecodeString(digest)
			recoded = hex.EncodeToString(raw)
		} else {
			require.NoError(t, with(strings.Replace(header, digest, strings.ToUpper(digest), 1)), "upper-case hex")
		}
		require.NoError(t, err)
		requireRefused(t, ReasonMalformed, with(strings.Replace(header, digest, recoded, 1)))
		if v.Element != elementWhole {
			version := v.Versions[0] + v.Element[len(v.Element)-len("=value"):][:1]
			requireRefused(t, ReasonMalformed, with(strings.Replace(header, version+digest, "v9"+version[len(version)-1:]+digest, 1)))
			require.NoError(t, with("x"+v.Separator+header), "beside what is not known")
			requireRefused(t, ReasonMalformed, with(strings.Repeat("x"+v.Separator, maxSignatures)+header))
		}
		if v.Prefix != "" {
			requireRefused(t, ReasonMalformed, with(strings.TrimPrefix(header, v.Prefix)))
		}
		if v.Timestamp.present() {
			requireWindow(t, p, golden, v.Timestamp)
		} else {
			require.NoError(t, p.Verify(golden, testNow.Add(1000*time.Hour)), "no time is signed")
		}
	})
}

// requireWindow asserts the window of a signed time, which the request holds in whole seconds or better.
func requireWindow(t *testing.T, p *Declared, r *Request, allowed Timestamp) {
	t.Helper()
	require.NoError(t, p.Verify(r, testNow.Add(allowed.Past)))
	require.NoError(t, p.Verify(r, testNow.Add(-allowed.Tolerance)))
	requireRefused(t, ReasonStale, p.Verify(r, testNow.Add(allowed.Past+time.Second)))
	requireRefused(t, ReasonFuture, p.Verify(r, testNow.Add(-allowed.Tolerance-time.Millisecond)))
}

// Signed headers count: none can be changed, dropped or doubled.
func TestDeclared_SignedHeaders(t *testing.T) {
	t.Parallel()
	eachDeclared(t, func(t *testing.T, k *Kind) {
		p := declaredOf(t, k, caseSecret(t, k, 1))
		all, ok := p.proof.(alternatives)
		if !ok {
			t.Skip("a token signs no header")
		}
		names := []string{all[0].IDHeader, all[0].Timestamp.Header}
		for required := range all[0].Require {
			names = append(names, http.CanonicalHeaderKey(required))
		}
		golden := signedBy(p, caseBody)
		for _, name := range names {
			if name == "" {
				continue
			}
			value := golden.Header.Get(name)
			for what, values := range map[string][]string{
				"dropped": nil, "empty": {""}, "doubled": {value, value}, "longer": {value + "0"}, "other": {"1" + value},
			} {
				r := *golden
				r.Header = golden.Header.Clone()
				r.Header[name] = values
				require.Error(t, p.Verify(&r, testNow), "%s %s", name, what)
			}
		}
	})
}

func TestDeclared_SecretsAtLoad(t *testing.T) {
	t.Parallel()
	eachDeclared(t, func(t *testing.T, k *Kind) {
		good := caseSecret(t, k, 1)
		for _, secrets := range [][]string{nil, {""}, {good, ""}, {" "}, {good + " "}, {good, good, good, good, good, good}} {
			_, err := k.New("x", Settings{Secrets: secrets})
			require.Error(t, err, "%q", secrets)
		}
		_, err := k.New("x", Settings{Secrets: []string{good[:12]}})
		require.Error(t, err)
		require.NotContains(t, err.Error(), good[:12])
		_, err = k.New("x", Settings{Secrets: []string{good[:12]}, MinSecret: 1})
		if err != nil { // a base64 text that was cut
			require.Equal(t, encodingBase64, k.Declaration.Signatures[0].SecretEncoding)
		}
	})
}

// A retry is signed anew, and is the same event.
func TestDeclared_RetryIsTheSameEvent(t *testing.T) {
	t.Parallel()
	eachDeclared(t, func(t *testing.T, k *Kind) {
		if k.Name == "dropbox" {
			t.Skip("each request is an event of its own: see its note")
		}
		if len(k.Declaration.Signatures) > 0 && k.Declaration.Signatures[0].Timestamp.Body != "" {
			t.Skip("its time stands in the body")
		}
		p := declaredOf(t, k, caseSecret(t, k, 1))
		first := signedBy(p, caseBody)
		retry := &Request{Method: first.Method, URL: first.URL, Header: first.Header.Clone(), Body: first.Body}
		later := testNow.Add(time.Hour)
		p.Sign(retry, later)
		a, err := readOne(Source{Name: "x", Provider: p}, first, testNow)
		require.NoError(t, err)
		b, err := readOne(Source{Name: "x", Provider: p}, retry, later)
		require.NoError(t, err)
		require.Equal(t, a.Key(), b.Key())
		require.Equal(t, k.Name, a.Scheme)
	})
}

// Nothing that a body may hold makes reading panic or an id unsafe.
func TestDeclared_NoObject(t *testing.T) {
	t.Parallel()
	eachDeclared(t, func(t *testing.T, k *Kind) {
		p := declaredOf(t, k, caseSecret(t, k, 1))
		for what, body := range noObjects {
			r := signedBy(p, body)
			r.Header.Set("Content-Type", jsonType)
			d, err := Source{Name: "x", Provider: p}.Read(r, testNow)
			if len(k.Declaration.Batch) > 0 && what == "array" && err == nil {
				require.True(t, d.Batch || len(d.Events) == 1)
				continue
			}
			require.Error(t, err, what)
		}
	})
}

func FuzzDeclared(f *testing.F) {
	var all []*Declared
	for _, k := range Kinds() {
		if k.Declaration == nil {
			continue
		}
		p := declaredOf(f, k, caseSecret(f, k, 1))
		r := signedBy(p, caseBody)
		name, _ := digestOf(f, p, r)
		f.Add(len(all), r.Header.Get(name), jsonType, "evt-1", []byte(caseBody))
		all = append(all, p)
	}
	f.Add(0, "t=1,v1=00", formType, "\xff", []byte(`payload={"a":[1]}&b=%zz`))
	f.Add(1, "sha256=", jsonType, "", []byte(`{"events":[{"id":1},{"id":"\ud800"},[],null],"entry":[{"changes":[{}]}],"data":{"events":[1]}}`))
	f.Fuzz(func(t *testing.T, n int, signature, contentType, id string, body []byte) {
		p := all[uint(n)%uint(len(all))]
		r := &Request{Method: http.MethodPost, URL: "https://h.example/x?a=%zz", Header: http.Header{"Content-Type": {contentType}}, Body: body}
		for _, name := range p.traits.Headers {
			r.Header[name] = []string{id}
		}
		if v, ok := p.proof.(alternatives); ok {
			r.Header[v[0].Headers[0]] = []string{signature}
		}
		if _, signs := p.proof.(alternatives); signs && p.Verify(r, testNow) == nil {
			other := *r
			other.Body = append(slices.Clone(body), ' ')
			require.Error(t, p.Verify(&other, testNow), "what is signed for one body is not for another")
		}
		p.Sign(r, testNow)
		_, _ = p.Probe(r)
		d, err := Source{Name: "x", Provider: p}.Read(r, testNow)
		if err != nil {
			return
		}
		for _, e := range d.Events {
			require.Empty(t, checkIdentity(&e))
			require.NotEmpty(t, e.ID)
		}
		again, err := Source{Name: "x", Provider: p}.Read(r, testNow)
		require.NoError(t, err)
		require.Equal(t, d, again)
	})
}
