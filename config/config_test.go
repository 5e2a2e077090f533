package config

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func environment(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

func noFile(string) ([]byte, error) { return nil, fs.ErrNotExist }

func TestLoad_devNeedsNothing(t *testing.T) {
	t.Parallel()
	c, err := Load(Dev, environment(nil), noFile)
	require.NoError(t, err)
	require.Equal(t, Config{
		Mode:     Dev,
		HTTPAddr: "127.0.0.1:8080", OpsAddr: "127.0.0.1:8080", PublicURL: "http://127.0.0.1:8080",
		File: DefaultYAML, FileName: "default.yaml", DataDir: ".hookflow", PayloadRetention: 90 * 24 * time.Hour,
		TaskQueue: "hookflow", IdleTimeout: 620 * time.Second, TemporalPort: 7233, TemporalUIPort: 8233, PostgresPort: 54329,
	}, c)
	require.True(t, c.OneListener())
}

func TestLoad_serveDefaults(t *testing.T) {
	t.Parallel()
	c, err := Load(Serve, environment(map[string]string{"DATABASE_URL": "postgres://db/hookflow"}), noFile)
	require.NoError(t, err)
	require.Equal(t, ":8080", c.HTTPAddr)
	require.Equal(t, "127.0.0.1:9090", c.OpsAddr)
	require.Empty(t, c.PublicURL)
	require.False(t, c.OneListener())
	require.Equal(t, 2*time.Second, c.DrainDelay)
}

func TestLoad_everything(t *testing.T) {
	t.Parallel()
	c, err := Load(Serve, environment(map[string]string{
		"STRIPE_API_KEY":             "rk_test_1",
		"SENTRY_DSN":                 "https://key@sentry.example.com/42",
		"SENTRY_TRACES_SAMPLE_RATE":  "0.25",
		"DATABASE_URL":               "host=/run/postgresql dbname=hookflow",
		"TEMPORAL_ADDRESS":           "temporal:7233",
		"TEMPORAL_NAMESPACE":         "hooks",
		"HOOKFLOW_HTTP_ADDR":         "[::]:80",
		"HOOKFLOW_OPS_ADDR":          "10.0.0.1:9091",
		"HOOKFLOW_OPS_HOSTS":         "Ops.Example.com., [FD00::0:1]",
		"HOOKFLOW_PUBLIC_URL":        "https://user:pass@Hooks.Example.com:8443/prefix",
		"HOOKFLOW_API_TOKEN":         "0123456789abcdef, ada:fedcba9876543210",
		"HOOKFLOW_CONFIG":            "/etc/hookflow.yaml",
		"HOOKFLOW_DATA_DIR":          "/var/lib/x",
		"HOOKFLOW_PAYLOAD_RETENTION": "30d", "HOOKFLOW_DRAIN_DELAY": "5s", "HOOKFLOW_IDLE_TIMEOUT": "75s", "HOOKFLOW_TASK_QUEUE": "staging-2",
		"HOOKFLOW_POSTGRES_PORT": "tcp://10.1.2.3:5432", "HOOKFLOW_TEMPORAL_PORT": "tcp://10.1.2.3:7233", // Kubernetes' doing
	}), func(path string) ([]byte, error) {
		require.Equal(t, "/etc/hookflow.yaml", path)
		return []byte("routes: []\nproviders: {twilio: {voice_twiml: <Response/>}}\n"), nil
	})
	require.NoError(t, err)
	require.Equal(t, Config{
		Mode:            Serve,
		Stripe:          Stripe{APIKey: "rk_test_1"},
		Sentry:          Sentry{DSN: "https://key@sentry.example.com/42", TracesSampleRate: 0.25},
		DatabaseURL:     "host=/run/postgresql dbname=hookflow",
		TemporalAddress: "temporal:7233", TemporalNamespace: "hooks",
		HTTPAddr: "[::]:80", OpsAddr: "10.0.0.1:9091",
		PublicURL: "https://user:pass@Hooks.Example.com:8443/prefix",
		APITokens: []Token{{Secret: "0123456789abcdef"}, {Name: "ada", Secret: "fedcba9876543210"}},
		File:      []byte("routes: []\nproviders: {twilio: {voice_twiml: <Response/>}}\n"), FileName: "/etc/hookflow.yaml",
		OpsHosts: []string{"ops.example.com", "fd00::1"}, DataDir: "/var/lib/x", PayloadRetention: 30 * 24 * time.Hour, DrainDelay: 5 * time.Second, IdleTimeout: 75 * time.Second, TaskQueue: "staging-2",
	}, c)
}

func TestLoad_problems(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789abcdef", 2)
	for _, test := range []struct{ name, value, want string }{
		{"HOOKFLOW_DRAIN_DELAY", "5", `is "5"; write: a duration from 0s to 60s`},
		{"HOOKFLOW_TASK_QUEUE", "Staging/2", `is "Staging/2"; write: a name of lower-case letters`},
		{"HOOKFLOW_IDLE_TIMEOUT", "0", `is "0"; write: a duration from 1s to 1h`},
		{"HOOKFLOW_DRAIN_DELAY", "-1s", `is "-1s"; write: a duration from 0s to 60s`},
		{"HOOKFLOW_DRAIN_DELAY", "61s", `is "61s"; write: a duration from 0s to 60s`},
		{"STRIPE_API_KEY", "sk test", "holds white space"},
		{"SENTRY_DSN", "sentry.example.com", "is not a DSN; write: https://KEY@HOST/PROJECT"},
		{"SENTRY_DSN", "https://sentry.example.com/42", "is not a DSN"},
		{"SENTRY_DSN", "https://key@sentry.example.com/", "is not a DSN"},
		{"SENTRY_TRACES_SAMPLE_RATE", "2", `is "2"; write: a number from 0 to 1`},
		{"SENTRY_TRACES_SAMPLE_RATE", "NaN", `is "NaN"; write`},
		{"DATABASE_URL", "mysql://x/y", "is not the URL of a Postgres database"},
		{"DATABASE_URL", "postgres://u:%zz@h/d", "is not the URL of a Postgres database; write: postgres://"},
		{"HOOKFLOW_HTTP_ADDR", "8080", `is "8080", not an address to listen on; write: host:port`},
		{"HOOKFLOW_HTTP_ADDR", "http://x:80", `is "http://x:80", not an address to listen on`},
		{"HOOKFLOW_OPS_HOSTS", "ops:9090", `has "ops:9090" in it; write: hosts without scheme and port`},
		{"HOOKFLOW_OPS_HOSTS", "https://ops", `has "https://ops" in it`},
		{"HOOKFLOW_OPS_HOSTS", "*.example.com", `has "*.example.com" in it`},
		{"HOOKFLOW_OPS_ADDR", ":99999", `is ":99999", not an address`},
		{"HOOKFLOW_OPS_ADDR", ":http", `is ":http", not an address`},
		{"HOOKFLOW_PUBLIC_URL", "hooks.example.com", "does not begin with https:// or http://"},
		{"HOOKFLOW_PUBLIC_URL", "ftp://hooks.example.com", "does not begin with https://"},
		{"HOOKFLOW_PUBLIC_URL", "https://", "has no host"},
		{"HOOKFLOW_PUBLIC_URL", "https://:443", "has no host"},
		{"HOOKFLOW_PUBLIC_URL", "https://h.example.com/", "ends with a slash; write: scheme and host"},
		{"HOOKFLOW_PUBLIC_URL", "https://h.example.com?a=b", "has a query or a fragment"},
		{"HOOKFLOW_PUBLIC_URL", "https://h.example.com?", "has a query or a fragment"},
		{"HOOKFLOW_PUBLIC_URL", "https://h.example.com#", "has a query or a fragment"},
		{"HOOKFLOW_PUBLIC_URL", "https://h.example.com/a b", "has no host, or white space"},
		{"HOOKFLOW_PUBLIC_URL", "https://h.example.com:port", "is not a URL"},
		{"HOOKFLOW_API_TOKEN", "short", "the token of element 1 is shorter than 16 bytes; write: token or name:token"},
		{"HOOKFLOW_API_TOKEN", long + ",ada:short", "the token of element 2 is shorter than 16 bytes"},
		{"HOOKFLOW_API_TOKEN", ":" + long, "element 1 has an empty name"},
		{"HOOKFLOW_API_TOKEN", "a:" + long + ",b:" + long, "element 2 repeats the token of another"},
		{"HOOKFLOW_API_TOKEN", long + " " + long, "element 1 holds white space"},
		{"HOOKFLOW_API_TOKEN", long + ",", "has an empty element"},
		{"HOOKFLOW_CONFIG", "/nowhere", "names a file that cannot be read: file does not exist; write: the path of a YAML file"},
		{"HOOKFLOW_PAYLOAD_RETENTION", "90", `is "90"; write: a number of days such as 90d`},
		{"HOOKFLOW_PAYLOAD_RETENTION", "0d", `is "0d"`},
		{"HOOKFLOW_PAYLOAD_RETENTION", "-5h", `is "-5h"`},
		{"HOOKFLOW_PAYLOAD_RETENTION", "xd", `is "xd"`},
		{"HOOKFLOW_TEMPORAL_PORT", "99999", `is "99999"; write: a port`},
		{"HOOKFLOW_TEMPORAL_UI_PORT", "7233", "is the port of HOOKFLOW_TEMPORAL_PORT too; write: another port"},
		{"HOOKFLOW_POSTGRES_PORT", "-1", `is "-1"; write: a port`},
	} {
		t.Run(fmt.Sprintf("%s=%q", test.name, test.value), func(t *testing.T) {
			t.Parallel()
			_, err := Load(Dev, environment(map[string]string{test.name: test.value}), noFile)
			require.ErrorContains(t, err, test.name+": "+test.want, "")
			require.Len(t, strings.Split(err.Error(), "\n"), 1, "one mistake, one problem")
			var problem *Problem
			require.True(t, errors.As(err, &problem))
			require.NotEmpty(t, problem.Write)
		})
	}
}

func TestLoad_serveNeeds(t *testing.T) {
	t.Parallel()
	_, err := Load(Serve, environment(nil), noFile)
	require.ErrorContains(t, err, "DATABASE_URL: is not set")
}

func TestLoad_everyProblemAtOnce(t *testing.T) {
	t.Parallel()
	c, err := Load(Dev, environment(map[string]string{
		"STRIPE_API_KEY": "a b", "SENTRY_DSN": "x", "HOOKFLOW_HTTP_ADDR": "x", "HOOKFLOW_TEMPORAL_PORT": "x",
		"HOOKFLOW_CONFIG": "routes.yaml",
	}), func(string) ([]byte, error) { return []byte("routes: 7\n"), nil })
	lines := strings.Split(err.Error(), "\n")
	require.Len(t, lines, 4)
	require.NotEmpty(t, c.File, "the caller looks for problems in the routes, too")
}

// Every variable that may hold a secret gets values that are wrong in as many ways as possible.
func TestLoad_neverShowsASecret(t *testing.T) {
	t.Parallel()
	const canary = "c4nary"
	shapes := []string{
		canary, canary + ",", canary + " x", canary + "\x00", "https://" + canary + "@/", canary + "://x:y@h", "%zz" + canary,
		"postgres://u:" + canary + "%zz@h/d", "https://u:" + canary + "@h/?q", "name:" + canary, strings.Repeat(canary+",", 9) + canary,
		"name:" + canary + strings.Repeat("x", 20) + ",other:" + canary + strings.Repeat("x", 20),
	}
	failures := 0
	for _, name := range []string{
		"STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRET", "SENTRY_DSN", "DATABASE_URL", "HOOKFLOW_PUBLIC_URL", "HOOKFLOW_API_TOKEN",
	} {
		for _, shape := range shapes {
			c, err := Load(Serve, environment(map[string]string{name: shape}), noFile)
			err = errors.Join(err, c.ReadWebhooks(environment(map[string]string{name: shape}), noFile, []string{"STRIPE_WEBHOOK_SECRET"}, nil))
			require.Error(t, err) // DATABASE_URL at least
			require.NotContains(t, err.Error(), canary, name)
			require.NotContains(t, fmt.Sprintf("%v %+v %#v %s", c, c, c, c), canary, name)
			failures += strings.Count(err.Error(), name+": ")
		}
	}
	require.Greater(t, failures, 30, "the shapes are wrong in many ways")
}

func TestAddressURL(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		":8080": "http://127.0.0.1:8080", "0.0.0.0:1": "http://127.0.0.1:1", "[::]:1": "http://127.0.0.1:1",
		"[::1]:1": "http://[::1]:1", "box:80": "http://box:80", "127.0.0.1:0": "", "x": "",
	} {
		require.Equal(t, want, AddressURL(address), address)
	}
}

func TestLoadFile(t *testing.T) {
	t.Parallel()
	c, err := LoadFile(environment(nil), noFile)
	require.NoError(t, err)
	require.True(t, c.BuiltInFile())
	read := func(string) ([]byte, error) { return []byte("routes: []"), nil }
	c, err = LoadFile(environment(map[string]string{"HOOKFLOW_CONFIG": "default.yaml"}), read)
	require.NoError(t, err)
	require.Equal(t, "./default.yaml", c.FileName)
	require.False(t, c.BuiltInFile(), "a file of that name is the operator's")
}

func TestSections(t *testing.T) {
	t.Parallel()
	before := Sections([]byte("# a comment\nroutes: []\nproviders: {twilio: {voice_twiml: x}, a: 1}\n"))
	after := Sections([]byte("providers:\n  a: 1 # another\n  twilio: {voice_twiml: 'x'}\nroutes: []\n"))
	require.Equal(t, before, after)
	require.Len(t, before, 2)
	require.NotEqual(t, before, Sections([]byte("routes: []\nproviders: {a: 1}\n")))
	require.Nil(t, Sections([]byte("- a")))
}
