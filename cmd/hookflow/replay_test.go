package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hookflow/event"
)

// fakeReplays is a /v1 with bulk replays that come to their end as they are looked at.
type fakeReplays struct {
	*httptest.Server

	mu      sync.Mutex
	matched int
	end     event.Replay // what a replay becomes at the second look
	bodies  []string
	paths   []string
	looks   int
}

const replayID = "11111111-2222-4333-8444-555555555555"

func newFakeReplays(t *testing.T, matched int, end event.Replay) *fakeReplays {
	t.Helper()
	l := &fakeReplays{matched: matched, end: end}
	l.end.ID, l.end.Filter, l.end.Matched = replayID, json.RawMessage("{}"), matched
	l.Server = httptest.NewServer(http.HandlerFunc(l.serve))
	t.Cleanup(l.Close)
	return l
}

func (l *fakeReplays) serve(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var body strings.Builder
	_ = r.Write(&body)
	l.paths = append(l.paths, r.Method+" "+r.URL.Path)
	begun := event.Replay{ID: replayID, State: event.ReplayRunning, Author: "ann", From: event.FromFailure, Filter: json.RawMessage("{}"),
		Matched: l.matched, Remaining: l.matched, CreatedAt: time.Now()}
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/v1/replays":
		_, text, _ := strings.Cut(body.String(), "\r\n\r\n")
		l.bodies = append(l.bodies, text)
		if strings.Contains(text, `"dry_run":true`) {
			_ = json.NewEncoder(w).Encode(event.ReplayPreview{Matched: l.matched, Sample: []event.Record{record(1, "a.b", "evt_1", event.Failed)}})
			return
		}
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(begun)
	case strings.HasPrefix(r.URL.Path, "/v1/events/"):
		_ = json.NewEncoder(w).Encode(record(1, "a.b", "evt_1", event.Processing))
	case r.URL.Path == "/v1/replays":
		_ = json.NewEncoder(w).Encode(map[string]any{"replays": []event.Replay{begun}})
	default:
		l.looks++
		if l.looks == 1 {
			w.WriteHeader(http.StatusBadGateway) // it restarts
			return
		}
		_ = json.NewEncoder(w).Encode(l.end)
	}
}

func (l *fakeReplays) vars() map[string]string {
	return map[string]string{"HOOKFLOW_OPS_ADDR": strings.TrimPrefix(l.URL, "http://"), "HOOKFLOW_API_TOKEN": testToken}
}

// answering runs "hookflow replay" with somebody at the keyboard.
func (l *fakeReplays) answering(t *testing.T, answer string, args ...string) ran {
	t.Helper()
	env, stdout, stderr := testEnvironment(t, l.vars())
	env.stdin = strings.NewReader(answer)
	cmd := newReplayCommand(env)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(t.Context())
	return ran{stdout: stdout.String(), stderr: stderr.String(), err: err}
}

func finishedReplay(completed, failed, skipped int) event.Replay {
	began := time.Now()
	finished := began.Add(90 * time.Second)
	return event.Replay{State: event.ReplayCompleted, CreatedAt: began, FinishedAt: &finished,
		Moved: completed + failed, Completed: completed, Failed: failed, Skipped: skipped}
}

func TestReplayOfManyAsksAndFollows(t *testing.T) {
	t.Parallel()
	l := newFakeReplays(t, 12, finishedReplay(11, 0, 1))
	got := l.answering(t, "yes\n", "--status", "failed", "--type", "a.*", "--since", "2h", "--rate", "5", "--from", "start")
	require.NoError(t, got.err)
	require.Contains(t, got.stderr, "12 events to replay")
	require.Contains(t, got.stderr, "stripe:evt_1")
	require.Contains(t, got.stderr, "Replay 12 events? [y/N]")
	require.Equal(t, "11 events replayed: 11 completed, 0 failed; 1 skipped, since they had moved on or lost their content; in 1m30s\n", got.stdout)
	require.Len(t, l.bodies, 2)
	require.JSONEq(t, `{"filter":{"status":"failed","type":"a.*","since":"2h"},"from":"start","rate":5}`, l.bodies[1])
	require.NotContains(t, got.stderr, "\033", "no bar where nobody looks")
}

