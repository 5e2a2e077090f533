package activities_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"hookflow/event"
	"hookflow/routing"

	"github.com/stretchr/testify/require"
)

const formType = "application/x-www-form-urlencoded"

// Begin keeps whatever came: as JSON where jsonb can hold it, else as a body only. No payload stops a run.
func TestBegin_payload(t *testing.T) {
	t.Parallel()
	r := enter(t)
	deep := strings.Repeat(`[`, 20_000) + strings.Repeat(`]`, 20_000)
	for i, c := range []struct {
		name, contentType, body string
		want                    string // "" for none
	}{
		{"JSON as it is", jsonType, `{"a":1,"b":[true,null,"é"],"c":{"d":1.50}}`, `{"a":1,"b":[true,null,"é"],"c":{"d":1.50}}`},
		{"JSON with parameters in the media type", "application/json; charset=utf-8", `[1]`, `[1]`},
		{"a number beyond 2^53", jsonType, `{"n":9007199254740993}`, `{"n":9007199254740993}`},
		{"a number with many digits, beside an escape", jsonType, `{"n":12345678901234567890.123,"s":"\u0041"}`,
			`{"n":12345678901234567890.123,"s":"A"}`},
		{"NUL in a string", jsonType, `{"a":"x\u0000y","b":["\u0000"]}`, `{"a":"x\ufffdy","b":["\ufffd"]}`},
		{"NUL in a key", jsonType, `{"x\u0000y":{"\u0000":1}}`, `{"x\ufffdy":{"\ufffd":1}}`},
		{"a NUL beside the name without it", jsonType, `{"tier":"silver","tier\u0000":"gold"}`, `{"tier":"silver","tier\ufffd":"gold"}`},
		{"names that are cleaned alike", jsonType, `{"a\u0000":1,"a\ufffd":2}`, `{"a\ufffd":2,"a\ufffd\ufffd":1}`},
		{"an escaped backslash is no escape", jsonType, `{"a":"\\u0000"}`, `{"a":"\\u0000"}`},
		{"a lone high surrogate", jsonType, `{"a":"\ud800"}`, `{"a":"\ufffd"}`},
		{"a lone low surrogate in a key", jsonType, `{"\udc00":1}`, `{"\ufffd":1}`},
		{"a pair of surrogates", jsonType, `{"a":"\ud83d\ude00"}`, `{"a":"😀"}`},
		{"invalid UTF-8", jsonType, "{\"a\":\"\xff\xfe\"}", `{"a":"\ufffd"}`},
		{"a number beyond jsonb", jsonType, `{"n":1e400000}`, ""},
		{"nested 20,000 deep", jsonType, deep, ""},
		{"not JSON at all", jsonType, `hello`, ""},
		{"JSON and more", jsonType, `{"a":1} {"b":2}`, ""},
		{"JSON and a bracket", jsonType, `{"a":1}]`, ""},
		{"JSON with an escape, and a brace", jsonType, `{"a":"\u0041"}}`, ""},
		{"nothing", "", ``, ""},
		{"a form", formType, `From=%2B1555&Body=a+b&Empty=`, `{"From":"+1555","Body":"a b","Empty":""}`},
		{"a form with repeated names", formType, `a=1&b=x&a=2&a=3`, `{"a":["1","2","3"],"b":"x"}`},
		{"a form in capitals", "Application/X-WWW-Form-Urlencoded; charset=UTF-8", `a=1`, `{"a":"1"}`},
		{"a form with NUL and invalid UTF-8", formType, `a%00b=%00x%ff`, `{"a\ufffdb":"\ufffdx\ufffd"}`},
		{"a form that cannot be read", formType, `a=%zz`, ""},
		{"another media type that holds JSON", "text/plain", `{"a":1}`, `{"a":1}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := arrive("stripe", "evt_"+strconv.Itoa(i), "thing.happened", c.contentType, c.body)
			insert(t, r.store, e)
			result, err := r.begin(routing.BeginInput{Event: e.Ref(), Run: run("run", 0)})
			require.NoError(t, err)
			require.False(t, result.Over, "the run goes on")
			d := r.find(e.ID)
			require.Equal(t, event.Processing, d.Status)
			require.Equal(t, c.body, string(d.Body), "the exact body is kept")
			if c.want == "" {
				require.Empty(t, string(d.Payload))
				return
			}
			require.Equal(t, numbers(t, []byte(c.want)), numbers(t, d.Payload))
		})
	}
}

// numbers decodes JSON without losing digits.
func numbers(t *testing.T, text []byte) any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	var v any
	require.NoError(t, decoder.Decode(&v), string(text))
	return v
}
