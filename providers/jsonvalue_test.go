package providers

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var jsonTexts = []string{
	`{}`, ` { "a" : [ ] , "b" : { } } `, `{"a":[1,-0,0.5,1e5,1E+5,1e-5,-1.25e10,true,false,null,"x"]}`,
	`{"a":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"}`, "{\"a\":\"\xff\x7f\"}", `{"a":{"b":{"c":[[],[[]]]}}}`,
	`{"a":01}`, `{"a":-}`, `{"a":.5}`, `{"a":1.}`, `{"a":1e}`, `{"a":+1}`, `{"a":NaN}`, `{"a":"\x"}`, `{"a":"\u12g4"}`,
	`{"a":"\u12"}`, "{\"a\":\"\n\"}", `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `{"a":1 "b":2}`, `{"a":[1,]}`, `{"a":[,1]}`,
	`{"a":[1 2]}`, `{a:1}`, `{"a":tru}`, `{"a":truex}`, `{"a":nulL}`, `{"a":"`, `{"a":"\`, `{"a":[`, `{`, `}`, `{"a":]}`,
	`{"a":{]}`, "{\"a\":1}\x00", "\x00", "{\"a\":\x00}", `{"a":1}}`, `{"a":1}//`, "\v{}", "{\"a\":1\f}", `{"a":0x1}`, `{"a":1_0}`,
}

// sameVerdict compares with encoding/json, which is the reference.
func sameVerdict(t *testing.T, text string) {
	t.Helper()
	v, err := parseObject([]byte(text))
	if err != nil && strings.Contains(err.Error(), "nests deeper") {
		require.Greater(t, strings.Count(text, "{")+strings.Count(text, "["), maxDepth)
		return
	}
	isObject := json.Valid([]byte(text)) && strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "{")
	require.Equal(t, isObject, err == nil, "%q", text)
	if err == nil {
		sameMembers(t, v)
	}
}

// sameMembers compares names and values with those that encoding/json finds.
func sameMembers(t *testing.T, v jsonValue) {
	t.Helper()
	var want map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(v.bytes(), &want))
	got := map[string]string{}
	for it := v.items(); it.next(); {
		if it.value.kind() == '{' {
			sameMembers(t, it.value)
		}
		if it.value.kind() == '"' {
			var text string
			require.NoError(t, json.Unmarshal(it.value.bytes(), &text))
			mine, ok := unquote(it.value.bytes())
			require.Equal(t, text, string([]rune(string(mine))), "%q ok=%v", it.value.bytes(), ok)
		}
		name := []rune(string(it.key)) // bad bytes become U+FFFD one by one, as encoding/json does
		got[string(name)] = string(it.value.bytes())
	}
	require.Len(t, got, len(want))
	for name, value := range want {
		require.Equal(t, string(value), got[name])
	}
}

func TestJSONGrammar(t *testing.T) {
	t.Parallel()
	for _, text := range jsonTexts {
		sameVerdict(t, text)
	}
}

func FuzzJSONGrammar(f *testing.F) {
	for _, text := range jsonTexts {
		f.Add(text)
	}
	f.Fuzz(sameVerdict)
}

func TestUnquote_BadUnicode(t *testing.T) {
	t.Parallel()
	for quoted, want := range map[string]string{
		`"\ud800"`: "\uFFFD", `"\udc00x"`: "\uFFFDx", `"\ud800\ud800\udc00"`: "\uFFFD\U00010000", `"\ud800\u0041"`: "\uFFFDA",
		`"\ud800\n"`: "\uFFFD\n", "\"\xff\"": "\xff", "\"\xff\\n\"": "\xff\n",
	} {
		got, ok := unquote([]byte(quoted))
		require.False(t, ok, quoted)
		require.Equal(t, want, string(got), quoted)
	}
	for quoted, want := range map[string]string{
		`"\ufffd"`: "\uFFFD", `"\ud83d\ude00"`: "😀", `"😀"`: "😀", `"\u0000"`: "\x00", `""`: "", `"\\u0041"`: `\u0041`,
	} {
		got, ok := unquote([]byte(quoted))
		require.True(t, ok, quoted)
		require.Equal(t, want, string(got), quoted)
	}
}

func TestJSONValue_Absent(t *testing.T) {
	t.Parallel()
	var v jsonValue
	it := v.items()
	require.False(t, it.next())
	require.Zero(t, v.kind())
	require.Empty(t, v.bytes())
	require.Nil(t, v.truth())
	require.Equal(t, v, v.member("x").member("y"))
	text, err := v.text("x")
	require.NoError(t, err)
	require.Empty(t, text)
}

func BenchmarkJSONGrammar(b *testing.B) {
	body := []byte(`{"pad":"` + strings.Repeat("x", 500) + `","list":[` + strings.Repeat(`{"id":"a","n":12.5},`, 100) + `{}]}`)
	b.Run("ours", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			if _, err := parseObject(body); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			if !json.Valid(body) {
				b.Fatal("invalid")
			}
		}
	})
}
