package ports

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTakenError_isOneLine(t *testing.T) {
	t.Parallel()
	e := &TakenError{Server: "Temporal", Port: 7233, PID: 4, Command: "temporal server start-dev", Variable: "HOOKFLOW_TEMPORAL_PORT"}
	require.Equal(t, "port 7233, wanted for Temporal, is taken by process 4 (temporal server start-dev); stop it, or set HOOKFLOW_TEMPORAL_PORT to another port",
		e.Error())
	e.Command += strings.Repeat(" --dynamic-config-value é=1", 100)
	require.Less(t, len(e.Error()), 250)
	require.Contains(t, e.Error(), "(temporal server start-dev")
	require.Contains(t, e.Error(), "…); stop it")
}
