package progress

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestReportsOnATerminalAndElsewhere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		terminal bool
		want     string
	}{
		"terminal": {true, "> begins\n> [============            ] half\r\x1b[K> done\n"},
		"file":     {false, "> begins\n> half\n> done\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := time.Unix(0, 0)
			var out strings.Builder
			report := New(&out, "> ", c.terminal, func() time.Time { return now })
			report.Say("begins")
			report(Report{Passing: true, Text: "too early", Done: 1, Total: 4})
			now = now.Add(time.Minute)
			report(Report{Passing: true, Text: "half", Done: 2, Total: 4})
			report(Report{Passing: true, Text: "too early again", Done: 3, Total: 4})
			report.Say("done")
			require.Equal(t, c.want, out.String())
		})
	}
	Func(nil).Say("nobody listens")
}

// go prints a module for each download and a package for each compilation.
func TestGoCommandCounts(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	var last Report
	g := &GoCommand{What: "Building", Total: 4, Report: func(r Report) { last = r }, Now: func() time.Time {
		now = now.Add(10 * time.Second)
		return now
	}}
	g.began = g.Now()
	g.follow(strings.NewReader("go: downloading example.test/a v1.0.0\n"))
	require.Equal(t, "Building: 1 modules downloaded (10s).", last.Text)
	g.follow(strings.NewReader("errors\nexample.test/a\n"))
	require.Equal(t, "Building: 2 of 4 packages (50 %), 40s so far, about 20s left.", last.Text)
	require.Equal(t, 2, last.Done)
	g.follow(strings.NewReader("# example.test/a\na.go:1:1: broken code here\n"))
	require.Equal(t, []string{"# example.test/a", "a.go:1:1: broken code here"}, g.kept)
	require.Equal(t, 2, g.compiled, "an error is no package")
	g.follow(strings.NewReader("example.test/b\nexample.test/c\n"))
	require.Equal(t, "Building: all 4 packages compiled, linking (1m20s).", last.Text)
}

// go prints nothing while it links; the reports go on.
func TestGoCommandReportsWhileGoIsSilent(t *testing.T) {
	t.Parallel()
	reports := make(chan Report, 1000)
	g := &GoCommand{What: "Building", Report: func(r Report) { reports <- r }, Now: time.Now}
	cmd := exec.Command("cat")
	hold, err := cmd.StdinPipe()
	require.NoError(t, err)
	finished := make(chan error, 1)
	go func() { finished <- g.Run(cmd) }()
	for range 2 {
		r := <-reports
		require.True(t, r.Passing)
		require.Regexp(t, `^Building \(\d+s\)\.$`, r.Text)
	}
	require.NoError(t, hold.Close())
	require.NoError(t, <-finished)
}

func TestGoCommandThatFailsSaysWhy(t *testing.T) {
	t.Parallel()
	g := &GoCommand{What: "Building", Now: time.Now}
	err := g.Run(exec.Command("sh", "-c", "echo example.test/a >&2; echo '# example.test/b' >&2; echo 'b.go:1: no such thing' >&2; exit 1"))
	require.ErrorContains(t, err, "b.go:1: no such thing")
	require.NotContains(t, err.Error(), "example.test/a")
}
