package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"hookflow/event"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestFilters(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]event.Filter{
		"":                                    {},
		"provider=acme":                       {Provider: "acme"},
		"provider=gone-since_2":               {Provider: "gone-since_2"},
		"type=checkout.*":                     {Type: "checkout.*"},
		"status=failed":                       {Status: event.Failed},
		"error_type=ReceiverFailed":           {ErrorType: "ReceiverFailed"},
		"error=100%25_%5C":                    {Error: `100%_\`},
		"order=oldest":                        {Oldest: true},
		"order=newest":                        {},
		"order=asc":                           {Oldest: true},
		"order=desc":                          {},
		"account=acct_1":                      {Account: "acct_1"},
		"limit=1":                             {Limit: 1},
		"limit=200":                           {Limit: 200},
		"since=2h":                            {Since: noon.Add(-2 * time.Hour)},
		"since=7d&until=1d":                   {Since: noon.AddDate(0, 0, -7), Until: noon.AddDate(0, 0, -1)},
		"until=2026-03-01T13:00:00%2B02:00":   {Until: noon.Add(-time.Hour)},
		"since=2026-03-01T11:00:00.5Z":        {Since: noon.Add(-time.Hour + time.Second/2)},
		"since=0s":                            {Since: noon},
		`q=%7B%22a%22%3A%7B%22b%22%3A1%7D%7D`: {Contains: json.RawMessage(`{"a":{"b":1}}`)},
		"q=12345678901234567890":              {Contains: json.RawMessage(`12345678901234567890`)},
		`q=%22%5Cud800%22`:                    {Contains: json.RawMessage("\"\uFFFD\"")}, // half a surrogate pair
		"q=null":                              {Contains: json.RawMessage(`null`)},
	} {
		if want.Limit == 0 {
			want.Limit = 50
		}
		got, err := parseFilter(query, noon)
		require.NoError(t, err, query)
		require.Equal(t, want, got, query)
	}
}

func TestFiltersRefused(t *testing.T) {
	t.Parallel()
	for query, says := range map[string]string{
		"colour=red":                             "account, cursor, error, error_type, limit, note, order, provider, q, since, status, type, until",
		"Provider=acme":                          `no parameter "Provider"`,
		"provider=a&provider=b":                  "provider is given more than once",
		"provider=":                              "not a provider's name",
		"provider=a%20b":                         "not a provider's name",
		"provider=" + repeat("a", 65):            "not a provider's name",
		"status=done":                            "pending processing completed failed",
		"status=":                                "is none of",
		"order=random":                           "order is neither newest (or desc) nor oldest (or asc)",
		"error=":                                 "error is empty",
		"error_type=a%00":                        "control character",
		"type=":                                  "type is empty",
		"type=a%00":                              "control character",
		"account=%ff":                            "not UTF-8",
		"limit=0":                                "1 to 200",
		"limit=201":                              "1 to 200",
		"limit=ten":                              "1 to 200",
		"limit=99999999999999999999":             "1 to 200",
		"since=yesterday":                        "RFC 3339",
		"since=-2h":                              "RFC 3339",
		"since=-1d":                              "RFC 3339",
		"since=99999d":                           "RFC 3339",
		"since=2026-03-01":                       "RFC 3339",
		"since=1h&until=2h":                      "since lies after until",
		"q=":                                     "not JSON",
		"q=%7B":                                  "not JSON",
		"q=1%202":                                "not JSON",
		"q=%22%5Cu0000%22":                       "NUL",
		"q=%7B%22a%5Cu0000%22:1%7D":              "NUL",
		"q=%5B1,%7B%22a%22:%22%5Cu0000%22%7D%5D": "NUL",
		"q=1e400000":                             "out of range",
		"q=%5B1e-20000%5D":                       "out of range",
		"q=1" + repeat("0", 500):                 "out of range",
		"q=" + repeat("%5B", 100) + repeat("%5D", 100):               "too deeply",
		"q=" + repeat("%7B%22a%22:", 100) + "1" + repeat("%7D", 100): "too deeply",
		"cursor=":         "next_cursor",
		"cursor=AAAA":     "next_cursor",
		"cursor=%2F%2F==": "next_cursor",
		"a=%zz":           "percent",
		"limit=1;limit=2": "percent",
	} {
		_, err := parseFilter(query, noon)
		require.Error(t, err, query)
		p := problemOf(err)
		require.Equal(t, http.StatusBadRequest, p.Status)
		require.Equal(t, "query_invalid", p.Code)
		require.Contains(t, p.Detail, says, query)
	}
}

func repeat(s string, n int) string { return strings.Repeat(s, n) }

func TestBadFilterIsA400(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	w := ask(d, "GET", "/v1/events?limit=0")
	requireProblem(t, w.Result(), w.Body.Bytes(), 400, "query_invalid")
	require.Zero(t, d.ledger.filter)
	require.Empty(t, d.logged())
}

func TestCursorsComeBackWhole(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		at := time.UnixMicro(rapid.Int64Range(0, 4e15).Draw(t, "micros")).UTC()
		c := &event.Cursor{ReceivedAt: at, ID: event.ID(rapid.String().Draw(t, "key"))}
		text := *writeCursor(c)
		require.Equal(t, c, readCursor(text))

		i := rapid.IntRange(0, len(text)-1).Draw(t, "place")
		b := rapid.Byte().Filter(func(b byte) bool { return b != text[i] }).Draw(t, "byte")
		require.Nil(t, readCursor(text[:i]+string(b)+text[i+1:]), "one letter changed")
		require.Nil(t, readCursor(text[:i]))
	})
	require.Nil(t, writeCursor(nil))
	impossible := &event.Cursor{ReceivedAt: time.UnixMicro(-1 << 62), ID: event.ID("")}
	require.Nil(t, readCursor(*writeCursor(impossible)), "a time that Postgres does not have")
}

func TestAnyQueryIsReadOrRefused(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		_, err := parseFilter(rapid.String().Draw(t, "query"), noon)
		if err != nil {
			require.Equal(t, http.StatusBadRequest, problemOf(err).Status)
		}
	})
}

func FuzzContainment(f *testing.F) {
	for _, seed := range []string{`{"a":[1,"b",null,true]}`, `"\u0000"`, `1e999`, `[[[[`, "\"\\ud800\""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text, why := containment(s)
		if why == "" {
			require.True(t, json.Valid(text))
			again, why := containment(string(text))
			require.Empty(t, why, "what was let through is let through again")
			require.Equal(t, text, again)
		}
	})
}