func TestReplayOfManyThatIsNotWanted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ answer, want string }{
		"no":      {"n\n", "nothing was replayed"},
		"silence": {"", "nobody answered; --yes does not ask"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newFakeReplays(t, 12, event.Replay{})
			got := l.answering(t, c.answer, "--type", "*")
			require.ErrorContains(t, got.err, c.want)
			require.Contains(t, got.stderr, "Replay 12 events, completed ones too? [y/N]")
			require.Len(t, l.bodies, 1)
		})
	}
	l := newFakeReplays(t, 0, event.Replay{})
	got := l.answering(t, "", "--status", "failed")
	require.NoError(t, got.err)
	require.Contains(t, got.stderr, "no completed or failed events match")
	l = newFakeReplays(t, 3, event.Replay{})
	got = l.answering(t, "", "--status", "failed", "--dry-run", "-o", "json")
	require.NoError(t, got.err)
	require.Contains(t, got.stdout, `"matched":3`)
	require.Len(t, l.bodies, 1)
}

func TestReplayOfManyFailsWhenSomeDo(t *testing.T) {
	t.Parallel()
	l := newFakeReplays(t, 12, finishedReplay(10, 2, 0))
	got := l.answering(t, "", "--status", "failed", "--yes")
	require.ErrorContains(t, got.err, "2 events failed again")
	stopped := finishedReplay(4, 0, 0)
	stopped.State, stopped.Remaining = event.ReplayStopped, 8
	l = newFakeReplays(t, 12, stopped)
	got = l.answering(t, "", "--status", "failed", "-y", "-o", "json")
	require.ErrorContains(t, got.err, "stopped with 8 events left")
	var record event.Replay
	require.NoError(t, json.Unmarshal([]byte(got.stdout), &record))
	require.Equal(t, 4, record.Completed)
}

// Not parallel: the signal is the whole process's.
func TestInterruptLeavesTheReplayToTheServer(t *testing.T) {
	running := event.Replay{State: event.ReplayRunning, Moved: 3, Running: 3}
	l := newFakeReplays(t, 12, running)
	done := make(chan ran, 1)
	go func() { done <- l.answering(t, "", "--status", "failed", "--yes") }()
	require.Eventually(t, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.looks >= 2
	}, 10*time.Second, 10*time.Millisecond)
	self, err := os.FindProcess(os.Getpid())
	require.NoError(t, err)
	require.NoError(t, self.Signal(os.Interrupt))
	got := <-done
	require.ErrorContains(t, got.err, "goes on in the server")
	require.ErrorContains(t, got.err, "hookflow replays stop "+replayID)
}

func TestReplaysAreSteered(t *testing.T) {
	t.Parallel()
	l := newFakeReplays(t, 12, finishedReplay(10, 2, 0))
	l.looks = 1
	for _, verb := range []string{"pause", "resume", "stop"} {
		got := execute(t, newReplaysCommand, l.vars(), verb, replayID)
		require.NoError(t, got.err)
		require.Contains(t, got.stdout, "completed  10\n")
		require.Equal(t, "POST /v1/replays/"+replayID+"/"+verb, l.paths[len(l.paths)-1])
	}
	got := execute(t, newReplaysCommand, l.vars(), "show", replayID, "-o", "json")
	require.NoError(t, got.err)
	require.Contains(t, got.stdout, `"failed": 2`)
	got = execute(t, newReplaysCommand, l.vars(), "list")
	require.NoError(t, got.err)
	require.Contains(t, got.stdout, replayID)
	for _, verb := range []string{"retry", "cancel"} {
		got := execute(t, newEventsCommand, l.vars(), verb, "stripe:evt_1")
		require.NoError(t, got.err)
		require.Contains(t, got.stdout, "hookflow events show stripe:evt_1")
		require.Equal(t, "POST /v1/events/"+event.ID("stripe:evt_1")+"/"+verb, l.paths[len(l.paths)-1])
	}
}

func TestProgressLine(t *testing.T) {
	t.Parallel()
	began := time.Now()
	p := &replayProgress{began: began, env: environment{now: func() time.Time { return began.Add(10 * time.Second) }}}
	r := event.Replay{State: event.ReplayRunning, Matched: 1000, Completed: 190, Failed: 5, Skipped: 5, Running: 10}
	require.Equal(t, "200 of 1000, 5 failed, 20/s, 40s left", p.line(r))
	require.Equal(t, "[======                        ]", bar(r))
	r.State = event.ReplayPaused
	require.Equal(t, "200 of 1000, paused, 5 failed, 20/s", p.line(r))
	require.Equal(t, "["+strings.Repeat("=", barWidth)+"]", bar(event.Replay{}))
}
