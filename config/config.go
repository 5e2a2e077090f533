// Package config reads what an operator says: environment variables and one YAML file. Everything that is wrong is
// reported at once, each with what to write instead, and no message holds the value of a secret.
package config

import (
	_ "embed"
	"errors"
	"slices"
	"time"
)

// DefaultYAML is the file that HOOKFLOW_CONFIG replaces as a whole. It says what each key does.
//
//go:embed default.yaml
var DefaultYAML []byte

// Schema is the JSON Schema (draft 2020-12) of that file, for editors.
//
//go:embed schema.json
var Schema []byte

// defaultName is how messages call the embedded file.
const defaultName = "default.yaml"

// Mode is the command that asks: a few defaults differ.
type Mode string

// The modes.
const (
	Dev   Mode = "dev"   // everything on this machine
	Serve Mode = "serve" // a server that senders reach
)

// MaxSecrets is how many secrets of one provider may be current while they are rotated: each costs one HMAC per wrong
// request.
const MaxSecrets = 5

// Config is everything that can be set.
type Config struct {
	Mode   Mode
	Stripe Stripe
	Sentry Sentry
	Traces Traces
	// Webhooks are the secrets and settings of those who send webhooks; see ReadWebhooks.
	Webhooks Webhooks

	// DatabaseURL is Postgres; in dev empty means the private server.
	DatabaseURL string
	// TemporalAddress and TemporalNamespace are here for messages, as they were written; envconfig reads them and
	// Temporal's other variables. In dev an empty address means the dev server.
	TemporalAddress, TemporalNamespace string

	// TemporalUIURL is where people reach the Temporal UI; empty means that /v1 names no address of a run.
	TemporalUIURL string
	// HTTPAddr takes webhooks, OpsAddr carries /v1 and /metrics. Both are host:port; see OneListener.
	HTTPAddr, OpsAddr string
	// PublicURL is what senders call, as it was written: scheme, host, perhaps a prefix, no slash at the end. In dev it
	// follows from HTTPAddr; it is empty where that has port 0, and AddressURL of the listener is then the answer.
	PublicURL string
	// APITokens open /v1; without one it is closed.
	APITokens []Token

	// File is the YAML with the routes (routing.Parse reads them) and FileName how messages call it.
	File     []byte
	FileName string

	// DataDir is where dev keeps its state.
	DataDir string
	// PayloadRetention is how long the content of an event is kept after it was received.
	PayloadRetention time.Duration
	// TaskQueue is where the installation's runs wait for its workers; its queues, schedules and workflow IDs are named after it.
	TaskQueue string
	// DrainDelay is how long a process, asked to stop, says so and goes on taking requests before it closes its listeners.
	DrainDelay time.Duration
	// OpsHosts are further hosts that /v1 and /metrics answer under, in lower case; see HOOKFLOW_OPS_HOSTS.
	OpsHosts []string
	// IdleTimeout is how long a connection without a request is kept.
	IdleTimeout time.Duration
	// The ports of dev's own servers; 0 takes a free one.
	TemporalPort, TemporalUIPort, PostgresPort int
	// PostgresPassword is that of the user hookflow of dev's own Postgres; empty generates one for each start.
	PostgresPassword string
}

// Stripe is what handlers need of it.
type Stripe struct {
	APIKey string // lets them retrieve objects; empty: they do without
	APIURL string // where they do so; empty: Stripe's own address
}

// Sentry is off without a DSN.
type Sentry struct {
	DSN              string
	TracesSampleRate float64 // 0 to 1
	// Environment and Release are what Sentry calls where this runs and which version; empty: the program's own words.
	Environment, Release string
}

// Token opens /v1. Name is the author of what its holder does; empty where none was given.
type Token struct {
	Name   string
	Secret string
}

// OneListener reports whether webhooks and /v1 share a listener.
func (c Config) OneListener() bool { return c.HTTPAddr == c.OpsAddr }

// BuiltInFile reports whether File is the embedded one, which names providers that may be off.
func (c Config) BuiltInFile() bool { return c.FileName == defaultName }

// Secrets returns the secrets in c, so that they can be kept out of logs. The password in DatabaseURL is not among them: pgx
// never shows it.
func (c Config) Secrets() []string {
	all := []string{c.Stripe.APIKey, c.Sentry.DSN, c.PostgresPassword}
	for _, secrets := range c.Webhooks.Secrets {
		all = append(all, secrets...)
	}
	for _, t := range c.APITokens {
		all = append(all, t.Secret)
	}
	for _, value := range c.Traces.Headers {
		all = append(all, value)
	}
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}

// String names the mode only: a Config is full of secrets, and this is what %v prints.
func (c Config) String() string { return "config for " + string(c.Mode) }

// GoString is String, for %#v.
func (c Config) GoString() string { return c.String() }

// MarshalText is String, for JSON and slog.
func (c Config) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

const (
	payloadRetention        = "HOOKFLOW_PAYLOAD_RETENTION"
	defaultPayloadRetention = 90 * day
)

