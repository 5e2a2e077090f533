package main

import (
	"encoding/json"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a sender writes moves no cursor, sets no title and turns no text around, and in JSON it stays the same value.
func TestOutputIsPrintable(t *testing.T) {
	t.Parallel()
	const odd = "a\u009b2Jb\u009dc\u007fd\u202ee\u2066f\u200bg\ufeffh\u2028i\u00adj\u061ck"
	var out strings.Builder
	safe := &safeOutput{to: &out}
	quoted := `{"` + odd + `":"` + odd + `"}`
	_, err := io.WriteString(safe, quoted)
	require.NoError(t, err)
	require.NotContains(t, out.String(), "\u009b")
	for _, r := range out.String() {
		require.False(t, unprintable(r), "%U", r)
	}
	var before, after map[string]string
	require.NoError(t, json.Unmarshal([]byte(quoted), &before))
	require.NoError(t, json.Unmarshal([]byte(out.String()), &after))
	require.Equal(t, before, after)

	for text, want := range map[string]string{
		"plain\ttext\n":      "plain\ttext\n",
		"größe 日本 😀":         "größe 日本 😀",
		"\x1b[31mred\x1b[0m": "\x1b[31mred\x1b[0m",
		"\x1b]0;title\x07":   `\u001b]0;title\u0007`,
		"\x1b[2Jgone":        `\u001b[2Jgone`,
		"bad \xff":           `bad \ufffd`,
		"\x00":               `\u0000`,
	} {
		require.Equal(t, want, string(escapeUnprintable([]byte(text))))
	}
	require.Equal(t, `a\u000ab\u001b[31m`, printable("a\nb\x1b[31m"), "one line, no colour")
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// A command whose output is lost does not end well; one whose reader wanted no more does.
func TestOutputThatIsLost(t *testing.T) {
	t.Parallel()
	run := func(err error) (int, string) {
		var errs strings.Builder
		code := run(t.Context(), []string{"providers", "list"}, func(string) string { return "" }, strings.NewReader(""), failing{err}, &errs)
		return code, errs.String()
	}
	code, said := run(&os.PathError{Op: "write", Path: "/dev/full", Err: syscall.ENOSPC})
	require.Equal(t, exitFailed, code)
	require.Contains(t, said, "no space left")
	code, _ = run(&os.PathError{Op: "write", Path: "|1", Err: syscall.EPIPE})
	require.Zero(t, code)
}

// No command shows a connection string that it cannot read: a password may stand in it.
func TestMigrateShowsNoURL(t *testing.T) {
	t.Parallel()
	var out, errs strings.Builder
	code := run(t.Context(), []string{"migrate", "up"}, func(name string) string {
		return map[string]string{"DATABASE_URL": "postgres://user:c4nary pass word@host:port/db?x=%zz"}[name]
	}, strings.NewReader(""), &out, &errs)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs.String(), "DATABASE_URL")
	require.NotContains(t, out.String()+errs.String(), "c4nary")
}
