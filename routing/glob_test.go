package routing

import (
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestGlobMatch(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		glob, s string
		want    bool
	}{
		{"checkout.session.completed", "checkout.session.completed", true},
		{"checkout.session.completed", "checkout.session.complete", false},
		{"checkout.session.completed", "Checkout.session.completed", false},
		{"checkout.session.*", "checkout.session.expired", true},
		{"checkout.session.*", "checkout.session.", true},
		{"checkout.session.*", "checkout.session", false},
		{"checkout.session.*", "checkoutXsession.expired", false}, // a dot is a dot
		{"*", "", true},
		{"*", "anything at all", true},
		{"", "", true},
		{"", "x", false},
		{"?", "é", true},
		{"?", "éé", false},
		{"a?c", "a€c", true},
		{"*.failed", "invoice.payment.failed", true},
		{"*.failed", "invoice.failed.payment", false},
		{"a*b*c", "a-b-b-c", true},
		{"a*b*c", "a-c-b", false},
		{"**a**", "xax", true},
		{"[ab]", "a", false}, // brackets are literal
		{"[ab]", "[ab]", true},
		{`\*`, `\anything`, true}, // and so is a backslash
		{"a", "a*", false},
	} {
		require.Equal(t, test.want, globMatch(test.glob, test.s), "%q on %q", test.glob, test.s)
	}
}

var (
	someGlob = rapid.StringOfN(rapid.RuneFrom([]rune("abé.*?")), 0, 8, -1)
	someType = rapid.StringOfN(rapid.RuneFrom([]rune("abcé.")), 0, 8, -1)
)

// asRegexp is the oracle: the same glob for a different engine.
func asRegexp(glob string) *regexp.Regexp {
	quoted := regexp.QuoteMeta(glob)
	quoted = strings.ReplaceAll(quoted, `\*`, `.*`)
	return regexp.MustCompile(`(?s)\A` + strings.ReplaceAll(quoted, `\?`, `.`) + `\z`)
}

func TestGlobMatch_agreesWithRegexp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		glob, s := someGlob.Draw(t, "glob"), someType.Draw(t, "type")
		require.Equal(t, asRegexp(glob).MatchString(s), globMatch(glob, s))
	})
}

func TestGlobMatch_hostileGlobIsFast(t *testing.T) {
	t.Parallel()
	glob := strings.Repeat("a*", maxGlob/2-1) + "b"
	began := time.Now()
	require.False(t, globMatch(glob, strings.Repeat("a", 1024)))
	require.Less(t, time.Since(began), time.Minute, "an exponential matcher would take for ever")
}

func TestGlobCovers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		wide, narrow string
		want         bool
	}{
		{"*", "checkout.*", true},
		{"*", "", true},
		{"checkout.*", "*", false},
		{"checkout.*", "checkout.session.*", true},
		{"checkout.*", "checkout.session.completed", true},
		{"checkout.session.*", "checkout.*", false},
		{"a?c", "abc", true},
		{"abc", "a?c", false},
		{"a?c", "a*c", false},
		{"a*c", "a?c", true},
		{"*?", "?*", true},
		{"?*", "*?", true},
		{"?*", "*", false},
		{"*a*", "*ba*", true},
		{"*a*b*", "a?b", true},
		{"", "", true},
		{"", "a", false},
	} {
		require.Equal(t, test.want, globCovers(test.wide, test.narrow), "%q over %q", test.wide, test.narrow)
	}
}

func TestGlobCovers_meansEveryMatch(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		wide, narrow := someGlob.Draw(t, "wide"), someGlob.Draw(t, "narrow")
		require.True(t, globCovers(wide, wide))
		// A text of narrow, its wildcards filled at random.
		var s strings.Builder
		for _, c := range narrow {
			switch c {
			case '*':
				s.WriteString(someType.Draw(t, "run"))
			case '?':
				s.WriteRune(rapid.RuneFrom([]rune("abcé.")).Draw(t, "one"))
			default:
				s.WriteRune(c)
			}
		}
		require.True(t, globMatch(narrow, s.String()))
		if globCovers(wide, narrow) {
			require.True(t, globMatch(wide, s.String()), "%q is covered and %q is not matched", narrow, s.String())
		}
	})
}

// FuzzGlob compares with a regular expression, on whatever bytes are UTF-8.
func FuzzGlob(f *testing.F) {
	f.Add("checkout.*", "checkout.session.completed")
	f.Add("*?*a", "xxa")
	f.Add("?é*", "xé")
	f.Fuzz(func(t *testing.T, glob, s string) {
		matched := globMatch(glob, s)
		if utf8.ValidString(glob) && utf8.ValidString(s) && len(glob) < maxGlob {
			require.Equal(t, asRegexp(glob).MatchString(s), matched, "%q on %q", glob, s)
		}
	})
}
