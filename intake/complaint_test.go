package intake

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestComplaint(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	now := time.Unix(1767225600, 0)
	c := complaint{log: slog.New(slog.NewTextHandler(&log, nil)), now: func() time.Time { return now }, sentence: "it fails"}
	said := func() int { return strings.Count(log.String(), "it fails") }
	for range 29 {
		c.about(errors.New("away"))
		now = now.Add(time.Second)
	}
	require.Equal(t, 1, said(), "an outage is not told each second")
	now = now.Add(time.Second)
	c.about(errors.New("away"))
	require.Equal(t, 2, said(), "but it is not forgotten")
	c.about(nil)
	c.about(errors.New("away"))
	require.Equal(t, 3, said(), "the next one is another")
}
