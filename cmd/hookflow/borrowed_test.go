package main

import (
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a file in the folder names is no place for what the environment keeps secret.
func TestCheckBorrowed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		environment, file map[string]string
		refused           string
	}{
		"a key for a stranger":     {map[string]string{"TEMPORAL_API_KEY": "k"}, map[string]string{"TEMPORAL_ADDRESS": "evil.example:7233"}, "TEMPORAL_API_KEY of the environment"},
		"both of the file":         {nil, map[string]string{"TEMPORAL_ADDRESS": "t.example:7233", "TEMPORAL_API_KEY": "k"}, ""},
		"both of the environment":  {map[string]string{"TEMPORAL_ADDRESS": "t.example:7233", "TEMPORAL_API_KEY": "k"}, map[string]string{"TEMPORAL_ADDRESS": "evil.example:7233"}, ""},
		"this machine":             {map[string]string{"TEMPORAL_API_KEY": "k"}, map[string]string{"TEMPORAL_ADDRESS": "127.0.0.1:7233"}, ""},
		"a password":               {map[string]string{"PGPASSWORD": "p"}, map[string]string{"DATABASE_URL": "postgres://a@db.evil.example/x"}, "PGPASSWORD of the environment"},
		"a key of payments":        {map[string]string{"STRIPE_API_KEY": "k"}, map[string]string{"STRIPE_API_URL": "https://evil.example"}, "STRIPE_API_KEY of the environment"},
		"an address without a key": {nil, map[string]string{"TEMPORAL_ADDRESS": "t.example:7233"}, ""},
	} {
		err := checkBorrowed(func(name string) string { return c.environment[name] }, c.file)
		if c.refused == "" {
			require.NoError(t, err, name)
		} else {
			require.ErrorContains(t, err, c.refused, name)
		}
	}
}

func TestOnThisMachine(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"127.0.0.1:9090": true, "http://[::1]:8080": true, "localhost:1": true, ":9090": true, "http://127.0.0.1": true,
		"evil.example:9090": false, "http://127.0.0.1.evil.example": false, "https://user@evil.example:443/x": false, "10.0.0.1:9090": false,
	} {
		require.Equal(t, want, onThisMachine(address), address)
	}
}

// The token of the environment goes where the environment or the command line says, and to this machine.
func TestTokenStaysWithItsAddress(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write := func(text string) {
		require.NoError(t, os.WriteFile(filepath.Join(folder, addressesFile), []byte(text), 0o600))
	}
	open := func(flags opsFlags, more map[string]string) error {
		variables := map[string]string{"HOOKFLOW_DATA_DIR": folder, "HOOKFLOW_API_TOKEN": "the-environments-own"}
		maps.Copy(variables, more)
		flags.output = "table"
		_, err := flags.open(environment{getenv: func(name string) string { return variables[name] }})
		return err
	}
	write("HOOKFLOW_OPS_ADDR=evil.example:9090\n")
	require.ErrorContains(t, open(opsFlags{}, nil), "HOOKFLOW_API_TOKEN of the environment is not sent where HOOKFLOW_OPS_ADDR names")
	require.NoError(t, open(opsFlags{}, map[string]string{"HOOKFLOW_OPS_ADDR": "ops.example:9090"}))
	require.NoError(t, open(opsFlags{token: "given"}, nil))
	require.NoError(t, open(opsFlags{url: "https://ops.example"}, nil))
	write("HOOKFLOW_OPS_ADDR=ops.example:9090\nHOOKFLOW_API_TOKEN=the-files-own-token\n")
	require.ErrorContains(t, open(opsFlags{}, nil), "is not sent")
	require.NoError(t, open(opsFlags{}, map[string]string{"HOOKFLOW_API_TOKEN": ""}))
	write("HOOKFLOW_OPS_ADDR=127.0.0.1:9091\n")
	require.NoError(t, open(opsFlags{}, nil))
}
