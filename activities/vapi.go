package activities

import (
	"cmp"
	"context"
	"encoding/json"
	"time"

	"hookflow/event"
	"hookflow/store"

	"github.com/jackc/pgx/v5"
)

// Vapi handles Vapi's server messages. Its methods are registered as vapi.<Method>.
type Vapi struct {
	Once Once
	Now  func() time.Time
}

// vapiRank orders the statuses of a call (docs.vapi.ai/server-url/events#status-update).
var vapiRank = map[string]int{"scheduled": 0, "queued": 1, "ringing": 2, "in-progress": 3, "forwarding": 4, "ended": 5}

// vapiMessage is what RecordCall reads of a message.
type vapiMessage struct {
	Type        string      `json:"type"`
	Status      string      `json:"status"`
	EndedReason string      `json:"endedReason"`
	StartedAt   string      `json:"startedAt"`
	EndedAt     string      `json:"endedAt"`
	Cost        json.Number `json:"cost"`
	Summary     string      `json:"summary"`
	Analysis    struct {
		Summary string `json:"summary"`
	} `json:"analysis"`
	Transcript string `json:"transcript"`
	Artifact   struct {
		RecordingURL string `json:"recordingUrl"`
		Transcript   string `json:"transcript"`
	} `json:"artifact"`
	Call struct {
		ID          string `json:"id"`
		OrgID       string `json:"orgId"`
		AssistantID string `json:"assistantId"`
		Type        string `json:"type"`
	} `json:"call"`
}

// RecordCall keeps vapi_calls, one row per call, moved forward only: a status-update moves its status, a hang is counted,
// an end-of-call-report adds reason, times, cost, summary, transcript and recording. The row holds content: summary,
// transcript and the recording's address. It fails with InvalidPayload when there is no call in the message.
func (v *Vapi) RecordCall(ctx context.Context, e event.Event) (json.RawMessage, error) {
	var body struct {
		Message vapiMessage `json:"message"`
	}
	if err := json.Unmarshal(e.Body, &body); err != nil {
		return nil, invalidPayload("the message cannot be read")
	}
	m := body.Message
	hangs := 0
	switch m.Type {
	case "end-of-call-report":
		m.Status = "ended"
	case "hang":
		m.Status, hangs = "in-progress", 1 // only a call in progress can hang
	}
	if m.Call.ID == "" || m.Status == "" {
		return nil, invalidPayload("the message holds no call")
	}
	if m.Analysis.Summary != "" {
		m.Summary = m.Analysis.Summary
	}
	row := store.VapiCall{
		CallID: m.Call.ID, OrgID: m.Call.OrgID, AssistantID: m.Call.AssistantID, CallType: m.Call.Type,
		Status: m.Status, Rank: vapiRank[m.Status], EndedReason: m.EndedReason, StartedAt: instant(m.StartedAt), EndedAt: instant(m.EndedAt),
		Cost: m.Cost.String(), Hangs: hangs, Summary: storable(m.Summary), Transcript: storable(cmp.Or(m.Artifact.Transcript, m.Transcript)),
		RecordingURL: m.Artifact.RecordingURL, Event: e.ID,
	}
	effects := &pgx.Batch{}
	row.Queue(effects, v.Now())
	return v.Once.Batch(ctx, &e, effects, StatusResult{m.Call.ID, m.Status})
}

// instant reads RFC 3339; anything else is the zero time, since a call's other facts are worth keeping.
func instant(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return t
}
