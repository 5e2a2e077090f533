package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func files(contents map[string]string) func(string) ([]byte, error) {
	return func(path string) ([]byte, error) {
		if text, ok := contents[path]; ok {
			return []byte(text), nil
		}
		return noFile(path)
	}
}

// Every variable that holds a secret may name a file of it instead, and a byte order mark in that file is no part of it.
func TestFromFiles(t *testing.T) {
	t.Parallel()
	read := files(map[string]string{"/db": "\uFEFFpostgres://db/hookflow\n", "/tokens": "\uFEFFann:0123456789abcdef\nbob:fedcba9876543210\n", "/dsn": "https://k@s/1\r\n"})
	getenv := FromFiles(environment(map[string]string{"DATABASE_URL_FILE": "/db", "HOOKFLOW_API_TOKEN_FILE": "/tokens", "SENTRY_DSN_FILE": "/dsn", "HOME_FILE": "/db"}), read)
	c, err := Load(Serve, getenv, read)
	require.NoError(t, err)
	require.Equal(t, "postgres://db/hookflow", c.DatabaseURL)
	require.Equal(t, []Token{{"ann", "0123456789abcdef"}, {"bob", "fedcba9876543210"}}, c.APITokens)
	require.Equal(t, "https://k@s/1", c.Sentry.DSN)
	require.Empty(t, getenv("HOME"), "nothing else is read from files")

	for name, c := range map[string]struct{ env, content, want string }{
		"both":   {"postgres://other/x", "postgres://db/hookflow", "is set, and so is DATABASE_URL"},
		"absent": {"", "", "names a file that cannot be read"},
		"empty":  {"", "\n \n", "names an empty file"},
		"UTF-16": {"", "\xFF\xFEp\x00", "UTF-16"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			contents := map[string]string{}
			if c.content != "" {
				contents["/db"] = c.content
			}
			read := files(contents)
			_, err := Load(Dev, FromFiles(environment(map[string]string{"DATABASE_URL": c.env, "DATABASE_URL_FILE": "/db"}), read), read)
			require.ErrorContains(t, err, "DATABASE_URL_FILE")
			require.ErrorContains(t, err, c.want)
		})
	}
}

// An editor's byte order mark in front of a sender's secret would refuse all of its requests.
func TestSecretFiles_byteOrderMark(t *testing.T) {
	t.Parallel()
	read := files(map[string]string{"/s": "\uFEFFwhsec_1\nwhsec_2\n", "/wide": "\xFE\xFF\x00w"})
	text, err := SecretText("X", environment(map[string]string{"X_FILE": "/s"}), read)
	require.NoError(t, err)
	require.Equal(t, "whsec_1,whsec_2", text)
	_, err = SecretText("X", environment(map[string]string{"X_FILE": "/wide"}), read)
	require.ErrorContains(t, err, "UTF-16")
	var c Config
	require.NoError(t, c.ReadWebhooks(environment(map[string]string{"A_FILE": "/s"}), read, []string{"A"}, nil))
	require.Equal(t, []string{"whsec_1", "whsec_2"}, c.Webhooks.Secrets["A"])
}

// What Kubernetes sets for a service of that name stops no command but the one whose setting it is.
func TestLoad_readsOnlyItsOwn(t *testing.T) {
	t.Parallel()
	linked := map[string]string{"DATABASE_URL": "postgres://db/hookflow", "HOOKFLOW_POSTGRES_PORT": "tcp://10.1.2.3:5432",
		"HOOKFLOW_TEMPORAL_PORT": "tcp://10.1.2.3:7233", "HOOKFLOW_TEMPORAL_UI_PORT": "tcp://10.1.2.3:8233", "HOOKFLOW_POSTGRES_PASSWORD": "a b"}
	_, err := Load(Serve, environment(linked), noFile)
	require.NoError(t, err)
	_, err = Load(Dev, environment(linked), noFile)
	for name := range linked {
		if name != "DATABASE_URL" {
			require.ErrorContains(t, err, name)
		}
	}
}
