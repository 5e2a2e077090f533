package providers

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hookflow/event"
)

func hexBytes(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	require.NoError(t, err)
	return b
}

func sha(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + hex.EncodeToString(sum[:])
}

// identifyVapi reads a message, given as the members behind "message".
func identifyVapi(t testing.TB, message string) (event.Event, error) {
	t.Helper()
	return newTestVapi(t).Identify(&Request{Body: []byte(`{"message":{` + message + `}}`)})
}

const (
	call1 = `"call":{"id":"c1","orgId":"o1"},"timestamp":1767225600123,`
	noID  = `"call":{"orgId":"o1"},"timestamp":1767225600123,`
)

func TestVapiIdentify_EventID(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ message, id string }{
		"status":                    {call1 + `"type":"status-update","status":"in-progress"`, "c1:status-update:in-progress"},
		"status missing":            {call1 + `"type":"status-update"`, "c1:status-update:1767225600123"},
		"status null":               {call1 + `"type":"status-update","status":null`, "c1:status-update:1767225600123"},
		"status empty":              {call1 + `"type":"status-update","status":""`, "c1:status-update:1767225600123"},
		"status an object":          {call1 + `"type":"status-update","status":{}`, "c1:status-update:1767225600123"},
		"report":                    {call1 + `"type":"end-of-call-report"`, "c1:end-of-call-report"},
		"report without a time":     {`"call":{"id":"c1"},"type":"end-of-call-report"`, "c1:end-of-call-report"},
		"speech":                    {call1 + `"type":"speech-update","role":"user","turn":0,"status":"started"`, "c1:speech-update:user:0:started"},
		"speech without a turn":     {call1 + `"type":"speech-update","role":"user","status":"started"`, "c1:speech-update:1767225600123"},
		"transcript":                {call1 + `"type":"transcript","role":"user"`, "c1:transcript:user:1767225600123"},
		"final transcript":          {call1 + `"type":"transcript[transcriptType=\"final\"]","role":"user"`, `c1:transcript[transcriptType="final"]:user:1767225600123`},
		"transcript without role":   {call1 + `"type":"transcript"`, "c1:transcript:1767225600123"},
		"tools, sorted":             {call1 + `"type":"tool-calls","toolCallList":[{"id":"b"},{"id":"a"},{"id":"c"}]`, "c1:tool-calls:a,b,c"},
		"tools, the other list":     {call1 + `"type":"tool-calls","toolWithToolCallList":[{"toolCall":{"id":"b"}},{"toolCall":{"id":"a"}}]`, "c1:tool-calls:a,b"},
		"tools, none":               {call1 + `"type":"tool-calls","toolCallList":[]`, "c1:tool-calls:1767225600123"},
		"tools, one without id":     {call1 + `"type":"tool-calls","toolCallList":[{"id":"a"},{}]`, "c1:tool-calls:1767225600123"},
		"tools, not a list":         {call1 + `"type":"tool-calls","toolCallList":"a"`, "c1:tool-calls:1767225600123"},
		"hang":                      {call1 + `"type":"hang"`, "c1:hang:1767225600123"},
		"legacy function":           {call1 + `"type":"function-call","functionCall":{"name":"x"}`, "c1:function-call:1767225600123"},
		"a type of tomorrow":        {call1 + `"type":"brand.new"`, "c1:brand.new:1767225600123"},
		"time as written":           {`"call":{"id":"c1"},"timestamp":1767225600123.5,"type":"hang"`, "c1:hang:1767225600123.5"},
		"time of many digits":       {`"call":{"id":"c1"},"timestamp":17672256001234567890,"type":"hang"`, "c1:hang:17672256001234567890"},
		"time as a string":          {`"call":{"id":"c1"},"timestamp":"2026-01-01T00:00:00Z","type":"hang"`, "c1:hang:2026-01-01T00:00:00Z"},
		"chat":                      {`"chat":{"id":"ch1"},"timestamp":1,"type":"chat.created"`, "ch1:chat.created:1"},
		"session before chat":       {`"chat":{"id":"ch1"},"session":{"id":"s1"},"timestamp":1,"type":"session.updated"`, "s1:session.updated:1"},
		"contact":                   {`"campaignId":"k","contact":{"id":"p1"},"timestamp":1,"type":"campaign.predial"`, "p1:campaign.predial:1"},
		"call null, chat":           {`"call":null,"chat":{"id":"ch1"},"timestamp":1,"type":"chat.created"`, "ch1:chat.created:1"},
		"call without id":           {noID + `"type":"hang"`, sha("hang:1767225600123")},
		"status without a call":     {`"timestamp":1,"type":"status-update","status":"ended"`, sha("status-update:1")},
		"nothing but a type":        {`"type":"hang"`, sha(`{"type":"hang"}`)},
		"last of repeated names":    {call1 + `"type":"x","type":"hang"`, "c1:hang:1767225600123"},
		"names in their exact case": {call1 + `"type":"hang","TYPE":"x","Call":{"id":"c2"}`, "c1:hang:1767225600123"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := identifyVapi(t, c.message)
			require.NoError(t, err)
			require.Equal(t, c.id, e.EventID)
			require.Empty(t, event.CheckID(e.EventID))
		})
	}
}

