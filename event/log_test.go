package event

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAttrs(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	e := Event{ID: "u", Provider: "stripe", EventID: "evt_1"}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", e.Attrs(), "step", "a")
	require.Contains(t, out.String(), `"msg":"m","event_id":"u","key":"stripe:evt_1","workflow_id":"stripe:evt_1","step":"a"}`)
}
