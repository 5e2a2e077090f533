package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"hookflow/event"
	"hookflow/internal/testkit"
	"hookflow/providers"
	"hookflow/worker"

	"github.com/stretchr/testify/require"
)

// desk is a handler of tool calls. What it does is told by the name of the tool.
type desk struct {
	calls    atomic.Int64
	answered chan struct{} // closed once the sender of a slow step has its answer
	inTime   atomic.Bool   // it was, before the step gave up
	// meanwhile happens while an answer is computed; nil for nothing. It is set before the worker starts.
	meanwhile func() error
}

func (d *desk) LookUp(ctx context.Context, e event.Event) (any, error) {
	n := d.calls.Add(1)
	switch {
	case bytes.Contains(e.Body, []byte("slow")):
		time.Sleep(4500 * time.Millisecond) // longer than the deadline: this is what is tested
	case bytes.Contains(e.Body, []byte("half")):
		time.Sleep(500 * time.Millisecond) // so that copies arrive meanwhile
	case bytes.Contains(e.Body, []byte("flaky")) && n == 1:
		return nil, errors.New("not yet")
	case bytes.Contains(e.Body, []byte("broken")):
		return []string{"one", "too", "many"}, nil
	case d.meanwhile != nil:
		if err := d.meanwhile(); err != nil {
			return nil, err
		}
	case bytes.Contains(e.Body, []byte("failing")):
		return nil, errors.New("no database behind the tool")
	}
	return []string{fmt.Sprintf("order %d\nis on its way", n)}, nil
}

const replyRoutes = `
routes:
  - provider: vapi
    type: tool-calls
    reply:
      activity: desk.LookUp
      deadline: 4s
      fallback: "Please ask again about ${payload.message.call.id}."
      retry_policy: {maximum_attempts: 2}
    steps: []
`

type answered struct {
	status       int
	body, how    string
	outcome, typ string
}

func (p *inProcess) toolCall(t *testing.T, call, tool string) answered {
	t.Helper()
	a, err := p.tryToolCall(t.Context(), t, call, tool)
	require.NoError(t, err)
	return a
}

// computedCall calls anew until a call is answered in time, which a machine that is busy may miss, and returns which one was.
func (p *inProcess) computedCall(t *testing.T, call string, before func()) (string, answered) {
	t.Helper()
	for n := 1; ; n++ {
		before()
		this := fmt.Sprint(call, "-", n)
		if a := p.toolCall(t, this, "lookup"); a.how == "computed" {
			return this, a
		}
		require.Less(t, n, 20, "no call is answered in time")
		p.final(t, "vapi:"+this+":tool-calls:tc_1")
	}
}

// tryToolCall is toolCall by a sender who hangs up when ctx ends.
func (p *inProcess) tryToolCall(ctx context.Context, t *testing.T, call, tool string) (answered, error) {
	t.Helper()
	vapi, err := providers.NewVapi(providers.VapiConfig{Secrets: []string{testSecret}, Schemes: []string{"hmac"}})
	require.NoError(t, err)
	body := fmt.Sprintf(`{"message":{"type":"tool-calls","timestamp":%d,"call":{"id":%q,"orgId":"org"},"toolCallList":[{"id":"tc_1","name":%q,"arguments":{}}]}}`,
		time.Now().UnixMilli(), call, tool)
	r := &providers.Request{Method: http.MethodPost, URL: p.url + "/webhooks/vapi", Body: []byte(body), Header: http.Header{"Content-Type": {"application/json"}}}
	vapi.Sign(r, time.Now())
	request, err := http.NewRequestWithContext(ctx, r.Method, r.URL, bytes.NewReader(r.Body))
	require.NoError(t, err)
	request.Header = r.Header
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return answered{}, err
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answered{answer.StatusCode, string(said), answer.Header.Get("Hookflow-Answer"), answer.Header.Get("Hookflow-Outcome"), answer.Header.Get("Content-Type")}, nil
}