// Without a timestamp the id comes from the message, less the URLs that are signed anew for each delivery.
func TestVapiIdentify_StableWithoutTimestamp(t *testing.T) {
	t.Parallel()
	id := func(message string) string {
		e, err := identifyVapi(t, `"call":{"id":"c1"},"type":"hang",`+message)
		require.NoError(t, err)
		return e.EventID
	}
	first := id(`"artifact":{"presignedMonoUrl":"https://a","n":[1,2]}`)
	require.True(t, strings.HasPrefix(first, "c1:hang:sha256-"))
	require.Equal(t, first, id(`"artifact":{"presignedMonoUrl":"https://b?sig=2","n":[1,2]}`))
	require.NotEqual(t, first, id(`"artifact":{"presignedMonoUrl":"https://a","n":[12]}`))
	require.NotEqual(t, first, id(`"artifact":{"presignedMonoUrl":"https://a","n":[1,3]}`))
	require.NotEqual(t, first, id(`"artifact":{"m":[1,2]}`))
}

func TestVapiIdentify_ManyToolCalls(t *testing.T) {
	t.Parallel()
	calls := make([]string, 60)
	for i := range calls {
		calls[i] = `{"id":"call_` + strings.Repeat("x", 24) + strconv.Itoa(i) + `"}`
	}
	message := func(list []string) string {
		return call1 + `"type":"tool-calls","toolCallList":[` + strings.Join(list, ",") + `]`
	}
	e, err := identifyVapi(t, message(calls))
	require.NoError(t, err)
	require.Empty(t, event.CheckID(e.EventID))
	require.True(t, strings.HasPrefix(e.EventID, "c1:tool-calls:sha256-"))
	other, err := identifyVapi(t, message(calls[1:]))
	require.NoError(t, err)
	require.NotEqual(t, e.EventID, other.EventID)
}

func TestVapiIdentify_Fields(t *testing.T) {
	t.Parallel()
	e, err := identifyVapi(t, call1+`"type":"hang"`)
	require.NoError(t, err)
	require.Equal(t, "o1", e.Account)
	require.Equal(t, time.UnixMilli(1767225600123).UTC(), e.OccurredAt)
	require.Nil(t, e.Livemode)
	for message, want := range map[string]time.Time{
		`"timestamp":1767225600123.9,"type":"hang"`:           time.UnixMilli(1767225600123).UTC(),
		`"timestamp":"2026-01-01T00:00:00Z","type":"hang"`:    testNow,
		`"timestamp":253402300800000,"type":"hang"`:           {},
		`"timestamp":-1,"type":"hang"`:                        {},
		`"timestamp":1e12,"type":"hang"`:                      {},
		`"timestamp":99999999999999999999999,"type":"hang"`:   {},
		`"timestamp":null,"type":"hang"`:                      {},
		`"timestamp":"253402300800-01-01","type":"hang"`:      {},
		`"timestamp":"0000-01-01T00:00:00Z","type":"hang"`:    {},
		`"timestamp":"1.","type":"hang"`:                      time.UnixMilli(1).UTC(),
		`"timestamp":"9999-12-31T23:59:59-23:59","type":"h"`:  {},
		`"timestamp":"2026-01-01T01:00:00+01:00","type":"hi"`: testNow,
	} {
		e, err := identifyVapi(t, message)
		require.NoError(t, err, message)
		require.Equal(t, want, e.OccurredAt, message)
	}
}

func TestVapiIdentify_Chatty(t *testing.T) {
	t.Parallel()
	for message, chatty := range map[string]bool{
		`"type":"speech-update"`:                                             true,
		`"type":"conversation-update"`:                                       true,
		`"type":"model-output"`:                                              true,
		`"type":"transcript"`:                                                true,
		`"type":"transcript","transcriptType":"partial"`:                     true,
		`"type":"transcript","transcriptType":"final"`:                       false,
		`"type":"transcript[transcriptType=\"final\"]"`:                      false,
		`"type":"transcript[transcriptType=\"partial\"]"`:                    true,
		`"type":"transcript[transcriptType=\"x\"]","transcriptType":"final"`: false,
		`"type":"status-update","status":"ended"`:                            false,
		`"type":"end-of-call-report"`:                                        false,
		`"type":"tool-calls"`:                                                false,
		`"type":"transcription"`:                                             false,
		`"type":"hang"`:                                                      false,
	} {
		e, err := identifyVapi(t, call1+message)
		require.NoError(t, err)
		require.Equal(t, chatty, e.Chatty, message)
	}
}

