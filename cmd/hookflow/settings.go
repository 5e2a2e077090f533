package main

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"

	"hookflow/config"
)

// secretsFile is where dev keeps the secrets that it generated, below the data folder, mode 0600.
const secretsFile = "secrets.env"

// dotEnv is read in the folder that a command runs in, as dev does.
const dotEnv = ".env"

// addressesFile is where dev writes where it listens and what opens it, below the data folder, mode 0600, so that commands in
// another terminal reach it whatever its environment was.
const addressesFile = "addresses.env"

// Where serve listens unless told otherwise: webhooks, and /v1.
const (
	defaultURL    = "http://127.0.0.1:8080"
	defaultOpsURL = "http://127.0.0.1:9090"
)

// setting returns the value that a server started in this folder would use: the environment's, else .env's, else what the
// dev of this folder noted at its last start, else the one that it generated. Empty where there is none. The commands that speak
// to such a server need it.
func (env environment) setting(name string) string {
	value, _ := env.settingAt(name)
	return value
}

// settingAt is setting with the file that the value stands in, "" for the environment.
func (env environment) settingAt(name string) (value, file string) {
	if value := env.getenv(name); value != "" && !anyPort(name, value) {
		return value, ""
	}
	for _, file := range []string{dotEnv, env.addressesPath(), env.secretsPath()} {
		if value := readSettings(file)[name]; value != "" && !anyPort(name, value) {
			return value, file
		}
	}
	return "", ""
}

// anyPort reports whether a value asks for a free port: which one it became, dev has noted.
func anyPort(name, value string) bool {
	return strings.HasPrefix(name, "HOOKFLOW_") &&
		(strings.HasSuffix(name, "_ADDR") && strings.HasSuffix(value, ":0") || strings.HasSuffix(name, "_PORT") && value == "0")
}

func (env environment) secretsPath() string { return filepath.Join(env.dataFolder(), secretsFile) }

func (env environment) addressesPath() string { return filepath.Join(env.dataFolder(), addressesFile) }

func (env environment) dataFolder() string {
	return cmp.Or(env.getenv("HOOKFLOW_DATA_DIR"), readSettings(dotEnv)["HOOKFLOW_DATA_DIR"], ".hookflow")
}

// readSettings reads a file as dev reads .env. A missing file is an empty one, and a line that cannot be read is passed
// over: what is then missing is reported by name, which says more than a path would.
func readSettings(file string) map[string]string {
	f, err := os.Open(file)
	if err != nil {
		return nil
	}
	defer f.Close()
	found, _ := config.LoadDotEnv(f)
	return found
}

// secrets splits a comma-separated setting and drops what is empty.
func (env environment) secrets(name string) []string {
	var found []string
	for secret := range strings.SplitSeq(env.setting(name), ",") {
		if secret = strings.TrimSpace(secret); secret != "" {
			found = append(found, secret)
		}
	}
	return found
}

// webhookURL is the base URL that webhooks are posted to: the public one, else the address the server listens on.
func (env environment) webhookURL() string {
	return cmp.Or(env.setting("HOOKFLOW_PUBLIC_URL"), config.AddressURL(env.setting("HOOKFLOW_HTTP_ADDR")), defaultURL)
}

// postURL is where send goes: to the dev of this folder directly, since the tunnel of its public URL need not be up, else to
// webhookURL. What is signed is webhookURL in any case.
func (env environment) postURL() string {
	if env.getenv("HOOKFLOW_PUBLIC_URL") == "" && readSettings(env.addressesPath()) != nil {
		if local := config.AddressURL(env.setting("HOOKFLOW_HTTP_ADDR")); local != "" {
			return local
		}
	}
	return env.webhookURL()
}

// program is what a command of hookflow begins with in this terminal, and in another one in the same folder: the program as it
// was called, behind the data folder that it was called with.
func (env environment) program() string {
	name := "hookflow"
	if filepath.Base(os.Args[0]) == name {
		name = os.Args[0]
	}
	return env.inFolder() + name
}

// inFolder is what a command in another terminal needs in front to find this dev: nothing, where it lies in the usual folder.
func (env environment) inFolder() string {
	dir := env.getenv("HOOKFLOW_DATA_DIR")
	if dir == "" || dir == ".hookflow" {
		return ""
	}
	if strings.ContainsFunc(dir, func(r rune) bool {
		return !strings.ContainsRune(plainInShell, r) && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) {
		dir = "'" + strings.ReplaceAll(dir, "'", `'\''`) + "'"
	}
	return "HOOKFLOW_DATA_DIR=" + dir + " "
}

// plainInShell are the characters, beside letters, that need no quotes.
const plainInShell = "0123456789/._-+:,@%"

// opsURL is the base URL of /v1: where HOOKFLOW_OPS_ADDR says, else where the dev of this folder listens, else where serve
// does.
func (env environment) opsURL() string {
	ops := config.AddressURL(env.setting("HOOKFLOW_OPS_ADDR"))
	if ops == "" && readSettings(env.secretsPath()) != nil { // a folder of dev, where /v1 shares the listener of the webhooks
		ops = cmp.Or(config.AddressURL(env.setting("HOOKFLOW_HTTP_ADDR")), defaultURL)
	}
	return cmp.Or(ops, defaultOpsURL)
}

// apiToken is the first token of HOOKFLOW_API_TOKEN, whose elements are "token" or "name:token".
func (env environment) apiToken() string {
	tokens := env.secrets("HOOKFLOW_API_TOKEN")
	if len(tokens) == 0 {
		return ""
	}
	if _, token, named := strings.Cut(tokens[0], ":"); named {
		return strings.TrimSpace(token)
	}
	return tokens[0]
}
