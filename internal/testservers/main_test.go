package main

import (
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

func none(string) string { return "" }

func TestRunsTheCommandBesideTheServers(t *testing.T) {
	t.Parallel()
	var out, errs strings.Builder
	code := run(t.Context(), make(chan os.Signal), []string{"--", "sh", "-c",
		`echo "$HOOKFLOW_TEST_DATABASE_URL"; echo "$HOOKFLOW_TEST_TEMPORAL_ADDRESS"; echo err >&2; exit 7`}, none, &out, &errs)
	require.Equal(t, 7, code, errs.String())
	lines := strings.Split(out.String(), "\n")
	require.Regexp(t, `^postgres://hookflow:\w+@127\.0\.0\.1:\d+/hookflow`, lines[0])
	require.Regexp(t, `^127\.0\.0\.1:\d+$`, lines[1])
	require.Contains(t, errs.String(), "err\n")
	_, err := pgx.Connect(t.Context(), lines[0])
	require.ErrorContains(t, err, "refused", "the server is gone afterwards")
}

// given is an environment in which both servers are there already.
func given(string) string { return "given" }

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args []string
		want int
	}{
		"good":              {[]string{"--", "true"}, 0},
		"without --":        {[]string{"false"}, 1},
		"ended by a signal": {[]string{"--", "sh", "-c", "kill -KILL $$"}, 137},
		"no such command":   {[]string{"--", "/nowhere"}, 127},
		"nothing to run":    {[]string{"--"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var errs strings.Builder
			require.Equal(t, tt.want, run(t.Context(), make(chan os.Signal), tt.args, given, &errs, &errs), errs.String())
		})
	}
}

// firstWrite tells when something was written.
type firstWrite struct {
	once sync.Once
	seen chan struct{}
}

func (w *firstWrite) Write(b []byte) (int, error) {
	w.once.Do(func() { close(w.seen) })
	return len(b), nil
}

// A signal reaches everything that the command started, as Ctrl-C would.
func TestSignalIsPassedOn(t *testing.T) {
	t.Parallel()
	signals, out := make(chan os.Signal, 1), &firstWrite{seen: make(chan struct{})}
	code := make(chan int, 1)
	go func() {
		code <- run(t.Context(), signals, []string{"sh", "-c", "echo up; sh -c 'sleep 60'; exit 3"}, given, out, out)
	}()
	<-out.seen
	signals <- syscall.SIGTERM
	require.Equal(t, 143, <-code)
}
