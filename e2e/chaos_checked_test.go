package e2e_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
)

// A checker that finds nothing proves nothing unless it finds what is there.
func TestChaosChecker(t *testing.T) {
	t.Parallel()
	h := &history{}
	for key, said := range map[string]string{"ok": saidOK, "lost": saidOK, "gone": saidOK, "unknown": saidInfo, "double": saidOK, "hollow": saidOK, "refused": saidFail, "undead": saidOK} {
		h.add(line{key: key, result: said})
	}
	done := func(effects int) kept {
		return kept{Type: "checkout.session.completed", Status: "completed", Effects: effects, Steps: 1}
	}
	found := h.against(map[string]kept{
		"ok": done(1), "unknown": done(1), "lost": {Status: "processing"}, "double": done(2), "hollow": done(0), "refused": done(1), "never": done(1),
		"undead": done(1),
	}, map[string]bool{"undead": true})
	require.ElementsMatch(t, []string{"lost lost", "lost gone", "double double", "hollow double", "hollow hollow", "ghost refused", "ghost never", "undead undead"}, heads(found))

	completed, failed := enums.WORKFLOW_EXECUTION_STATUS_COMPLETED, enums.WORKFLOW_EXECUTION_STATUS_FAILED
	row := func(id string, generation int) kept {
		return kept{Status: "completed", WorkflowID: id, RunID: id, Generation: generation}
	}
	found = runsAgainstRows(
		map[string]kept{"ok": row("ok", 0), "again": row("again", 1), "twice": row("twice", 0), "none": row("none", 0), "differs": row("differs", 0)},
		map[string][]temporalRun{
			"ok": {{"ok", "ok", completed, 8}}, "again": {{"again", "before", failed, 8}, {"again", "again", completed, 8}},
			"twice": {{"twice", "twice", completed, 8}, {"twice", "other", completed, 8}}, "differs": {{"differs", "differs", failed, 8}},
			"nobody's": {{"nobody's", "x", completed, 8}},
		})
	require.ElementsMatch(t, []string{"runs twice", "runs none", "mirror differs", "rowless nobody's"}, heads(found))
}

// heads are what was found, and of which event.
func heads(f findings) []string {
	var short []string
	for _, l := range f.lines {
		words := strings.Fields(l)
		short = append(short, strings.TrimSuffix(words[0], ":")+" "+words[1])
	}
	return short
}
