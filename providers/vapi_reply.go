package providers

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"hookflow/event"
)

// vapiNeeds lists, for the types that are answered with an object, the names of which it needs one
// (https://docs.vapi.ai/server-url/events).
var vapiNeeds = map[string][]string{
	"assistant-request":            {"assistantId", "assistant", "squadId", "squad", "workflowId", "workflow", "destination", "error"},
	"transfer-destination-request": {"destination", "error"},
	"handoff-destination-request":  {"destination", "result", "error"},
	"knowledge-base-request":       {"documents", "message"},
	"campaign.predial":             {"eligible"},
	"call.endpointing.request":     {"timeoutSeconds"},
	"function-call":                {"result", "error"},
}

// vapiValues names the one value that may stand for the object, and its first characters in JSON.
var vapiValues = map[string]struct{ name, begins string }{
	"campaign.predial":         {"eligible", "tf"},
	"call.endpointing.request": {"timeoutSeconds", "0123456789"},
	"function-call":            {"result", `"`},
}

func vapiReply(e *event.Event, result json.RawMessage) (event.Answer, error) {
	switch e.Type {
	case "tool-calls":
		return vapiResults(e.Body, result)
	case "voice-request":
		text, err := textOf(result)
		audio, decodeErr := base64.StdEncoding.DecodeString(text)
		if err != nil || decodeErr != nil {
			return event.Answer{}, errors.New("a voice-request is answered with audio in base64, as text")
		}
		return event.Answer{ContentType: "application/octet-stream", Body: audio}, nil
	}
	if one, ok := vapiValues[e.Type]; ok && strings.IndexByte(one.begins, result[0]) >= 0 {
		result = json.RawMessage(`{"` + one.name + `":` + string(result) + `}`)
	}
	needs, known := vapiNeeds[e.Type]
	if !known {
		return plainReply(result)
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(result, &object) != nil {
		return event.Answer{}, fmt.Errorf("%s is answered with an object", e.Type)
	}
	for _, name := range needs {
		if _, ok := object[name]; ok {
			return event.Answer{ContentType: jsonType, Body: result}, nil
		}
	}
	return event.Answer{}, fmt.Errorf("%s is answered with an object that has one of %s", e.Type, strings.Join(needs, ", "))
}

// vapiToolResult is the answer to one tool call, with either a result or an error of one line.
type vapiToolResult struct {
	ToolCallID string           `json:"toolCallId"`
	Name       string           `json:"name,omitempty"`
	Result     *string          `json:"result,omitempty"`
	Error      *string          `json:"error,omitempty"`
	Message    *json.RawMessage `json:"message,omitempty"`
}

// vapiResults answers each tool call of a message, in the order of the list, with its id. Vapi takes nothing but one-line
// text as a result, and ignores an answer that is not 200 (https://docs.vapi.ai/tools/custom-tools).
func vapiResults(body []byte, result json.RawMessage) (event.Answer, error) {
	calls := toolCallsIn(body)
	given, err := resultsFor(calls, result)
	if err != nil {
		return event.Answer{}, err
	}
	results := make([]vapiToolResult, len(calls))
	for i, call := range calls {
		results[i] = vapiToolResult{ToolCallID: call.id, Name: call.name}
		results[i].take(given[i])
	}
	answer, err := json.Marshal(map[string]any{"results": results})
	return event.Answer{ContentType: jsonType, Body: answer}, err
}

// resultsFor returns one result for each call: from {"results": [...]} by the ids, from a list by the order, and anything
// else for all of them.
func resultsFor(calls []vapiToolCall, result json.RawMessage) ([]json.RawMessage, error) {
	var finished struct{ Results []json.RawMessage }
	if result[0] == '{' && json.Unmarshal(result, &finished) == nil && finished.Results != nil {
		return resultsByID(calls, finished.Results)
	}
	given := make([]json.RawMessage, len(calls))
	if result[0] != '[' {
		for i := range given {
			given[i] = result
		}
		return given, nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal(result, &list); err != nil || len(list) != len(calls) {
		return nil, fmt.Errorf("it holds %d results for %d tool calls", len(list), len(calls))
	}
	return list, nil
}

func resultsByID(calls []vapiToolCall, results []json.RawMessage) ([]json.RawMessage, error) {
	byID := map[string]json.RawMessage{}
	for _, r := range results {
		var id struct{ ToolCallID string }
		if json.Unmarshal(r, &id) != nil || id.ToolCallID == "" {
			return nil, errors.New("one of its results has no toolCallId")
		}
		byID[id.ToolCallID] = r
	}
	given := make([]json.RawMessage, len(calls))
	for i, call := range calls {
		r, ok := byID[call.id]
		if !ok || len(byID) != len(calls) {
			return nil, errors.New("its toolCallIds are not those of the tool calls")
		}
		given[i] = r
	}
	return given, nil
}

// take fills in a result as a handler gave it: text, {"error": …} or {"result": …}, or other JSON, which becomes text.
func (r *vapiToolResult) take(given json.RawMessage) {
	var parts struct {
		Error, Result json.RawMessage
		Message       *json.RawMessage
	}
	if given[0] == '{' && json.Unmarshal(given, &parts) == nil && (parts.Error != nil || parts.Result != nil) {
		r.Message = parts.Message
		if parts.Error != nil {
			line := lineOf(parts.Error)
			r.Error = &line
			return
		}
		given = parts.Result
	}
	line := lineOf(given)
	r.Result = &line
}

// lineOf returns JSON as one line of text: text as it is, with its line ends as spaces, other JSON in its compact form.
func lineOf(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) != nil {
		compact, err := json.Marshal(value)
		if err != nil {
			compact = value // it was valid
		}
		text = string(compact)
	}
	return strings.Join(strings.FieldsFunc(text, func(c rune) bool {
		return c == '\n' || c == '\r' || c == '\u2028' || c == '\u2029'
	}), " ")
}

// vapiToolReplyTime is nine tenths of the shortest time-out that the tools of a message are configured with, or 18 of the
// usual 20 seconds.
func vapiToolReplyTime(body []byte) time.Duration {
	var message struct {
		Message struct {
			ToolWithToolCallList []struct {
				Server struct{ TimeoutSeconds float64 }
			}
		}
	}
	shortest := vapiToolTime
	if json.Unmarshal(body, &message) != nil {
		return shortest
	}
	configured := 0.0
	for _, tool := range message.Message.ToolWithToolCallList {
		if s := tool.Server.TimeoutSeconds; s >= 1 && s <= 300 && (configured == 0 || s < configured) {
			configured = s
		}
	}
	if configured == 0 {
		return shortest
	}
	return time.Duration(configured * 0.9 * float64(time.Second))
}