func (p *inProcess) final(t *testing.T, key string) event.Detail {
	t.Helper()
	var d event.Detail
	testkit.Eventually(t, func() bool {
		var err error
		d, err = p.store.Find(context.Background(), event.ID(key))
		return err == nil && d.Status.Final()
	}, "%s is not final", key)
	return d
}

func startDesk(t *testing.T) (*inProcess, *desk) {
	d := &desk{}
	return startInProcessWith(t, replyRoutes, inProcessOptions{handlers: worker.Handlers{"desk": d}, change: withoutHousekeeping}), d
}

func TestReply(t *testing.T) {
	t.Parallel()
	p, d := startDesk(t)
	called, first := p.computedCall(t, "call", func() { d.calls.Store(0) })
	require.Equal(t, answered{200, `{"results":[{"toolCallId":"tc_1","name":"lookup","result":"order 1 is on its way"}]}`, "computed", "accepted", "application/json"}, first)
	e := p.final(t, "vapi:"+called+":tool-calls:tc_1")
	require.Equal(t, event.Completed, e.Status)
	require.Equal(t, "desk.LookUp", e.Steps[0].Step)
	again := p.toolCall(t, called, "lookup")
	require.Equal(t, "duplicate", again.outcome)
	require.Equal(t, first.body, again.body)
	require.EqualValues(t, 1, d.calls.Load())

	broken := p.toolCall(t, "broken-call", "broken")
	require.Equal(t, "failed", broken.how)
	require.JSONEq(t, `{"results":[{"toolCallId":"tc_1","name":"broken","result":"Please ask again about broken-call."}]}`, broken.body)
	e = p.final(t, "vapi:broken-call:tool-calls:tc_1")
	require.Equal(t, event.Failed, e.Status)
	require.Equal(t, "MalformedReply", *e.LastErrorType)

	call := "slow-3"
	slow := p.toolCall(t, call, "slow")
	for n := 4; slow.how == "failed"; n++ { // the machine is so busy that Temporal did not say within 3 s that it is there
		require.Less(t, n, 20)
		call = fmt.Sprint("slow-", n)
		slow = p.toolCall(t, call, "slow")
	}
	require.Equal(t, "late", slow.how)
	e = p.final(t, "vapi:"+call+":tool-calls:tc_1")
	require.Equal(t, event.Completed, e.Status)
	var kept event.Reply
	require.NoError(t, json.Unmarshal(e.Steps[0].Result, &kept))
	require.True(t, kept.Answer.Late)
	require.Equal(t, slow.body, p.toolCall(t, call, "slow").body, "the same fallback again")
}

// The routes lose their answer while it is computed: the sender was told it, so copies are told the same.
func TestReply_routesChangeMeanwhile(t *testing.T) {
	t.Parallel()
	for name, routes := range map[string]string{
		"no route": "routes: []\n",
		"a step":   "routes: [{provider: vapi, type: tool-calls, steps: [{activity: desk.Slow}]}]\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &desk{answered: make(chan struct{})}
			close(d.answered)
			p := startInProcessWith(t, replyRoutes, inProcessOptions{handlers: worker.Handlers{"desk": d}, change: func(a *app) {
				withoutHousekeeping(a)
				d.meanwhile = func() error {
					defer a.routes.reload()
					return os.WriteFile(a.config.FileName, []byte(routes), 0o600)
				}
			}})
			first := p.toolCall(t, "call-1", "lookup")
			require.Equal(t, "computed", first.how)
			e := p.final(t, "vapi:call-1:tool-calls:tc_1")
			require.Equal(t, event.Completed, e.Status)
			require.Equal(t, "desk.LookUp", e.Steps[0].Step)

			require.NoError(t, os.WriteFile(p.config.FileName, []byte(replyRoutes), 0o600))
			p.routes.reload()
			again := p.toolCall(t, "call-1", "lookup")
			require.Equal(t, "duplicate", again.outcome)
			require.Equal(t, first.body, again.body)
			require.EqualValues(t, 1, d.calls.Load())
		})
	}
}
