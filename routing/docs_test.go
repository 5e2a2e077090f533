package routing_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hookflow/routing"
)

var yamlBlock = regexp.MustCompile("(?ms)^( *)```yaml\n(.*?)^ *```")

// What the pages for newcomers tell people to write is a file that the server takes.
func TestFilesInTheDocs(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../docs/coming-from-*.md")
	require.NoError(t, err)
	require.Len(t, pages, 3)
	pages = append(pages, "../README.md", "../docs/forwarding.md")
	found := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, block := range yamlBlock.FindAllStringSubmatch(string(text), -1) {
			found++
			file := strings.ReplaceAll("\n"+block[2], "\n"+block[1], "\n")
			if !strings.Contains(file, "routes:") {
				file += "\nroutes: []" // the page has its routes in another block
			}
			_, err := routing.Parse(page, []byte(file))
			require.NoError(t, err, file)
		}
	}
	require.Equal(t, 9, found)
}
