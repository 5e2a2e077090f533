package main

import (
	"bytes"
	"os"
	"testing"

	"hookflow/event"

	"github.com/stretchr/testify/require"
)

func TestColours(t *testing.T) {
	t.Parallel()
	require.Equal(t, "failed    ", palette(false).status(event.Failed, 10))
	require.Equal(t, "\x1b[31mfailed    \x1b[0m", palette(true).status(event.Failed, 10))
	require.Equal(t, "STATUS    ", palette(true).status("STATUS", 10))

	env, _, _ := testEnvironment(t, nil)
	require.False(t, bool(env.palette(&bytes.Buffer{})))
	file, err := os.Create(t.TempDir() + "/out")
	require.NoError(t, err)
	defer file.Close()
	require.False(t, bool(env.palette(file)), "a file is no terminal")

	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no pseudo terminals here: ", err)
	}
	defer terminal.Close()
	require.True(t, bool(env.palette(terminal)))
	for name, value := range map[string]string{"NO_COLOR": "1", "TERM": "dumb"} {
		env, _, _ := testEnvironment(t, map[string]string{name: value})
		require.False(t, bool(env.palette(terminal)), name)
	}
}
