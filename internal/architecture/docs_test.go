package architecture

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const root = "../.."

var (
	testName = regexp.MustCompile(`\b(Test|Fuzz|Benchmark)[A-Z]\w+`)
	link     = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
)

// A page that names a test promises that somebody holds what it says.
func TestEveryTestNamedInTheDocsExists(t *testing.T) {
	t.Parallel()
	var tests strings.Builder
	walk(t, "_test.go", func(_ string, text string) { tests.WriteString(text) })
	walk(t, ".md", func(path, text string) {
		for _, name := range testName.FindAllString(text, -1) {
			require.Contains(t, tests.String(), "func "+name+"(", "%s names a test that is gone", path)
		}
	})
}

func TestEveryLinkInTheDocsLeadsSomewhere(t *testing.T) {
	t.Parallel()
	walk(t, ".md", func(path, text string) {
		for _, found := range link.FindAllStringSubmatch(text, -1) {
			_, err := os.Stat(filepath.Join(filepath.Dir(path), found[1]))
			require.NoError(t, err, "%s links to %s", path, found[1])
		}
	})
}

// walk hands over the files of the repository whose name ends so, but for those of hidden folders and test data.
func walk(t *testing.T, suffix string, with func(path, text string)) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return filepath.SkipDir
		case !d.IsDir() && strings.HasSuffix(path, suffix):
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			with(path, string(text))
		}
		return nil
	}))
}
