package e2e_test

import (
	"encoding/base64"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
)

func execution(d *delivery, runID string) *common.WorkflowExecution {
	return &common.WorkflowExecution{WorkflowId: d.event.WorkflowID(), RunId: runID}
}

var payloadData = regexp.MustCompile(`"data":\s*"([A-Za-z0-9+/=]*)"`)

// plain is a Temporal message in JSON with its payloads, which stand there in base64, written out.
func plain(t *testing.T, message string) string {
	t.Helper()
	text := message
	for _, found := range payloadData.FindAllStringSubmatch(message, -1) {
		data, err := base64.StdEncoding.DecodeString(found[1])
		require.NoError(t, err)
		text += "\n" + string(data)
	}
	return text
}
