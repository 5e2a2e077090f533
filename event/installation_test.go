package event_test

import (
	"testing"

	"hookflow/event"

	"github.com/stretchr/testify/require"
)

func TestInstallation(t *testing.T) {
	t.Parallel()
	e := event.Event{Provider: "stripe", EventID: "evt_1"}
	require.Equal(t, "stripe:evt_1", e.WorkflowID(), "the contract's, in the default installation")
	e.Installation = event.OnQueue(event.DefaultQueue)
	require.Equal(t, "stripe:evt_1", e.WorkflowID())
	e.Installation = event.OnQueue("staging")
	require.Equal(t, "staging/stripe:evt_1", e.WorkflowID())
	require.Equal(t, "stripe:evt_1", e.Key(), "the key is the ledger's own")

	standard, staging := event.OnQueue("hookflow"), event.OnQueue("staging")
	for id, want := range map[string][2]string{
		"stripe:evt_1":              {"stripe:evt_1", ""},
		"staging/stripe:evt_1":      {"", "stripe:evt_1"},
		"slack:T1/evt/2":            {"slack:T1/evt/2", ""}, // a sender's id may have slashes
		"staging/slack:T1/evt":      {"", "slack:T1/evt"},
		"staging/other/stripe:e":    {"", ""},
		"production/stripe:evt_1":   {"", ""},
		"hookflow-reconcile-2026-1": {"hookflow-reconcile-2026-1", ""},
	} {
		require.Equal(t, want, [2]string{standard.KeyOf(id), staging.KeyOf(id)}, id)
	}
	require.Equal(t, "stripe:evt_1", event.WithoutQueue("staging/stripe:evt_1"))
	require.Equal(t, "slack:T1/evt", event.WithoutQueue("slack:T1/evt"))

	one, other := event.Installation{Ledger: "1"}, event.Installation{Ledger: "2"}
	require.True(t, one.Foreign(other))
	require.False(t, one.Foreign(one))
	require.False(t, one.Foreign(event.Installation{}), "a run of an older version")
	require.False(t, event.Installation{}.Foreign(one), "a process that does not know its ledger yet")
}
