package store_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/store"

	"github.com/stretchr/testify/require"
)

// row is what a listing can be narrowed by.
type row struct {
	id, provider, eventType, account string
	status                           event.Status
	received                         time.Time
	message, errorType               string         // of the last error
	payload                          map[string]any // nil before the run has begun
}

var (
	listedProviders = []string{"stripe", "twilio", "vapi"}
	listedTypes     = []string{
		"checkout.session.completed", "checkout.session.expired", "checkoutXsession", "100%", "100%%", "100x", "a_b", "axb", "a__b",
		`back\slash`, `back\\slash`, "backslash", "call.ringing", "call", "", "é", "ééé", "Call.ringing", "a*b", "a?b",
	}
	listedAccounts = []string{"", "acct_1", "acct_%", "acct_x"}
	listedErrors   = []string{"", "", "", "The Receiver answered 500", "100% of it", `a\b`, "über", "a_b"}
)

// ledger fills a store with rows of every kind; several share a time.
func ledger(t *testing.T, n int) (*store.Store, string, []row) {
	t.Helper()
	s, url := testkit.Store(t, store.Options{})
	rows, arrivals := make([]row, n), make([]store.Arrival, n)
	for i := range rows {
		r := row{
			provider: listedProviders[i%3], eventType: listedTypes[i%len(listedTypes)], account: listedAccounts[i/2%4],
			status: event.Statuses[i/3%4], received: noon.Add(time.Duration(i/4) * time.Second),
			message: listedErrors[i%8],
		}
		e := event.Event{Provider: r.provider, Scheme: r.provider, EventID: fmt.Sprintf("evt_%04d", i), Type: r.eventType, Account: r.account, ReceivedAt: r.received}
		e.ID = event.ID(e.Key())
		if r.id = e.ID; i%2 == 0 {
			r.payload = map[string]any{"n": float64(i % 5), "tags": []any{"a", fmt.Sprint(i % 3)}, "deep": map[string]any{"type": r.eventType}}
		}
		rows[i], arrivals[i] = r, store.Arrival{Event: &e}
	}
	slices.SortFunc(arrivals, func(a, b store.Arrival) int { return strings.Compare(a.Key(), b.Key()) })
	_, err := s.InsertEvents(t.Context(), arrivals)
	require.NoError(t, err)
	ids, statuses, payloads, messages := make([]string, n), make([]string, n), make([]*string, n), make([]string, n)
	for i := range rows {
		if rows[i].message != "" {
			rows[i].errorType = []string{"ReceiverFailed", "Other"}[i%2]
		}
		r := rows[i]
		ids[i], statuses[i], messages[i] = r.id, string(r.status), r.message
		if r.payload != nil {
			text, err := json.Marshal(r.payload)
			require.NoError(t, err)
			kept := string(text)
			payloads[i] = &kept
		}
	}
	testkit.Exec(t, url, `UPDATE webhook_events e SET status = d.status::webhook_status, last_error = nullif(d.message, ''),
			last_error_type = CASE WHEN d.message <> '' THEN CASE n % 2 WHEN 1 THEN 'ReceiverFailed' ELSE 'Other' END END
		FROM unnest($1::uuid[], $2::text[], $3::text[]) WITH ORDINALITY AS d (id, status, message, n) WHERE e.id = d.id`, ids, statuses, messages)
	testkit.Exec(t, url, `INSERT INTO webhook_payloads (id, payload) SELECT id, payload::jsonb
		FROM unnest($1::uuid[], $2::text[]) AS d (id, payload) WHERE payload IS NOT NULL`, ids, payloads)
	slices.SortFunc(rows, func(a, b row) int {
		if order := b.received.Compare(a.received); order != 0 {
			return order
		}
		return strings.Compare(b.id, a.id)
	})
	return s, url, rows
}

// expected is List in Go: the ids that the filter leaves, in its order.
func expected(rows []row, f event.Filter) []string {
	var glob *regexp.Regexp
	if f.Type != "" {
		pattern := strings.NewReplacer(`\*`, `(?s:.*)`, `\?`, `(?s:.)`).Replace(regexp.QuoteMeta(f.Type))
		glob = regexp.MustCompile(`^` + pattern + `$`)
	}
	var contained any
	if f.Contains != nil {
		_ = json.Unmarshal(f.Contains, &contained)
	}
	ids := []string{}
	for _, r := range rows {
		if (f.Provider == "" || f.Provider == r.provider) && (glob == nil || glob.MatchString(r.eventType)) &&
			(f.Status == "" || f.Status == r.status) && (f.Account == "" || f.Account == r.account) &&
			(f.Since.IsZero() || !r.received.Before(f.Since)) && (f.Until.IsZero() || r.received.Before(f.Until)) &&
			(f.ErrorType == "" || f.ErrorType == r.errorType) &&
			(f.Error == "" || strings.Contains(strings.ToLower(r.message), strings.ToLower(f.Error))) &&
			(contained == nil || r.payload != nil && contains(r.payload, contained)) {
			ids = append(ids, r.id)
		}
	}
	if f.Oldest {
		slices.Reverse(ids)
	}
	return ids
}

