package providers_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"hookflow/event"
	"hookflow/providers"

	"github.com/stretchr/testify/require"
)

const twoCalls = `{"message":{"type":"tool-calls","toolCallList":[{"id":"b","name":"weather"},{"id":"a","function":{"name":"time"}}]}}`

func TestReplyOf(t *testing.T) {
	t.Parallel()
	const asJSON, asXML, asText = "application/json", "text/xml", "text/plain; charset=utf-8"
	for name, c := range map[string]struct {
		scheme, kind, body, result string
		contentType, answer        string
		why                        string // of a refusal
	}{
		"results in the order of the calls": {"vapi", "tool-calls", twoCalls, `["sunny","noon"]`, asJSON,
			`{"results":[{"toolCallId":"b","name":"weather","result":"sunny"},{"toolCallId":"a","name":"time","result":"noon"}]}`, ""},
		"lines are joined, JSON becomes text": {"vapi", "tool-calls", twoCalls, `["two\nlines\r\nhere",{"degrees": 20}]`, asJSON,
			`{"results":[{"toolCallId":"b","name":"weather","result":"two lines here"},{"toolCallId":"a","name":"time","result":"{\"degrees\":20}"}]}`, ""},
		"one result for all": {"vapi", "tool-calls", twoCalls, `{"error":"closed"}`, asJSON,
			`{"results":[{"toolCallId":"b","name":"weather","error":"closed"},{"toolCallId":"a","name":"time","error":"closed"}]}`, ""},
		"finished, by the ids": {"vapi", "tool-calls", twoCalls, `{"results":[{"toolCallId":"a","result":"noon"},{"toolCallId":"b","error":"no","message":"sorry"}]}`, asJSON,
			`{"results":[{"toolCallId":"b","name":"weather","error":"no","message":"sorry"},{"toolCallId":"a","name":"time","result":"noon"}]}`, ""},
		"too few":                    {"vapi", "tool-calls", twoCalls, `["sunny"]`, "", "", "1 results for 2 tool calls"},
		"foreign ids":                {"vapi", "tool-calls", twoCalls, `{"results":[{"toolCallId":"a","result":"x"},{"toolCallId":"c","result":"y"}]}`, "", "", "toolCallIds"},
		"an assistant":               {"vapi", "assistant-request", "", `{"assistantId":"x"}`, asJSON, `{"assistantId":"x"}`, ""},
		"no assistant":               {"vapi", "assistant-request", "", `{"assistant_id":"x"}`, "", "", "assistantId"},
		"an assistant as text":       {"vapi", "assistant-request", "", `"x"`, "", "", "an object"},
		"a destination":              {"vapi", "transfer-destination-request", "", `{"destination":{"type":"number"}}`, asJSON, `{"destination":{"type":"number"}}`, ""},
		"eligible":                   {"vapi", "campaign.predial", "", `true`, asJSON, `{"eligible":true}`, ""},
		"endpointing":                {"vapi", "call.endpointing.request", "", `0.5`, asJSON, `{"timeoutSeconds":0.5}`, ""},
		"a legacy function":          {"vapi", "function-call", "", `"done"`, asJSON, `{"result":"done"}`, ""},
		"audio":                      {"vapi", "voice-request", "", `"AAEC"`, "application/octet-stream", "\x00\x01\x02", ""},
		"no audio":                   {"vapi", "voice-request", "", `"***"`, "", "", "base64"},
		"TwiML":                      {"twilio", "call.incoming", "", `"<Response><Say>Hi</Say></Response>"`, asXML, `<Response><Say>Hi</Say></Response>`, ""},
		"TwiML that is no XML":       {"twilio", "call.incoming", "", `"<Response><Say>Hi</Response>"`, "", "", "well-formed"},
		"TwiML of two documents":     {"twilio", "message.received", "", `"<Response/><Response/>"`, "", "", "2 <Response>"},
		"TwiML as an object":         {"twilio", "message.received", "", `{}`, "", "", "as text"},
		"an interaction":             {"discord", "interaction", "", `{"type":4,"data":{"content":"hi"}}`, asJSON, `{"type":4,"data":{"content":"hi"}}`, ""},
		"an interaction without one": {"discord", "interaction", "", `{"data":{}}`, "", "", "type"},
		"a Slack message":            {"slack", "command", "", `{"text":"hi"}`, asJSON, `{"text":"hi"}`, ""},
		"plain text":                 {"slack", "command", "", `"hi"`, asText, "hi", ""},
		"nothing":                    {"slack", "command", "", `null`, "", "", ""},
		"a number":                   {"slack", "command", "", `4`, "", "", "neither"},
		"no JSON":                    {"slack", "command", "", `{`, "", "", "no JSON"},
		"nothing at all":             {"vapi", "tool-calls", twoCalls, ``, "", "", "no JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := &event.Event{Scheme: c.scheme, Type: c.kind, Body: []byte(c.body)}
			a, err := providers.ReplyOf(e, json.RawMessage(c.result))
			if c.why != "" {
				require.ErrorContains(t, err, c.why)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.contentType, a.ContentType)
			require.Equal(t, c.answer, string(a.Body))
		})
	}
}

func TestReplyOf_tooLarge(t *testing.T) {
	t.Parallel()
	result, err := json.Marshal(strings.Repeat("x", 1<<20+1))
	require.NoError(t, err)
	_, err = providers.ReplyOf(&event.Event{Scheme: "slack"}, result)
	require.ErrorContains(t, err, "larger than")
}

func TestReplyTime(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		scheme, kind, body string
		want               time.Duration
	}{
		{"vapi", "assistant-request", "", 6 * time.Second},
		{"vapi", "tool-calls", twoCalls, 18 * time.Second},
		{"vapi", "tool-calls", `{"message":{"toolWithToolCallList":[{"server":{"timeoutSeconds":60}},{"server":{"timeoutSeconds":10}}]}}`, 9 * time.Second},
		{"vapi", "tool-calls", `not JSON`, 18 * time.Second},
		{"twilio", "call.incoming", "", 12 * time.Second},
		{"slack", "command", "", 2200 * time.Millisecond},
		{"discord", "interaction", "", 2200 * time.Millisecond},
		{"github", "push", "", 4 * time.Second},
	} {
		require.Equal(t, c.want, providers.ReplyTime(&event.Event{Scheme: c.scheme, Type: c.kind, Body: []byte(c.body)}), "%v", c)
	}
}

func FuzzReplyOf(f *testing.F) {
	f.Add("vapi", "tool-calls", twoCalls, `["a",{"error":"b"}]`)
	f.Add("vapi", "function-call", "", `{"result":1}`)
	f.Add("twilio", "call.incoming", "", `"<Response/>"`)
	f.Add("discord", "x", "", `{"type":4}`)
	f.Fuzz(func(t *testing.T, scheme, kind, body, result string) {
		a, err := providers.ReplyOf(&event.Event{Scheme: scheme, Type: kind, Body: []byte(body)}, json.RawMessage(result))
		if err == nil && a.ContentType == "application/json" && !json.Valid(a.Body) {
			t.Fatalf("an answer that is no JSON: %q", a.Body)
		}
	})
}
