package samples_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hookflow/event"
	"hookflow/providers"
	"hookflow/samples"
)

// Every kind says which rule its ids follow, and by which page of its sender.
func TestIdentity_everyKindHasARule(t *testing.T) {
	t.Parallel()
	for _, k := range providers.Kinds() {
		require.NotEmpty(t, k.Identity.Rule, k.Name)
		require.Regexp(t, `^https://`, k.Identity.Docs, k.Name)
		if k.Identity.Rule == providers.IdentityOnce || k.Identity.Rule == providers.IdentityReceived {
			require.NotEmpty(t, k.Identity.Why, "%s: why is there no digest in the id", k.Name)
		}
	}
}

// The sender's own retry has the ids of the first delivery: signed anew at another time, with another count of attempts.
func TestIdentity_retry(t *testing.T) {
	t.Parallel()
	eachSample(t, func(t *testing.T, k *providers.Kind, name string) {
		if k.Identity.Rule == providers.IdentityReceived {
			t.Skip("each delivery is an event")
		}
		before, again := build(t, k, name), build(t, k, name)
		if k.Declaration != nil {
			for _, pointer := range k.Declaration.Attempts {
				before.Body = setLeaf(t, before.Body, strings.TrimPrefix(pointer, "^"), "3")
				again.Body = setLeaf(t, again.Body, strings.TrimPrefix(pointer, "^"), "7")
			}
		}
		first := deliver(t, k, before, now)
		require.Equal(t, ids(first), ids(deliver(t, k, again, now.Add(30*time.Second))))
	})
}

// Where the id is not the sender's own, a delivery that differs in any leaf, of an event or of what stands beside its list,
// is another event.
func TestIdentity_everyLeafCounts(t *testing.T) {
	t.Parallel()
	eachSample(t, func(t *testing.T, k *providers.Kind, name string) {
		if k.Identity.Rule != providers.IdentityComposed && k.Identity.Rule != providers.IdentityDigest {
			t.Skip(k.Identity.Rule)
		}
		r := build(t, k, name)
		first := deliver(t, k, r, now)
		require.NotEmpty(t, first.Events)
		changed := 0
		for _, other := range changes(t, r.Body, event.MediaType(r.Header.Get("Content-Type"))) {
			if attempts(k, other.leaf) {
				continue
			}
			r := build(t, k, name)
			r.Body = other.body
			d, err := read1(t, k, r, now)
			if err != nil {
				continue // refused, so the sender sees it: nothing is taken for a copy
			}
			changed++
			both := slices.Concat(ids(first), ids(d))
			slices.Sort(both)
			require.Greater(t, len(slices.Compact(both)), max(len(first.Events), len(d.Events)), "%s of %s: %s", name, k.Name, other.leaf)
		}
		require.Positive(t, changed)
	})
}

func eachSample(t *testing.T, check func(*testing.T, *providers.Kind, string)) {
	for _, k := range providers.Kinds() {
		for _, name := range samples.ListOf(k) {
			t.Run(k.Name+"/"+name, func(t *testing.T) {
				t.Parallel()
				check(t, k, name)
			})
		}
	}
}

func build(t *testing.T, k *providers.Kind, name string) *providers.Request {
	t.Helper()
	r, err := samples.BuildOf(k, name, samples.Options{Now: now})
	require.NoError(t, err)
	r.URL = "https://hooks.example.com/webhooks/" + k.Name + r.URL
	return r
}

func read1(t *testing.T, k *providers.Kind, r *providers.Request, at time.Time) (providers.Delivery, error) {
	t.Helper()
	s := signer(t, k.Name)
	s.Sign(r, at)
	return providers.Source{Name: k.Name, Provider: s}.Read(r, at)
}

func deliver(t *testing.T, k *providers.Kind, r *providers.Request, at time.Time) providers.Delivery {
	t.Helper()
	d, err := read1(t, k, r, at)
	require.NoError(t, err)
	return d
}

func ids(d providers.Delivery) []string {
	var all []string
	for _, e := range d.Events {
		all = append(all, e.EventID)
	}
	return all
}

// attempts reports whether a leaf counts attempts.
func attempts(k *providers.Kind, leaf string) bool {
	return k.Declaration != nil && slices.ContainsFunc(k.Declaration.Attempts, func(pointer string) bool {
		return strings.HasSuffix(leaf, strings.TrimPrefix(pointer, "^"))
	})
}

// change is a body in which one leaf differs.
type change struct {
	leaf string
	body []byte
}

// changes are bodies that differ from one in one leaf each: a scalar of a JSON text, or a parameter of a form.
func changes(t *testing.T, body []byte, media string) (all []change) {
	t.Helper()
	if media == "application/x-www-form-urlencoded" {
		form, err := url.ParseQuery(string(body))
		require.NoError(t, err)
		names := make([]string, 0, len(form))
		for name := range form {
			names = append(names, name)
		}
		sort.Strings(names)
		for _, name := range names {
			was := form[name]
			if json.Valid([]byte(was[0])) && strings.ContainsAny(was[0][:1], "[{") {
				for _, inside := range changes(t, []byte(was[0]), "application/json") {
					form[name] = []string{string(inside.body)}
					all = append(all, change{name + inside.leaf, []byte(form.Encode())})
				}
			} else {
				form[name] = []string{was[0] + "1"}
				all = append(all, change{name, []byte(form.Encode())})
			}
			form[name] = was
		}
		return all
	}
	for _, pointer := range leaves(t, body) {
		all = append(all, change{pointer, setLeaf(t, body, pointer, "")})
	}
	return all
}

// leaves are the pointers to the scalars of a JSON text.
func leaves(t *testing.T, body []byte) (pointers []string) {
	t.Helper()
	var walk func(v any, at string)
	walk = func(v any, at string) {
		switch v := v.(type) {
		case map[string]any:
			for _, name := range sortedNames(v) {
				walk(v[name], at+"/"+name)
			}
		case []any:
			for i := range v {
				walk(v[i], fmt.Sprintf("%s/%d", at, i))
			}
		default:
			pointers = append(pointers, at)
		}
	}
	walk(decode(t, body), "")
	return pointers
}

func sortedNames(v map[string]any) []string {
	names := make([]string, 0, len(v))
	for name := range v {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func decode(t *testing.T, body []byte) (v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	require.NoError(t, d.Decode(&v), string(body))
	return v
}

// setLeaf writes a JSON value at a pointer, into each element of a list at the root; without a value, one that differs from
// what is there.
func setLeaf(t *testing.T, body []byte, pointer, value string) []byte {
	t.Helper()
	root := decode(t, body)
	tokens := strings.Split(pointer, "/")[1:]
	var set func(v any, tokens []string) any
	set = func(v any, tokens []string) any {
		if len(tokens) == 0 {
			if value != "" {
				return json.Number(value)
			}
			return differing(v)
		}
		switch v := v.(type) {
		case map[string]any:
			v[tokens[0]] = set(v[tokens[0]], tokens[1:])
		case []any:
			for i := range v {
				if value != "" {
					v[i] = set(v[i], tokens)
				} else if fmt.Sprint(i) == tokens[0] {
					v[i] = set(v[i], tokens[1:])
				}
			}
		}
		return v
	}
	text, err := json.Marshal(set(root, tokens))
	require.NoError(t, err)
	return text
}

func differing(v any) any {
	switch v := v.(type) {
	case string:
		return v + "x"
	case json.Number:
		return json.Number("1" + strings.TrimPrefix(v.String(), "-"))
	case bool:
		return !v
	}
	return "x"
}