// contains is Postgres's @> for what the rows hold.
func contains(whole, part any) bool {
	switch part := part.(type) {
	case map[string]any:
		object, ok := whole.(map[string]any)
		for name, value := range part {
			ok = ok && object[name] != nil && contains(object[name], value)
		}
		return ok
	case []any:
		list, ok := whole.([]any)
		for _, value := range part {
			ok = ok && slices.ContainsFunc(list, func(item any) bool { return contains(item, value) })
		}
		return ok
	}
	return whole == part
}

// walk reads every page and returns the ids; each page is full but the last.
func walk(t *testing.T, s *store.Store, f event.Filter) []string {
	t.Helper()
	ids := []string{}
	for {
		page, err := s.List(t.Context(), f)
		require.NoError(t, err, "%+v", f)
		for _, r := range page.Events {
			ids = append(ids, r.ID)
		}
		if page.Next == nil {
			require.LessOrEqual(t, len(page.Events), f.Limit)
			return ids
		}
		require.Len(t, page.Events, f.Limit)
		f.After = page.Next
	}
}

// Every filter by itself, at its edges.
func TestList(t *testing.T) {
	t.Parallel()
	s, _, rows := ledger(t, 240)
	second := noon.Add(30 * time.Second)
	for name, f := range map[string]event.Filter{
		"nothing":                   {},
		"a provider":                {Provider: "twilio"},
		"a provider nobody knows":   {Provider: "github"},
		"a status":                  {Status: event.Failed},
		"an account":                {Account: "acct_1"},
		"an account is no pattern":  {Account: "acct_%"},
		"since is included":         {Since: second},
		"until is not":              {Until: second},
		"between":                   {Since: second, Until: second.Add(time.Second)},
		"an empty span":             {Since: second, Until: second},
		"the oldest first":          {Oldest: true},
		"the oldest of a glob":      {Oldest: true, Type: "c*"},
		"the oldest that contain":   {Oldest: true, Contains: json.RawMessage(`{"n":2}`)},
		"an error's type":           {ErrorType: "ReceiverFailed"},
		"a type nobody had":         {ErrorType: "Receiver"},
		"an error":                  {Error: "answered"},
		"an error in another case":  {Error: "RECEIVER ANSWERED"},
		"an error in ü":             {Error: "ü"},
		"an error holds a percent":  {Error: "0%"},
		"a percent is no pattern":   {Error: "T%R"},
		"an error holds _":          {Error: "a_b"},
		"an error holds \\":         {Error: `a\b`},
		"error, type and status":    {Error: "b", ErrorType: "Other", Status: event.Failed},
		"error and glob, oldest":    {Error: "e", Type: "c*", Oldest: true},
		"a type":                    {Type: "call"},
		"a type holds a percent":    {Type: "100%"},
		"a glob":                    {Type: "checkout.session.*"},
		"a glob holds a percent":    {Type: "100%*"},
		"a glob holds _":            {Type: "a_b*"},
		"a glob holds a backslash":  {Type: `back\*`},
		"a backslash and a mark":    {Type: `back\?`},
		"one character":             {Type: "a?b"},
		"one character, two bytes":  {Type: "?"},
		"three of them":             {Type: "???"},
		"everything":                {Type: "*"},
		"begins with a glob":        {Type: "*ringing"},
		"in the middle":             {Type: "c*l*g"},
		"a prefix nobody has":       {Type: "zzz*"},
		"before all others":         {Type: "!*"},
		"containment":               {Contains: json.RawMessage(`{"n":2}`)},
		"containment of an item":    {Contains: json.RawMessage(`{"tags":["1"]}`)},
		"containment, deep":         {Contains: json.RawMessage(`{"deep":{"type":"a_b"}}`)},
		"containment of anything":   {Contains: json.RawMessage(`{}`)},
		"containment of nothing":    {Contains: json.RawMessage(`{"n":99}`)},
		"containment under a glob":  {Contains: json.RawMessage(`{"n":2}`), Type: `*\*`},
		"containment under a type":  {Contains: json.RawMessage(`{"tags":["a"]}`), Type: "100%"},
		"containment and an escape": {Contains: json.RawMessage(`{"tags":["\u0061"]}`), Status: event.Completed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, limit := range []int{7, 200} {
				f.Limit = limit
				require.Equal(t, expected(rows, f), walk(t, s, f))
			}
		})
	}
}

