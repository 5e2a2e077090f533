// Package architecture holds the walls of the house: who may import whom, and why not.
package architecture

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "hookflow/"

// may lists, for each room, the rooms that it may import itself. Imports run downwards only: what is not listed is
// forbidden, so that a new arrow is a decision made here.
var may = map[string][]string{
	"event":      {},
	"providers":  {"event", "internal/yamlfile"},
	"routing":    {"event"},
	"migrations": {"event", "internal/pooler"},
	"store":      {"event", "internal/pooler"},
	"workflows":  {"event", "routing"},
	"telemetry":  {},
	"config":     {},
	"delivery":   {"event"},
	"activities": {"event", "store", "routing", "telemetry", "delivery"},
	"intake":     {"event", "store", "telemetry"},
	"api":        {"event", "providers", "telemetry"},
	"worker":     {"workflows", "activities", "store", "event", "routing", "telemetry"},
	"samples":    {"event", "providers"},
}

// never lists what a room must not reach, not even through others, with the reason.
var never = map[string]map[string]string{
	"event": {"github.com/": "the noun depends on nothing, so that everything may depend on it", "go.temporal.io/": "see above"},
	"workflows": {
		"github.com/jackc/pgx": "a workflow that can reach a database is not deterministic",
		"hookflow/store":       "see pgx",
		"hookflow/activities":  "workflows name activities by string, so that neither pulls in the other",
	},
	"api": {
		"go.temporal.io/":      "the door knows that an event is durable, not how",
		"github.com/jackc/pgx": "see Temporal",
		"hookflow/store":       "the door declares what it needs of the ledger",
	},
	"providers": {"go.temporal.io/": "who sent it has nothing to do with what runs then", "github.com/jackc/pgx": "see Temporal"},
	"routing":   {"go.temporal.io/": "a plan is data; workflows turn it into Temporal's options", "github.com/jackc/pgx": "a plan is data"},
	"delivery":  {"go.temporal.io/": "what a receiver sees has nothing to do with when it is tried again", "github.com/jackc/pgx": "see Temporal"},
	"store":     {"go.temporal.io/": "the ledger must outlive Temporal"},
	"config":    {"hookflow/": "everybody may be told a setting, nobody may ask for one: only cmd reads config"},
	"telemetry": {"hookflow/": "what is told must not know who tells it"},
}

// list runs go list for the packages of this module, without their tests.
func list(t *testing.T, format string) map[string][]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", format, module+"...").CombinedOutput()
	require.NoError(t, err, string(out))
	packages := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		name, imports, _ := strings.Cut(strings.TrimSpace(line), " ")
		packages[strings.TrimPrefix(name, module)] = strings.Fields(imports)
	}
	return packages
}

func TestImportsRunDownwards(t *testing.T) {
	t.Parallel()
	imports := list(t, `{{.ImportPath}} {{join .Imports " "}}`)
	for room, allowed := range may {
		require.Contains(t, imports, room, "the room is gone; take it out of the list")
		for _, imported := range imports[room] {
			other, ours := strings.CutPrefix(imported, module)
			if ours {
				require.Contains(t, allowed, other, "%s imports %s; if that arrow is wanted, add it to may in this file", room, other)
			}
		}
	}
	for room := range imports {
		known := strings.HasPrefix(room, "cmd/") || strings.HasPrefix(room, "internal/") || room == "e2e" || room == "bench" ||
			strings.HasPrefix(room, "scripts/") || may[room] != nil
		require.True(t, known, "%s is a new room: say in this file what it may import", room)
	}
}

func TestImportsNever(t *testing.T) {
	t.Parallel()
	deps := list(t, `{{.ImportPath}} {{join .Deps " "}}`)
	for room, forbidden := range never {
		for prefix, why := range forbidden {
			for _, dep := range deps[room] {
				require.False(t, strings.HasPrefix(dep, prefix), "%s reaches %s: %s", room, dep, why)
			}
		}
	}
	for room, reached := range deps {
		for _, dep := range reached {
			require.False(t, strings.HasPrefix(dep, module+"cmd/"), "%s reaches %s: nobody imports a command", room, dep)
			production := !strings.HasPrefix(room, "internal/") && !strings.HasPrefix(room, "e2e") && !strings.HasPrefix(room, "bench")
			require.False(t, production && dep == module+"internal/testkit", "%s reaches testkit: test code stays in tests", room)
			require.False(t, production && strings.HasPrefix(dep, "github.com/Shopify/toxiproxy"), "%s reaches toxiproxy: faults stay in tests", room)
		}
	}
}