func TestVapiIdentify_NoEvent(t *testing.T) {
	t.Parallel()
	v := newTestVapi(t)
	for name, body := range map[string]string{
		"no message":           `{}`,
		"message null":         `{"message":null}`,
		"message a string":     `{"message":"{}"}`,
		"message an array":     `{"message":[{"type":"hang"}]}`,
		"no type":              `{"message":{"call":{"id":"c1"}}}`,
		"type a number":        `{"message":{"type":1}}`,
		"type empty":           `{"message":{"type":""}}`,
		"type not UTF-8":       "{\"message\":{\"type\":\"\xff\"}}",
		"call id a number":     `{"message":{"type":"hang","call":{"id":1}}}`,
		"call id not UTF-8":    "{\"message\":{\"type\":\"hang\",\"call\":{\"id\":\"\xc3\"}}}",
		"call id half a pair":  `{"message":{"type":"hang","call":{"id":"\udc00"}}}`,
		"call id with NUL":     `{"message":{"type":"hang","timestamp":1,"call":{"id":"c\u0000"}}}`,
		"call id too long":     `{"message":{"type":"end-of-call-report","call":{"id":"` + strings.Repeat("c", 1025) + `"}}}`,
		"tool id a number":     `{"message":{"type":"tool-calls","call":{"id":"c"},"toolCallList":[{"id":1}]}}`,
		"tool name an object":  `{"message":{"type":"tool-calls","call":{"id":"c"},"toolCallList":[{"id":"a","name":{}}]}}`,
		"tool id not UTF-8":    "{\"message\":{\"type\":\"tool-calls\",\"call\":{\"id\":\"c\"},\"toolCallList\":[{\"id\":\"\xff\"}]}}",
		"status half a pair":   `{"message":{"type":"status-update","status":"\ud800","call":{"id":"c"}}}`,
		"org a number":         `{"message":{"type":"hang","timestamp":1,"call":{"id":"c","orgId":7}}}`,
		"time half a pair":     `{"message":{"type":"hang","timestamp":"\ud800"}}`,
		"time with line feeds": `{"message":{"type":"hang","timestamp":"\n","call":{"id":"c"}}}`,
	} {
		_, err := readOne(Source{Name: "vapi", Provider: v}, signedBy(v, body), testNow)
		require.Error(t, err, name)
		requireNoEvent(t, err)
	}
}

func TestVapiAnswer(t *testing.T) {
	t.Parallel()
	v := newTestVapi(t)
	for name, c := range map[string]struct{ message, want string }{
		"tools": {
			`"type":"tool-calls","toolCallList":[{"id":"b","name":"send<it>"},{"id":"a","function":{"name":"look","arguments":{"token":"x"}}},{"id":"é"}]`,
			`{"results":[{"toolCallId":"b","name":"send<it>","error":"E"},{"toolCallId":"a","name":"look","error":"E"},{"toolCallId":"é","name":"","error":"E"}]}`,
		},
		"tools, the other list": {
			`"type":"tool-calls","toolWithToolCallList":[{"name":"send","toolCall":{"id":"b"}},{"function":{"name":"look"},"toolCall":{"id":"a"}}]`,
			`{"results":[{"toolCallId":"b","name":"send","error":"E"},{"toolCallId":"a","name":"look","error":"E"}]}`,
		},
		"no tools":  {`"type":"tool-calls"`, `{"results":[]}`},
		"assistant": {`"type":"assistant-request"`, `{"error":"` + vapiAssistantError + `"}`},
		"predial":   {`"type":"campaign.predial"`, `{"eligible":false}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := identifyVapi(t, call1+c.message)
			require.NoError(t, err)
			answer := v.Answer(&e)
			require.NotNil(t, answer)
			require.Equal(t, "application/json", answer.ContentType)
			require.NotEmpty(t, answer.Warning)
			require.JSONEq(t, strings.ReplaceAll(c.want, `"E"`, strconv.Quote(vapiToolError)), string(answer.Body))
			require.NotContains(t, string(answer.Body), "\n")
		})
	}
	for _, typ := range []string{"status-update", "end-of-call-report", "transfer-destination-request", "hang", "x"} {
		require.Nil(t, v.Answer(&event.Event{Type: typ, Body: []byte(`{}`)}))
	}
	for _, body := range []string{"", `[`, `{"message":1}`, `{"message":{"type":"tool-calls","toolCallList":[{"id":1}]}}`} {
		answer := v.Answer(&event.Event{Type: "tool-calls", Body: []byte(body)})
		require.True(t, json.Valid(answer.Body))
	}
}

func FuzzVapiIdentify(f *testing.F) {
	v := newTestVapi(f)
	f.Add([]byte(testVapiBody))
	f.Add([]byte(`{"message":{` + call1 + `"type":"tool-calls","toolCallList":[{"id":"b","function":{"name":"n"}}]}}`))
	f.Add([]byte(`{"message":{"type":"transcript[transcriptType=\"final\"]","role":"user","call":{"id":"\u0063"}}}`))
	f.Add([]byte(`{"message":{"type":"hang","artifact":{"presignedX":[1],"server":{"headers":{"a":"b"}}}}}`))
	f.Fuzz(func(t *testing.T, body []byte) { fuzzIdentify(t, v, body) })
}
