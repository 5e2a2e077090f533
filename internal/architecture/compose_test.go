package architecture

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// A stack that nobody has given a password does not start with one that everybody knows, and what it runs is the version that
// was tried.
func TestComposeHasNoKnownPasswordAndPinsItsImages(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docker-compose.yml")
	require.NoError(t, err)
	var file map[string]any
	require.NoError(t, yaml.Unmarshal(text, &file))
	require.NotRegexp(t, `PASSWORD:-[^$]`, string(text))
	require.Regexp(t, `\$\{POSTGRES_PASSWORD:\?[^}]+\}`, string(text))
	images := regexp.MustCompile(`(?m)^\s*image: (\S+)$`).FindAllStringSubmatch(string(text), -1)
	require.NotEmpty(t, images)
	for _, image := range images {
		if image[1] != "hookflow" { // built here
			require.Regexp(t, `:v?\d+\.\d+(\.\d+)?(@sha256:[0-9a-f]{64})?$`, image[1])
		}
	}
	docker, err := os.ReadFile("../../Dockerfile")
	require.NoError(t, err)
	require.Regexp(t, `(?m)^FROM .*golang:\d+\.\d+\.\d+ `, string(docker))
}
