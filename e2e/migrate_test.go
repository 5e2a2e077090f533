package e2e_test

import (
	"strings"
	"sync"
	"testing"

	"hookflow/internal/testkit"

	"github.com/stretchr/testify/require"
)

func tables(t *testing.T, database string) int {
	t.Helper()
	return testkit.Query[int](t, database, "SELECT count(*)::int FROM information_schema.tables WHERE table_schema = current_schema()")
}

// Several processes may migrate at once: each migration is applied by one of them, and none fails.
func TestMigrationsAtOnce(t *testing.T) {
	t.Parallel()
	env := map[string]string{"DATABASE_URL": testkit.EmptySchema(t)}
	var mu sync.Mutex
	var all []finished
	var migrating sync.WaitGroup
	for range 4 {
		p := run(t, env, "migrate", "up")
		migrating.Go(func() {
			<-p.done
			mu.Lock()
			defer mu.Unlock()
			all = append(all, finished{p.stdout.String(), p.stderr.String(), p.cmd.ProcessState.ExitCode()})
		})
	}
	migrating.Wait()
	applied := ""
	for _, f := range all {
		require.Zero(t, f.code, f.stderr)
		applied += f.stdout
	}
	require.Equal(t, 1, strings.Count(applied, "Applied migration 1.\n"))
	require.Equal(t, 1, strings.Count(applied, "Applied migration 2.\n"))
	require.NotContains(t, command(t, env, "migrate", "status").stdout, "missing")
}

// Down takes back one migration after the other, with data in the tables, and up brings everything back.
func TestMigrateDownAndUpWithData(t *testing.T) {
	t.Parallel()
	in := install(t)
	migrate := func(verb string) string {
		t.Helper()
		ended := command(t, in.env, "migrate", verb)
		require.Zero(t, ended.code, ended.stderr)
		return ended.stdout
	}
	s := in.serve()
	key := s.acceptNew()
	s.awaitCompleted(key)
	s.drain()
	require.Contains(t, migrate("up"), "up to date")
	whole := columns(t, in.database)

	require.Contains(t, migrate("down"), "Took back migration")
	require.Contains(t, migrate("status"), "missing")
	require.Less(t, columns(t, in.database), whole)
	require.Equal(t, 1, in.rows("true"), "the ledger is another migration's")
	migrate("up")
	require.Equal(t, whole, columns(t, in.database))
	s = in.serve()
	require.Equal(t, key, s.show(key).Provider+":"+s.show(key).EventID)
	s.drain()

	for !strings.Contains(migrate("down"), "nothing to take back") {
	}
	require.Equal(t, 1, tables(t, in.database), "what is left is the list of migrations, empty")
	migrate("up")
	require.Equal(t, whole, columns(t, in.database))
	s = in.with("TEMPORAL_NAMESPACE", testkit.Namespace(t)).serve() // a new ledger: beside the old one's workers it is refused
	s.awaitCompleted(s.acceptNew())
}

// A database that holds somebody else's webhook_events is left as it is.
func TestForeignDatabase(t *testing.T) {
	t.Parallel()
	database := testkit.EmptySchema(t)
	testkit.Exec(t, database, "CREATE TABLE webhook_events (theirs text)")
	testkit.Exec(t, database, "INSERT INTO webhook_events VALUES ('precious')")
	for _, verb := range []string{"up", "down", "status"} {
		ended := command(t, map[string]string{"DATABASE_URL": database}, "migrate", verb)
		require.Equal(t, 1, ended.code, verb)
		require.Contains(t, ended.stderr, "hookflow did not create", verb)
	}
	dev := command(t, map[string]string{
		"DATABASE_URL": database, "TEMPORAL_ADDRESS": testkit.TemporalAddress(t),
		"HOOKFLOW_HTTP_ADDR": "127.0.0.1:0", "HOOKFLOW_DATA_DIR": t.TempDir(),
	}, "dev")
	require.Equal(t, 1, dev.code, dev.stderr)
	require.Contains(t, dev.stdout, "USING THE TEMPORAL OF TEMPORAL_ADDRESS")
	require.Contains(t, dev.stderr, "DATABASE_URL of the environment cannot be used: the database has a table webhook_events that hookflow did not create")
	require.Equal(t, 1, tables(t, database))
	require.Equal(t, "precious", testkit.Query[string](t, database, "SELECT theirs FROM webhook_events"))
}

// columns counts those of all tables of a schema.
func columns(t *testing.T, database string) int {
	t.Helper()
	return testkit.Query[int](t, database, "SELECT count(*)::int FROM information_schema.columns WHERE table_schema = current_schema()")
}
