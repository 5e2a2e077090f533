package config

import (
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func TestLoadDotEnv(t *testing.T) {
	t.Parallel()
	values, err := LoadDotEnv(strings.NewReader("\uFEFF# a comment\r\n\r\n" + strings.Join([]string{
		`PLAIN=value`, `export EXPORTED = spaced out `, `EMPTY=`, `COMMENTED=value # why`, `HASH=va#lue`, `ONLY=#comment`,
		`SINGLE='a $b \n # c' # why`, `DOUBLE="a\tb\n\"c\" \$ \\ \x"`, `EQUALS=a=b`, `TWICE=first`, `TWICE=second`, `DOLLAR=pa$$word`,
	}, "\r\n")))
	require.NoError(t, err)
	require.Equal(t, map[string]string{
		"PLAIN": "value", "EXPORTED": "spaced out", "EMPTY": "", "COMMENTED": "value", "HASH": "va#lue", "ONLY": "",
		"SINGLE": `a $b \n # c`, "DOUBLE": "a\tb\n\"c\" $ \\ \\x", "EQUALS": "a=b", "TWICE": "second", "DOLLAR": "pa$$word",
	}, values)
}

func TestLoadDotEnv_problems(t *testing.T) {
	t.Parallel()
	values, err := LoadDotEnv(strings.NewReader("GOOD=1\ncanary\n1X=canary\n=canary\nA='canary\nB=\"canary\"canary\nC=\"canary\\\"\n"))
	require.Equal(t, map[string]string{"GOOD": "1"}, values)
	require.NotContains(t, err.Error(), "canary", "a line may hold a secret")
	lines := strings.Split(err.Error(), "\n")
	require.Len(t, lines, 6)
	require.Equal(t, ".env:2: the line does not begin with NAME=; write: NAME=value, or NAME='value'", lines[0])
	require.Contains(t, lines[3], ".env:5: the quote is not closed")
	require.Contains(t, lines[4], ".env:6: something follows the closing quote")
}

func TestLoadDotEnv_unreadable(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken disk")
	_, err := LoadDotEnv(iotest.ErrReader(broken))
	require.ErrorIs(t, err, broken)
}

func TestOver_environmentWins(t *testing.T) {
	t.Parallel()
	getenv := Over(environment(map[string]string{"A": "environment", "B": ""}), map[string]string{"A": "file", "B": "file", "C": "file"})
	require.Equal(t, "environment", getenv("A"))
	require.Equal(t, "file", getenv("B"))
	require.Equal(t, "file", getenv("C"))
	require.Empty(t, getenv("D"))
}

func FuzzLoadDotEnv(f *testing.F) {
	f.Add("A=b\nexport C='d' # e\nF=\"g\\n\"\n")
	f.Add("=\n'\n\"\\")
	f.Fuzz(func(t *testing.T, text string) {
		values, _ := LoadDotEnv(strings.NewReader(text))
		for name := range values {
			require.Regexp(t, variableName, name)
		}
	})
}
