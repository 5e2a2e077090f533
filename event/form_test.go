package event_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"hookflow/event"
)

func TestParseForm(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body string
		want event.Form
	}{
		"empty":                    {"", nil},
		"order of arrival":         {"b=2&a=1", event.Form{{"b", "2"}, {"a", "1"}}},
		"repeated names":           {"d=5678&x=&d=1234&d=1234", event.Form{{"d", "5678"}, {"x", ""}, {"d", "1234"}, {"d", "1234"}}},
		"empty values":             {"a=&b", event.Form{{"a", ""}, {"b", ""}}},
		"empty name":               {"=v", event.Form{{"", "v"}}},
		"empty pieces":             {"&&a=1&", event.Form{{"a", "1"}}},
		"plus is a space":          {"a+b=c+d", event.Form{{"a b", "c d"}}},
		"percent":                  {"%41=%2b%2B%c3%A9", event.Form{{"A", "++é"}}},
		"an escaped separator":     {"a=1%262%3D3", event.Form{{"a", "1&2=3"}}},
		"the second = is data":     {"a=b=c", event.Form{{"a", "b=c"}}},
		"; is data":                {"a=1;b=2", event.Form{{"a", "1;b=2"}}},
		"values are not trimmed":   {"a=+x++", event.Form{{"a", " x  "}}},
		"bytes stay as they are":   {"a=%ff%00", event.Form{{"a", "\xff\x00"}}},
		"names are case-sensitive": {"A=1&a=2", event.Form{{"A", "1"}, {"a", "2"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := event.ParseForm([]byte(c.body))
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestParseForm_Refuses(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"a=%", "a=%4", "a=%zz", "a=%4g", "%=1", "a=1&b=%%41"} {
		_, err := event.ParseForm([]byte(body))
		require.EqualError(t, err, "the form holds a % that two hexadecimal digits do not follow", body)
	}
	full := strings.Repeat("a=1&", event.MaxFormParams)
	form, err := event.ParseForm([]byte(full))
	require.NoError(t, err)
	require.Len(t, form, event.MaxFormParams)
	_, err = event.ParseForm([]byte(full + "a=1"))
	require.EqualError(t, err, "the form holds more than 1000 parameters")
}

func TestForm_Lookups(t *testing.T) {
	t.Parallel()
	form := event.Form{{"a", "1"}, {"b", ""}, {"a", "2"}}
	require.Equal(t, "1", form.Get("a"))
	require.Empty(t, form.Get("c"))
	require.True(t, form.Has("b"))
	require.False(t, form.Has("B"))
	require.Equal(t, []string{"1", "2"}, form.Values("a"))
	require.Nil(t, form.Values("c"))
}

func TestFormOfJSON(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body string
		want event.Form
	}{
		"empty object":       {" {} \n", nil},
		"strings":            {`{"b":"2", "a" : "x\n\u00e9"}`, event.Form{{"b", "2"}, {"a", "x\né"}}},
		"digits are kept":    {`{"n":9007199254740993.10}`, event.Form{{"n", "9007199254740993.10"}}},
		"null is empty":      {`{"a":null}`, event.Form{{"a", ""}}},
		"other values":       {`{"a": true,"b": [1, 2],"c": {"d" : "e"}}`, event.Form{{"a", "true"}, {"b", "[1,2]"}, {"c", `{"d":"e"}`}}},
		"a name twice":       {`{"a":"1","a":"2"}`, event.Form{{"a", "1"}, {"a", "2"}}},
		"a NUL in a string":  {`{"a":"\u0000"}`, event.Form{{"a", "\x00"}}},
		"space before value": {"{\"a\":\n\t \"1\"}", event.Form{{"a", "1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := event.FormOfJSON([]byte(c.body))
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestFormOfJSON_Refuses(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		"", "x", "[]", `[{"a":"1"}]`, `"a"`, "null", "1", "{", `{"a"`, `{"a":`, `{"a":1`, `{"a":1,}`, `{1:2}`, `{"a":1}x`, `{}{}`,
		`{"a":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + "}",
	} {
		_, err := event.FormOfJSON([]byte(body))
		require.EqualError(t, err, "the body is not one JSON object", "%.40q", body)
	}
	var members []string
	for i := range event.MaxFormParams + 1 {
		members = append(members, fmt.Sprintf(`"a%d":1`, i))
	}
	_, err := event.FormOfJSON([]byte("{" + strings.Join(members, ",") + "}"))
	require.EqualError(t, err, "the JSON object holds more than 1000 members")
}

func TestReadForm_GoesByTheMediaType(t *testing.T) {
	t.Parallel()
	want := event.Form{{"a", "1"}}
	for contentType, body := range map[string]string{
		"application/json":                                 `{"a":"1"}`,
		"Application/JSON ; charset=utf-8":                 `{"a":"1"}`,
		"application/x-www-form-urlencoded":                "a=1",
		"application/x-www-form-urlencoded; charset=UTF-8": "a=1",
		"": "a=1",
	} {
		got, err := event.ReadForm(contentType, []byte(body))
		require.NoError(t, err, contentType)
		require.Equal(t, want, got, contentType)
	}
}

// net/url reads the same parameters wherever it reads a body at all.
func TestParseForm_AgreesWithNetURL(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.StringOfN(rapid.SampledFrom([]rune("ab=&+%412;é")), 0, 40, -1).Draw(t, "body")
		agreesWithNetURL(t, body)
	})
}

func FuzzParseForm(f *testing.F) {
	for _, seed := range []string{"", "a=1&b=+%20&a=2", "%zz", "a;b=1", "{\"a\":[1]}", "=&=&%00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		agreesWithNetURL(t, body)
		form, err := event.FormOfJSON([]byte(body))
		if err == nil {
			require.LessOrEqual(t, len(form), event.MaxFormParams)
		}
	})
}

func agreesWithNetURL(t require.TestingT, body string) {
	form, err := event.ParseForm([]byte(body))
	if strings.Count(body, "&") >= event.MaxFormParams {
		return
	}
	// ';' as data is the one wanted difference.
	values, wantErr := url.ParseQuery(strings.ReplaceAll(body, ";", "%3B"))
	require.Equal(t, wantErr != nil, err != nil, body)
	if err != nil {
		return
	}
	got := url.Values{}
	for _, p := range form {
		got.Add(p.Name, p.Value)
	}
	require.Equal(t, values, got, body)
}
