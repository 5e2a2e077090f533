package intake

import (
	"errors"
	"strings"
	"testing"
	"time"

	"hookflow/event"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
)

func TestAttributeIsLeftOffForFiveMinutes(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	a := &attribute{now: func() time.Time { return now }}
	e := &event.Event{Type: "invoice.paid"}
	lacking := serviceerror.NewInvalidArgument("Namespace default has no mapping defined for search attribute HookflowEventType")
	carries := func() bool { return a.of(e).Size() == 1 }
	require.True(t, carries())
	for _, other := range []error{nil, errors.New("HookflowEventType"), serviceerror.NewInvalidArgument("workflow ID too long")} {
		_, about := a.refused(other)
		require.False(t, about, "%v", other)
		require.True(t, carries())
	}
	first, about := a.refused(lacking)
	require.True(t, first)
	require.True(t, about)
	require.False(t, carries())
	first, about = a.refused(lacking) // a start that was under way by then
	require.False(t, first)
	require.True(t, about)
	now = now.Add(attributePause - time.Nanosecond)
	require.False(t, carries())
	now = now.Add(time.Nanosecond)
	require.True(t, carries(), "tried again")
	first, _ = a.refused(lacking)
	require.True(t, first)
}

// What the servers' stores cannot hold would keep the run out of every list.
func TestAttributeFitsItsColumn(t *testing.T) {
	t.Parallel()
	a := &attribute{now: time.Now}
	for kind, kept := range map[string]int{strings.Repeat("x", 300): 255, strings.Repeat("é", 200): 254, "\xff": 0} {
		value, ok := a.of(&event.Event{Type: kind}).GetKeyword(typeAttribute)
		require.True(t, ok)
		require.Len(t, value, kept)
	}
}
