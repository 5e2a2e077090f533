package ports

import (
	"net"
	"os"
	"os/user"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTakenError_isOneLine(t *testing.T) {
	t.Parallel()
	e := &TakenError{Server: "Temporal", Port: 7233, PID: 4, Command: "temporal server start-dev", Variable: "HOOKFLOW_TEMPORAL_PORT"}
	require.Equal(t, "port 7233, wanted for Temporal, is taken by process 4 (temporal server start-dev); stop it, or set HOOKFLOW_TEMPORAL_PORT to another port",
		e.Error())
	require.Contains(t, (&TakenError{User: "root"}).Error(), "is taken by a process of user root (which")
	e.Command += strings.Repeat(" --dynamic-config-value é=1", 100)
	require.Less(t, len(e.Error()), 250)
	require.Contains(t, e.Error(), "(temporal server start-dev")
	require.Contains(t, e.Error(), "…); stop it")
}

func TestWhoListens(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	port := l.Addr().(*net.TCPAddr).Port
	var taken *TakenError
	require.ErrorAs(t, Check(port, "Temporal", "V"), &taken)
	require.Equal(t, os.Getpid(), taken.PID)
	if runtime.GOOS == "linux" {
		us, err := user.Current()
		require.NoError(t, err)
		require.Equal(t, us.Username, listeningUser(port))
	}
	require.NoError(t, Check(0, "any", "V"))
	require.ErrorContains(t, CheckAddress("nowhere.invalid:1", "hookflow", "HOOKFLOW_HTTP_ADDR"), "set HOOKFLOW_HTTP_ADDR to another address")
}