// Load reads the environment, and with readFile what HOOKFLOW_CONFIG names. The error joins a *Problem for each thing
// that is wrong; the Config then holds what could be read, so that a caller may look for problems in the routes too. A
// file that is not YAML at all is left for routing.Parse to report.
func Load(mode Mode, getenv func(string) string, readFile func(string) ([]byte, error)) (Config, error) {
	v := &variables{getenv: getenv}
	c := Config{
		Mode: mode,
		Stripe: Stripe{
			APIKey: v.secret("STRIPE_API_KEY"),
			APIURL: v.publicURL("STRIPE_API_URL"),
		},
		Sentry: Sentry{
			DSN:              v.dsn("SENTRY_DSN"),
			TracesSampleRate: v.share("SENTRY_TRACES_SAMPLE_RATE"),
			Environment:      getenv("SENTRY_ENVIRONMENT"),
			Release:          getenv("SENTRY_RELEASE"),
		},
		Traces:            v.traces(),
		DatabaseURL:       v.databaseURL("DATABASE_URL", mode),
		TemporalAddress:   getenv("TEMPORAL_ADDRESS"),
		TemporalNamespace: getenv("TEMPORAL_NAMESPACE"),
		TemporalUIURL:     v.publicURL("HOOKFLOW_TEMPORAL_UI_URL"),
		APITokens:         v.tokens("HOOKFLOW_API_TOKEN"),
		DataDir:           v.text("HOOKFLOW_DATA_DIR", ".hookflow"),
		PayloadRetention:  v.days(payloadRetention, defaultPayloadRetention),
		TaskQueue:         v.taskQueue("HOOKFLOW_TASK_QUEUE"),
		DrainDelay:        v.drainDelay("HOOKFLOW_DRAIN_DELAY", mode),
		IdleTimeout:       v.idleTimeout("HOOKFLOW_IDLE_TIMEOUT"),
	}
	if mode == Dev {
		v.ownServers(&c)
	}
	v.addresses(&c)
	v.file(&c, readFile)
	v.files(readFile)
	return c, errors.Join(v.problems...)
}

// LoadFile reads only the YAML that HOOKFLOW_CONFIG names, else the built-in one: File, FileName and Providers. The error
// joins a *Problem for each thing that is wrong in what config reads of it.
func LoadFile(getenv func(string) string, readFile func(string) ([]byte, error)) (Config, error) {
	v := &variables{getenv: getenv}
	var c Config
	v.file(&c, readFile)
	return c, errors.Join(v.problems...)
}

// PayloadRetention reads how long content is kept, alone. A value that Load refuses is taken for the default.
func PayloadRetention(getenv func(string) string) time.Duration {
	v := &variables{getenv: getenv}
	return v.days(payloadRetention, defaultPayloadRetention)
}

// addresses reads where to listen and what senders call. The ports that dev prints are for this machine; a server's
// webhooks are for everybody, its /v1 and /metrics are not.
func (v *variables) addresses(c *Config) {
	listen, ops := "127.0.0.1:8080", ""
	if c.Mode == Serve {
		listen, ops = ":8080", "127.0.0.1:9090"
	}
	c.HTTPAddr = v.address("HOOKFLOW_HTTP_ADDR", listen)
	if ops == "" {
		ops = c.HTTPAddr
	}
	c.OpsAddr = v.address("HOOKFLOW_OPS_ADDR", ops)
	c.OpsHosts = v.hosts("HOOKFLOW_OPS_HOSTS")
	c.PublicURL = v.publicURL("HOOKFLOW_PUBLIC_URL")
	if v.getenv("HOOKFLOW_PUBLIC_URL") == "" && c.Mode == Dev {
		c.PublicURL = AddressURL(c.HTTPAddr)
	}
}

// ownServers reads what dev starts beside itself. Other commands leave these variables alone: Kubernetes sets
// HOOKFLOW_POSTGRES_PORT=tcp://10.1.2.3:5432 for a service that is called hookflow-postgres.
func (v *variables) ownServers(c *Config) {
	c.TemporalPort = v.port("HOOKFLOW_TEMPORAL_PORT", 7233)
	c.TemporalUIPort = v.port("HOOKFLOW_TEMPORAL_UI_PORT", 8233)
	c.PostgresPort = v.port("HOOKFLOW_POSTGRES_PORT", 54329)
	c.PostgresPassword = v.secret("HOOKFLOW_POSTGRES_PASSWORD")
	v.distinctPorts(*c)
}

// distinctPorts reports two of dev's servers on one port; that a port is taken by something else shows at the start.
func (v *variables) distinctPorts(c Config) {
	taken := map[int]string{}
	for _, p := range []struct {
		name string
		port int
	}{
		{"HOOKFLOW_TEMPORAL_PORT", c.TemporalPort},
		{"HOOKFLOW_TEMPORAL_UI_PORT", c.TemporalUIPort},
		{"HOOKFLOW_POSTGRES_PORT", c.PostgresPort},
	} {
		if other := taken[p.port]; other != "" && p.port != 0 {
			v.report(p.name, "is the port of "+other+" too", "another port")
		}
		taken[p.port] = p.name
	}
}

// file reads the YAML.
func (v *variables) file(c *Config, readFile func(string) ([]byte, error)) {
	c.File, c.FileName = DefaultYAML, defaultName
	if path := v.getenv("HOOKFLOW_CONFIG"); path != "" {
		text, err := readFile(path)
		if err != nil {
			v.report("HOOKFLOW_CONFIG", "names a file that cannot be read: "+err.Error(), "the path of a YAML file, or nothing")
			return
		}
		if path == defaultName {
			path = "./" + path // a file of that name is not the built-in one
		}
		c.File, c.FileName = text, path
	}
}
