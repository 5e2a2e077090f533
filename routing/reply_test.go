package routing

import (
	"encoding/json"
	"testing"
	"time"

	"hookflow/event"

	"github.com/stretchr/testify/require"
)

func parseReply(t *testing.T, reply string) (*Table, error) {
	t.Helper()
	return Parse("f.yaml", []byte("routes:\n  - provider: vapi\n    type: tool-calls\n    reply: "+reply+"\n    steps: [{activity: a.After}]\n"))
}

func TestReply_planAndAsk(t *testing.T) {
	t.Parallel()
	table, err := parseReply(t, `{activity: a.Answer, deadline: 3s, on_unavailable: fallback_only, fallback: {say: "call ${payload.call.id}", n: "${payload.n}", fixed: 1}}`)
	require.NoError(t, err)
	e := &event.Event{Provider: "vapi", Type: "tool-calls"}
	plan := table.Plan(e, nil)
	require.Len(t, plan.Steps, 2)
	require.True(t, plan.Steps[0].Reply)
	require.Equal(t, "a.Answer", plan.Steps[0].Name)
	require.False(t, plan.Steps[1].Reply)
	require.Equal(t, Duration(10*time.Minute), plan.Steps[0].Options.ScheduleToCloseTimeout)
	require.Equal(t, Duration(DefaultScheduleToClose), plan.Steps[1].Options.ScheduleToCloseTimeout)

	require.True(t, table.MayReply("vapi", "tool-calls"))
	require.False(t, table.MayReply("vapi", "hang"))
	require.Nil(t, table.Reply(&event.Event{Provider: "vapi", Type: "hang"}, nil))
	reply := table.Reply(e, json.RawMessage(`{"call":{"id":"c-1"},"n":7}`))
	require.Equal(t, plan.Steps[0], reply.Step)
	require.Equal(t, 3*time.Second, reply.Deadline)
	require.True(t, reply.Only)
	require.JSONEq(t, `{"say":"call c-1","n":7,"fixed":1}`, string(reply.Fallback))

	reply = table.Reply(e, json.RawMessage(`{}`))
	require.Nil(t, reply.Fallback)
	require.Contains(t, reply.Note, "no such key")
}

func TestReply_fallbacks(t *testing.T) {
	t.Parallel()
	payload := json.RawMessage(`{"name":"O'Neil & <Sons>","list":[1,2],"yes":true}`)
	for fallback, want := range map[string]string{
		`"plain"`:                                 `"plain"`,
		`"${payload.list}"`:                       `[1,2]`,
		`"${payload.yes} or ${payload.list}"`:     `"true or [1,2]"`,
		`"<Say>${payload.name}</Say>"`:            `"<Say>O&#39;Neil &amp; &lt;Sons&gt;</Say>"`,
		`"hello ${payload.name}"`:                 `"hello O'Neil & <Sons>"`,
		`"${payload.yes ? {'a': '}'} : {}}"`:      `{"a":"}"}`,
		`[1, "${payload.list[1]}", null, {a: b}]`: `[1,2,null,{"a":"b"}]`,
	} {
		table, err := parseReply(t, `{activity: a.Answer, fallback: `+fallback+`}`)
		require.NoError(t, err, fallback)
		reply := table.Reply(&event.Event{Provider: "vapi", Type: "tool-calls"}, payload)
		require.Empty(t, reply.Note)
		require.JSONEq(t, want, string(reply.Fallback), fallback)
	}
}

func TestReply_problems(t *testing.T) {
	t.Parallel()
	for reply, want := range map[string]string{
		`{}`:                                 "a step has no",
		`{activity: a, inline: true}`:        "inline",
		`{activity: a, deadline: 0s}`:        `deadline is "0s"`,
		`{activity: a, deadline: 10m}`:       `deadline is "10m"`,
		`{activity: a, on_unavailable: run}`: `on_unavailable is "run"`,
		`{activity: a, fallback: "${1 +}"}`:  "fallback:",
		`{activity: a, fallback: "${1"}`:     "does not end",
		`{activity: a.After}`:                "two steps of the route are named a.After",
		`{activity: a, deadlin: 1s}`:         "deadline",
	} {
		_, err := parseReply(t, reply)
		require.ErrorContains(t, err, want, reply)
	}
	_, err := Parse("f.yaml", []byte(`
routes:
  - {provider: p, type: x, continue: true, reply: {activity: a}, steps: []}
  - {provider: p, type: "*", reply: {activity: b}, steps: []}
`))
	require.ErrorContains(t, err, "computes an answer too")
}
