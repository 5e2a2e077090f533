package providers

import (
	"encoding/json"

	"hookflow/event"
)

// Sentences that stand in for computed replies. Vapi's model reads the first, the caller hears the second; a tool's
// result is one line (https://docs.vapi.ai/tools/custom-tools).
const (
	vapiToolError      = "No result is available for this tool call."
	vapiAssistantError = "Sorry, this call cannot be taken at the moment."
)

// vapiResult is the answer to one tool call. Vapi matches it by id and leaves out calls that have none.
type vapiResult struct {
	ToolCallID string `json:"toolCallId"`
	Name       string `json:"name"`
	Error      string `json:"error"`
}

// Answer replies to the three requests whose failure a caller would notice, where no route computes a reply; every other type
// gets nil. It reads the event's masked body, in which ids and names of tool calls are as they came.
func (v *Vapi) Answer(e *event.Event) *Answer {
	switch e.Type {
	case "tool-calls":
		return answerToolCalls(e.Body)
	case "assistant-request":
		return jsonAnswer(map[string]string{"error": vapiAssistantError},
			"assistant-request was answered with an error: no route replies to it, so the caller hears a refusal")
	case "campaign.predial":
		return jsonAnswer(map[string]bool{"eligible": false},
			"campaign.predial was answered with eligible false: no route replies to it, so nobody is dialled")
	}
	return nil
}

func answerToolCalls(body []byte) *Answer {
	results := []vapiResult{}
	for _, call := range toolCallsIn(body) {
		results = append(results, vapiResult{ToolCallID: call.id, Name: call.name, Error: vapiToolError})
	}
	return jsonAnswer(map[string]any{"results": results},
		"tool-calls was answered with an error for each call: no route replies to it")
}

// toolCallsIn reads the calls of a body that Identify accepted; of any other, none.
func toolCallsIn(body []byte) []vapiToolCall {
	v, err := parseObject(body)
	if err != nil {
		return nil
	}
	m, err := readVapiMessage(v)
	if err != nil {
		return nil
	}
	calls, err := m.toolCalls()
	if err != nil {
		return nil
	}
	return calls
}

func jsonAnswer(reply any, warning string) *Answer {
	body, err := json.Marshal(reply)
	if err != nil { // strings, booleans and slices of them always marshal
		return nil
	}
	return &Answer{ContentType: jsonType, Body: body, Warning: warning}
}
