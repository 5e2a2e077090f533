package event_test

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
	"testing"

	"hookflow/event"

	"github.com/stretchr/testify/require"
)

// The id of an event is written into rows, idempotency keys of receivers and links: it must never change. The vector was
// made with sha256sum: the first 16 bytes of the digest, version and variant set.
func TestID(t *testing.T) {
	t.Parallel()
	require.Equal(t, "086cb4b9-c326-816d-9ad5-9cdb4bb87d10", event.ID("stripe:evt_1"))
	uuid8 := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[string]string{}
	for _, key := range []string{"", ":", "stripe:evt_1", "stripe:evt_2", "twilio:evt_1", "stripe:" + strings.Repeat("x", 5_000), "stripe:\xff"} {
		id := event.ID(key)
		require.Regexp(t, uuid8, id, "RFC 9562 section 5.8")
		require.Equal(t, id, event.ID(key))
		require.NotContains(t, seen, id)
		seen[id] = key

		sum := sha256.Sum256([]byte(key))
		digest, plain := hex.EncodeToString(sum[:16]), strings.ReplaceAll(id, "-", "")
		for i := range digest {
			if i != 12 && i != 16 { // version, variant
				require.Equal(t, digest[i], plain[i], "the rest is the digest")
			}
		}
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	e := event.Event{Provider: "vapi", EventID: "c1:status-update:ended", Step: "record"}
	require.Equal(t, "vapi:c1:status-update:ended", e.Key())
	require.Equal(t, e.Key(), e.WorkflowID())
	require.Equal(t, "vapi:c1:status-update:ended/record", e.IdempotencyKey())
	e.Epoch = 2
	require.Equal(t, "vapi:c1:status-update:ended/record/2", e.IdempotencyKey())
}

// A reference names the event and holds nothing of what was sent.
func TestRef(t *testing.T) {
	t.Parallel()
	live := true
	e := event.Event{
		ID: "id", Provider: "p", Scheme: "s", EventID: "e", Type: "t", Account: "a", Livemode: &live, Headers: map[string]string{"X": "y"},
		ContentType: "c", Body: []byte("b"), BodyMasked: true, Chatty: true, Generation: 3, Step: "step", Epoch: 1,
	}
	require.Equal(t, event.Event{ID: "id", Provider: "p", Scheme: "s", EventID: "e", Type: "t", Generation: 3}, e.Ref())
}

func TestWorkflowID(t *testing.T) {
	t.Parallel()
	hashed := func(id string) string {
		sum := sha256.Sum256([]byte(id))
		return "p:sha256-" + hex.EncodeToString(sum[:])
	}
	for name, c := range map[string]struct{ id, want string }{
		"plain":            {"evt_1", "p:evt_1"},
		"colons":           {"a:b:c", "p:a:b:c"},
		"200 bytes":        {strings.Repeat("x", 200), "p:" + strings.Repeat("x", 200)},
		"201 bytes":        {strings.Repeat("x", 201), hashed(strings.Repeat("x", 201))},
		"space and tilde":  {" ~", "p: ~"},
		"not ASCII":        {"é", hashed("é")},
		"200 bytes of é":   {strings.Repeat("é", 100), hashed(strings.Repeat("é", 100))},
		"NUL":              {"a\x00", hashed("a\x00")},
		"a tab":            {"a\tb", hashed("a\tb")},
		"the last control": {"\x1f", hashed("\x1f")},
		"DEL":              {"\x7f", hashed("\x7f")},
		"not UTF-8":        {"\xff", hashed("\xff")},
		"empty":            {"", "p:"},
		"a hash as it is":  {"sha256-00", hashed("sha256-00")},
	} {
		require.Equal(t, c.want, event.WorkflowID("p", c.id), name)
	}
	require.LessOrEqual(t, len(event.WorkflowID(strings.Repeat("p", 54), strings.Repeat("x", 200))), 255, "the stock compose limit")
}

func TestCheckID(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"evt_1": "", " ": "", "é": "", "日本": "", "\u00a0": "", "\ufffd": "", "\U0010ffff": "",
		strings.Repeat("x", 1024):       "",
		strings.Repeat("é", 512):        "",
		"":                              "is empty",
		strings.Repeat("x", 1025):       "is longer than 1024 bytes",
		strings.Repeat("é", 513):        "is longer than 1024 bytes",
		"\xff":                          "is not UTF-8",
		"\xed\xa0\x80":                  "is not UTF-8", // half of a surrogate pair
		"a\x00":                         "holds a control character",
		"\x1b[31m":                      "holds a control character",
		"a\nb":                          "holds a control character",
		"\x7f":                          "holds a control character",
		"\u0080":                        "holds a control character",
		"\u009f":                        "holds a control character",
		"\xff" + strings.Repeat("x", 9): "is not UTF-8",
	} {
		require.Equal(t, want, event.CheckID(id), "%q", id)
	}
}

func TestStatusFinal(t *testing.T) {
	t.Parallel()
	final := map[event.Status]bool{event.Pending: false, event.Processing: false, event.Completed: true, event.Failed: true}
	require.Len(t, event.Statuses, len(final))
	for _, s := range event.Statuses {
		require.Equal(t, final[s], s.Final(), s)
	}
}

func FuzzWorkflowID(f *testing.F) {
	for _, id := range []string{"evt_1", "é", "a\x00", strings.Repeat("x", 201), ""} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		got := event.WorkflowID("p", id)
		require.LessOrEqual(t, len(got), 2+200)
		require.Regexp(t, `^p:[ -~]*$`, got, "printable ASCII only")
		require.Equal(t, got, event.WorkflowID("p", id))
	})
}
