package devstack

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
)

// A server whose only SQLite connection is interrupted for good answers nothing any more. It is started again on the same
// state, at the same address.
func TestTemporalIsRestartedWhenItsConnectionIsLost(t *testing.T) {
	t.Parallel()
	for name, dir := range map[string]string{"kept": t.TempDir(), "temporary": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := StartTemporal(t.Context(), TemporalOptions{Dir: dir, DieWithParent: true})
			require.NoError(t, err)
			c := dial(t, s)
			_, err = c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "kept", TaskQueue: "nobody"}, "Nothing")
			require.NoError(t, err)
			before := s.running()
			for _, line := range []string{"error=\"context canceled\"\n", strings.Repeat("error=\""+interrupted+"\"\n", interruptedLimit-1)} {
				_, err = s.watch.Write([]byte(line))
				require.NoError(t, err)
			}
			require.Empty(t, s.watch.lost, "some interrupted requests")
			_, err = s.watch.Write([]byte(interrupted))
			require.NoError(t, err)
			require.Eventually(t, func() bool { return s.running() != before }, time.Minute, 10*time.Millisecond)
			_, err = c.DescribeWorkflowExecution(t.Context(), "kept", "")
			require.NoError(t, err)
			select {
			case <-s.Done():
				require.Fail(t, "it has not ended")
			default:
			}
			require.NoError(t, s.Stop(context.Background()))
			<-s.Done()
		})
	}
}