// Filters together, against the model; the seed is in the name of a failure.
func TestList_filtersTogether(t *testing.T) {
	t.Parallel()
	s, _, rows := ledger(t, 240)
	globs := append([]string{"", "*", "a*", "*b", "?__b", `*\\*`, "100%?", "c*.*", "?*"}, listedTypes...)
	found := 0
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 1))
		pick := func(from []string) string { return from[r.IntN(len(from))] }
		f := event.Filter{Limit: 1 + r.IntN(40), Type: pick(globs), Account: pick(listedAccounts)}
		if r.IntN(2) == 0 {
			f.Provider = pick(listedProviders)
		}
		if r.IntN(2) == 0 {
			f.Status = event.Statuses[r.IntN(4)]
		}
		if r.IntN(2) == 0 {
			f.Since = noon.Add(time.Duration(r.IntN(60)) * time.Second)
		}
		if r.IntN(3) == 0 {
			f.Until = noon.Add(time.Duration(r.IntN(60)) * time.Second)
		}
		if r.IntN(3) == 0 {
			f.Contains = json.RawMessage(fmt.Sprintf(`{"n":%d,"tags":["a"]}`, r.IntN(5)))
		}
		f.Oldest = r.IntN(3) == 0
		if r.IntN(4) == 0 {
			f.Error = pick(listedErrors)
		}
		want := expected(rows, f)
		require.Equal(t, want, walk(t, s, f), "seed %d: %+v", seed, f)
		found += len(want)
	}
	require.Greater(t, found, 100, "the filters leave something")
}

// Events go on arriving while somebody turns the pages: what was there at first is seen once each, in order.
func TestList_whileRowsArrive(t *testing.T) {
	t.Parallel()
	for _, glob := range []string{"", "c*"} {
		s, _, rows := ledger(t, 60)
		f := event.Filter{Limit: 7, Type: glob}
		want := expected(rows, f)
		var seen []string
		for n := 0; ; n++ {
			page, err := s.List(t.Context(), f)
			require.NoError(t, err)
			for _, r := range page.Events {
				seen = append(seen, r.ID)
			}
			for i := range 5 { // newer than all, and at the time of the first row
				e := arrive(fmt.Sprintf("evt_new_%d_%d", n, i))
				e.Type, e.ReceivedAt = "call", rows[0].received.Add(time.Duration(i%2)*time.Hour)
				insert(t, s, e)
			}
			if f.After = page.Next; f.After == nil {
				break
			}
		}
		require.Equal(t, want, seen)
	}
}

func TestList_record(t *testing.T) {
	t.Parallel()
	s, _ := testkit.Store(t, store.Options{})
	e := arrive("evt_1")
	insert(t, s, e)
	page, err := s.List(t.Context(), event.Filter{Limit: 1})
	require.NoError(t, err)
	require.Nil(t, page.Next, "a page that is just full is the last")
	live := true
	occurred := noon.Add(-time.Second)
	account := "acct_1"
	require.Equal(t, []event.Record{{
		ID: e.ID, Provider: "stripe", Scheme: "stripe", EventID: "evt_1", EventType: e.Type, Account: &account, Livemode: &live,
		Status: event.Pending, WorkflowID: "stripe:evt_1", OccurredAt: &occurred, ReceivedAt: noon,
	}}, page.Events)
	require.Equal(t, time.UTC, page.Events[0].ReceivedAt.Location())

	page, err = s.List(t.Context(), event.Filter{Limit: 10, Status: "'; DROP TABLE webhook_events; --"})
	require.NoError(t, err)
	require.Len(t, page.Events, 1, "an unknown status is no SQL")
}

// Reconcile walks rows of one moment without losing any between pages.
func TestStaleOpen_walk(t *testing.T) {
	t.Parallel()
	s, url := testkit.Store(t, store.Options{})
	want := map[string]bool{}
	for i := range 10 {
		e := arrive(fmt.Sprintf("evt_%d", i))
		e.ReceivedAt = noon.Add(time.Duration(i/4) * time.Second)
		insert(t, s, e)
		want[e.ID] = true
	}
	testkit.Exec(t, url, `UPDATE webhook_events SET dispatched_at = $1`, noon)
	final, young := arrive("evt_final"), arrive("evt_young")
	insert(t, s, final)
	insert(t, s, young)
	testkit.Exec(t, url, `UPDATE webhook_events SET status = 'completed', dispatched_at = $1 WHERE id = $2`, noon, final.ID)
	testkit.Exec(t, url, `UPDATE webhook_events SET dispatched_at = $1 WHERE id = $2`, noon.Add(time.Hour), young.ID)
	seen, place := map[string]bool{}, store.Place{}
	for {
		rows, err := s.StaleOpen(t.Context(), noon.Add(time.Minute), place, 3)
		require.NoError(t, err)
		for _, r := range rows {
			require.False(t, seen[r.ID], "once")
			seen[r.ID] = true
		}
		if len(rows) < 3 {
			break
		}
		last := rows[len(rows)-1]
		place = store.Place{ReceivedAt: last.ReceivedAt, ID: last.ID}
	}
	require.Equal(t, want, seen)

	_, err := s.FindOpen(t.Context(), final.ID)
	require.ErrorIs(t, err, event.ErrNotFound)
	open, err := s.FindOpen(t.Context(), young.ID)
	require.NoError(t, err)
	require.Equal(t, event.Pending, open.Status)
	require.Empty(t, open.OriginalRunID)
}
