package main

import (
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// inFolder is an environment whose data folder has a file of these variables, which is read as .env is.
func inFolder(t *testing.T, variables, file map[string]string) environment {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, writeSettings(filepath.Join(folder, addressesFile), "A test's.", file))
	return environment{getenv: func(name string) string {
		if name == "HOOKFLOW_DATA_DIR" {
			return folder
		}
		return variables[name]
	}}
}

// What a file in the folder names is no place for what the environment keeps secret.
func TestCheckBorrowed(t *testing.T) {
	t.Parallel()
	const evil, collector = "evil.example:7233", "https://otlp.evil.example"
	for name, c := range map[string]struct {
		environment, file map[string]string
		refused           string
	}{
		"a key for a stranger":         {map[string]string{"TEMPORAL_API_KEY": "k"}, map[string]string{"TEMPORAL_ADDRESS": evil}, "TEMPORAL_API_KEY of the environment"},
		"a certificate for a stranger": {map[string]string{"TEMPORAL_TLS_CLIENT_KEY_DATA": "k"}, map[string]string{"TEMPORAL_ADDRESS": evil}, "TEMPORAL_TLS_CLIENT_KEY_DATA of the environment"},
		"another key of the file":      {map[string]string{"TEMPORAL_API_KEY": "k"}, map[string]string{"TEMPORAL_ADDRESS": evil, "TEMPORAL_API_KEY": "other"}, "TEMPORAL_API_KEY of the environment"},
		"both of the file":             {nil, map[string]string{"TEMPORAL_ADDRESS": "t.example:7233", "TEMPORAL_API_KEY": "k"}, ""},
		"both of the environment":      {map[string]string{"TEMPORAL_ADDRESS": "t.example:7233", "TEMPORAL_API_KEY": "k"}, map[string]string{"TEMPORAL_ADDRESS": evil}, ""},
		"this machine":                 {map[string]string{"TEMPORAL_API_KEY": "k"}, map[string]string{"TEMPORAL_ADDRESS": "127.0.0.1:7233"}, ""},
		"an address without a key":     {nil, map[string]string{"TEMPORAL_ADDRESS": "t.example:7233"}, ""},
		"a password":                   {map[string]string{"PGPASSWORD": "p"}, map[string]string{"DATABASE_URL": "postgres://a@db.evil.example/x"}, "PGPASSWORD of the environment"},
		"a host in the query":          {map[string]string{"PGPASSWORD": "p"}, map[string]string{"DATABASE_URL": "postgres://a@localhost/x?host=db.evil.example"}, "PGPASSWORD of the environment"},
		"a second host":                {map[string]string{"PGPASSWORD": "p"}, map[string]string{"DATABASE_URL": "postgres://a@localhost,db.evil.example/x"}, "PGPASSWORD of the environment"},
		"keywords":                     {map[string]string{"PGPASSWORD": "p"}, map[string]string{"DATABASE_URL": "'host=db.evil.example user=a dbname=x'"}, "PGPASSWORD of the environment"},
		"a database of this machine":   {map[string]string{"PGPASSWORD": "p"}, map[string]string{"DATABASE_URL": "'host=localhost user=a dbname=x'"}, ""},
		"a socket":                     {map[string]string{"PGPASSWORD": "p"}, map[string]string{"DATABASE_URL": "postgres://a@/x?host=/run/postgresql"}, ""},
		"a password in the URL":        {map[string]string{"PGPASSWORD": "p"}, map[string]string{"DATABASE_URL": "postgres://a:b@db.example/x"}, ""},
		"a key of payments":            {map[string]string{"STRIPE_API_KEY": "k"}, map[string]string{"STRIPE_API_URL": "https://evil.example"}, "STRIPE_API_KEY of the environment"},
		"headers of traces":            {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_HEADERS": "k=v"}, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": collector}, "OTEL_EXPORTER_OTLP_TRACES_HEADERS of the environment"},
		"an endpoint of traces":        {map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": "k=v", "OTEL_EXPORTER_OTLP_ENDPOINT": "https://o.example"}, map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": collector}, "OTEL_EXPORTER_OTLP_HEADERS of the environment"},
	} {
		err := inFolder(t, c.environment, c.file).checkBorrowed()
		if c.refused == "" {
			require.NoError(t, err, name)
		} else {
			require.ErrorContains(t, err, c.refused, name)
		}
	}
}

// A sample is not posted to where a file of the folder says with the environment's secret, which some senders send as it is.
func TestSecretOfASampleStaysWithItsAddress(t *testing.T) {
	t.Parallel()
	const secret, public = "the-environments-own-secret-of-gitlab", "https://evil.example"
	poster := func(url string, variables, file map[string]string) error {
		env := inFolder(t, variables, file)
		setup, err := env.setup("gitlab")
		require.NoError(t, err)
		_, err = newPoster(env, setup, sendFlags{url: url, parallel: 1})
		return err
	}
	own := map[string]string{"GITLAB_WEBHOOK_SECRET": secret}
	require.ErrorContains(t, poster("", own, map[string]string{"HOOKFLOW_HTTP_ADDR": "evil.example:80"}), "GITLAB_WEBHOOK_SECRET of the environment is not sent where HOOKFLOW_HTTP_ADDR")
	require.ErrorContains(t, poster("", map[string]string{"GITLAB_WEBHOOK_SECRET": secret, "HOOKFLOW_HTTP_ADDR": ":0"}, map[string]string{"HOOKFLOW_HTTP_ADDR": "evil.example:80"}), "is not sent")
	require.NoError(t, poster(public, own, map[string]string{"HOOKFLOW_HTTP_ADDR": "evil.example:80"}), "the command line says where")
	require.NoError(t, poster("", map[string]string{"GITLAB_WEBHOOK_SECRET": secret, "HOOKFLOW_PUBLIC_URL": public}, map[string]string{}))
	require.NoError(t, poster("", own, map[string]string{"HOOKFLOW_HTTP_ADDR": "127.0.0.1:8081"}))
	require.NoError(t, poster("", nil, map[string]string{"HOOKFLOW_HTTP_ADDR": "hooks.example:80", "GITLAB_WEBHOOK_SECRET": secret}))

	env := inFolder(t, nil, map[string]string{"HOOKFLOW_PUBLIC_URL": public, "GITLAB_WEBHOOK_SECRET_FILE": "/etc/hostname"})
	setup, err := env.setup("gitlab")
	require.NoError(t, err)
	require.ErrorContains(t, env.checkSigner(setup, public), "GITLAB_WEBHOOK_SECRET_FILE", "a path out of the folder")
	require.NoError(t, env.checkSigner(setup, "http://127.0.0.1:8080"))
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
