package main

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestResultsStayOutOfTheLog(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := newSDKLog(slog.New(slog.NewJSONHandler(&out, nil)))
	log.Info("Activity complete after timeout.", "WorkflowID", "stripe:evt_1", "Result", "canary", "Attempt", 2)
	require.NotContains(t, out.String(), "canary")
	require.Contains(t, out.String(), `"WorkflowID":"stripe:evt_1","Attempt":2`)
}
