package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, secretsFile), []byte(`# made by hookflow dev
STRIPE_WEBHOOK_SECRET=whsec_from_file
export TWILIO_AUTH_TOKEN = "quoted"
VAPI_WEBHOOK_SECRET='a=b'
EMPTY=
no equals sign
`), 0o600))
	env, _, _ := testEnvironment(t, map[string]string{
		"HOOKFLOW_DATA_DIR": folder, "STRIPE_WEBHOOK_SECRET": "one, two,,",
	})
	require.Equal(t, []string{"one", "two"}, env.secrets("STRIPE_WEBHOOK_SECRET"), "the environment wins")
	require.Equal(t, []string{"quoted"}, env.secrets("TWILIO_AUTH_TOKEN"))
	require.Equal(t, []string{"a=b"}, env.secrets("VAPI_WEBHOOK_SECRET"))
	require.Empty(t, env.secrets("EMPTY"))
	require.Empty(t, env.setting("no equals sign"))
	require.Empty(t, env.setting("# made by hookflow dev"))
}

func TestAPIToken(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"": "", "plain-token-of-16-bytes": "plain-token-of-16-bytes", "ops:0123456789abcdef": "0123456789abcdef",
		"ops:0123456789abcdef,me:fedcba9876543210": "0123456789abcdef",
	} {
		env, _, _ := testEnvironment(t, map[string]string{"HOOKFLOW_API_TOKEN": given})
		require.Equal(t, want, env.apiToken(), given)
	}
}

// What dev noted counts before what it generated at an earlier start, and where a free port was asked for.
func TestSettingsThatDevNoted(t *testing.T) {
	t.Parallel()
	folder := folderOfDev(t, "HOOKFLOW_API_TOKEN=me:fedcba9876543210\nHOOKFLOW_POSTGRES_PORT=41\n")
	env, _, _ := testEnvironment(t, map[string]string{"HOOKFLOW_DATA_DIR": folder, "HOOKFLOW_POSTGRES_PORT": "0"})
	require.Equal(t, "fedcba9876543210", env.apiToken())
	require.Equal(t, "41", env.setting("HOOKFLOW_POSTGRES_PORT"))
	require.Equal(t, "HOOKFLOW_DATA_DIR="+folder+" hookflow", env.program())
	env, _, _ = testEnvironment(t, map[string]string{"HOOKFLOW_DATA_DIR": folderOfDev(t, ""), "HOOKFLOW_HTTP_ADDR": "127.0.0.1:0"})
	require.Empty(t, env.setting("HOOKFLOW_HTTP_ADDR"), "no port is known")
}

// send goes to the dev of this folder though senders call it under another name, unless that name is given here.
func TestPostURL(t *testing.T) {
	t.Parallel()
	noted := "HOOKFLOW_HTTP_ADDR=127.0.0.1:41\nHOOKFLOW_PUBLIC_URL=https://tunnel.example\n"
	env, _, _ := testEnvironment(t, map[string]string{"HOOKFLOW_DATA_DIR": folderOfDev(t, noted)})
	require.Equal(t, "http://127.0.0.1:41", env.postURL())
	require.Equal(t, "https://tunnel.example", env.webhookURL(), "which is what is signed")
	env, _, _ = testEnvironment(t, map[string]string{"HOOKFLOW_DATA_DIR": folderOfDev(t, noted), "HOOKFLOW_PUBLIC_URL": "https://hooks.example"})
	require.Equal(t, "https://hooks.example", env.postURL())
	env, _, _ = testEnvironment(t, map[string]string{"HOOKFLOW_DATA_DIR": "/it's here"})
	require.Equal(t, `HOOKFLOW_DATA_DIR='/it'\''s here' hookflow`, env.program())
}

// folderOfDev is a data folder as dev leaves it, with where it listened.
func folderOfDev(t *testing.T, addresses string) string {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, secretsFile), []byte("HOOKFLOW_API_TOKEN=dev:0123456789abcdef\n"), 0o600))
	if addresses != "" {
		require.NoError(t, os.WriteFile(filepath.Join(folder, addressesFile), []byte(addresses), 0o600))
	}
	return folder
}

func TestURLs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name           string
		vars           map[string]string
		webhooks, asks string
	}{
		{"nothing set, as serve has it", nil, "http://127.0.0.1:8080", "http://127.0.0.1:9090"},
		{"serve on another port", map[string]string{"HOOKFLOW_HTTP_ADDR": "127.0.0.1:9999"}, "http://127.0.0.1:9999", "http://127.0.0.1:9090"},
		{"dev", map[string]string{"HOOKFLOW_DATA_DIR": folderOfDev(t, "")}, "http://127.0.0.1:8080", "http://127.0.0.1:8080"},
		{"dev on another port", map[string]string{"HOOKFLOW_DATA_DIR": folderOfDev(t, ""), "HOOKFLOW_HTTP_ADDR": "127.0.0.1:9999"}, "http://127.0.0.1:9999", "http://127.0.0.1:9999"},
		{"dev in another terminal", map[string]string{"HOOKFLOW_DATA_DIR": folderOfDev(t, "HOOKFLOW_HTTP_ADDR=127.0.0.1:41\nHOOKFLOW_OPS_ADDR=127.0.0.1:42\n")}, "http://127.0.0.1:41", "http://127.0.0.1:42"},
		{"dev on any port", map[string]string{"HOOKFLOW_HTTP_ADDR": "[::1]:0", "HOOKFLOW_DATA_DIR": folderOfDev(t, "HOOKFLOW_HTTP_ADDR=[::1]:41\nHOOKFLOW_OPS_ADDR=[::1]:41\n")}, "http://[::1]:41", "http://[::1]:41"},
		{"serve", map[string]string{
			"HOOKFLOW_HTTP_ADDR": ":8080", "HOOKFLOW_OPS_ADDR": "[::]:9090", "HOOKFLOW_PUBLIC_URL": "https://hooks.example.com",
		}, "https://hooks.example.com", "http://127.0.0.1:9090"},
		{"IPv6", map[string]string{"HOOKFLOW_OPS_ADDR": "[::1]:9090"}, "http://127.0.0.1:8080", "http://[::1]:9090"},
		{"nonsense", map[string]string{"HOOKFLOW_HTTP_ADDR": "8080"}, "http://127.0.0.1:8080", "http://127.0.0.1:9090"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env, _, _ := testEnvironment(t, c.vars)
			require.Equal(t, c.webhooks, env.webhookURL())
			require.Equal(t, c.asks, env.opsURL())
		})
	}
}
