package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"hookflow/providers"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

const (
	vapiSecret   = "0123456789abcdef0123456789abcdef"
	forwardKey   = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	replyRounds  = 3
	repliesAlone = 100 // questions of one caller, a round
	repliesMany  = 640 // of 32
)

// waiting is a way to get an answer that a handler computes; ask gets the nth.
type waiting struct {
	name string
	ask  func(ctx context.Context, id string) error
	took [2][][2]time.Duration // at 1 and 32 callers: p50 and p99 of each round
}

// replies measures how long a sender waits for the same computed answer: from a plain HTTP handler; from an update that
// comes with the start of a run and asks the handler in a local activity; from hookflow, whose reply is a forward to it.
func (b *bench) replies(ctx context.Context) error {
	if err := b.empty(ctx); err != nil {
		return err
	}
	handler := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `["on its way"]`)
	}))
	defer handler.Close()
	calls := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	name, err := namespace(ctx, b.temporal.Address())
	if err != nil {
		return err
	}
	bare, stop, err := bareUpdates(b.temporal.Address(), name, calls, handler.URL)
	if err != nil {
		return err
	}
	defer stop()
	through, err := b.hookflowReplies(ctx, calls, handler.URL)
	if err != nil {
		return err
	}
	defer b.stopPrograms()
	ways := []*waiting{
		{name: "a plain HTTP handler", ask: func(ctx context.Context, id string) error { return post(ctx, calls, handler.URL, nil, toolCall(id)) }},
		{name: "a bare Update-with-Start", ask: bare},
		{name: "hookflow", ask: through},
	}
	if err := b.askAll(ctx, ways); err != nil {
		return err
	}
	b.printReplies(ways)
	return nil
}

// askAll lets the ways take turns, after a warm-up of each.
func (b *bench) askAll(ctx context.Context, ways []*waiting) error {
	for round := range replyRounds + 1 {
		for _, w := range ways {
			for place, callers := range []int{1, 32} {
				n := []int{repliesAlone, repliesMany}[place]
				took, err := callTogether(ctx, callers, n, fmt.Sprintf("r%d-%d", round, callers), w.ask)
				if err != nil {
					return fmt.Errorf("%s: %w", w.name, err)
				}
				if round > 0 {
					w.took[place] = append(w.took[place], took)
				}
				b.say(fmt.Sprintf("replies: %s, %d callers: p50 %s, p99 %s", w.name, callers, short(took[0]), short(took[1])))
				time.Sleep(2 * time.Second) // what follows the answers is not the next way's burden
			}
		}
	}
	return nil
}

// callTogether asks n times, callers at a time, and returns p50 and p99.
func callTogether(ctx context.Context, callers, n int, prefix string, ask func(context.Context, string) error) (of [2]time.Duration, err error) {
	took, failed := make([]time.Duration, n), make([]error, n)
	numbers := make(chan int, n)
	for i := range n {
		numbers <- i
	}
	close(numbers)
	var calling sync.WaitGroup
	for range callers {
		calling.Go(func() {
			for i := range numbers {
				began := time.Now()
				failed[i] = ask(ctx, fmt.Sprint(prefix, "-", i))
				took[i] = time.Since(began)
			}
		})
	}
	calling.Wait()
	for _, err := range failed {
		if err != nil {
			return of, err
		}
	}
	slices.Sort(took)
	return [2]time.Duration{took[n/2], took[n*99/100]}, nil
}

func toolCall(id string) []byte {
	return fmt.Appendf(nil, `{"message":{"type":"tool-calls","timestamp":%d,"call":{"id":%q,"orgId":"org"},"toolCallList":[{"id":"tc_1","name":"look-up","arguments":{}}]}}`,
		time.Now().UnixMilli(), id)
}

// post fails where the answer is not the handler's.
func post(ctx context.Context, calls *http.Client, url string, header http.Header, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if header != nil {
		r.Header = header
	}
	answer, err := calls.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err == nil && !strings.Contains(string(said), "on its way") {
		err = fmt.Errorf("answered %d %s %.200s", answer.StatusCode, answer.Header.Get("Hookflow-Answer"), said)
	}
	return err
}

// hookflowReplies starts a hookflow whose tool calls the handler answers.
func (b *bench) hookflowReplies(ctx context.Context, calls *http.Client, handler string) (func(context.Context, string) error, error) {
	name, err := namespace(ctx, b.temporal.Address())
	if err != nil {
		return nil, err
	}
	routes := filepath.Join(b.dir, "replies.yaml")
	text := "routes: [{provider: vapi, type: tool-calls, steps: [], reply: {name: answer, forward: {url: " + handler + ", allow_private: true}}}]\n"
	if err := os.WriteFile(routes, []byte(text), 0o600); err != nil {
		return nil, err
	}
	p, err := b.startHookflow(ctx, "", "TEMPORAL_ADDRESS="+b.temporal.Address(), "TEMPORAL_NAMESPACE="+name,
		"VAPI_WEBHOOK_SECRET="+vapiSecret, "HOOKFLOW_FORWARD_SECRET="+forwardKey, "HOOKFLOW_CONFIG="+routes)
	if err != nil {
		return nil, err
	}
	vapi, err := providers.NewVapi(providers.VapiConfig{Secrets: []string{vapiSecret}, Schemes: []string{"hmac"}})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, id string) error {
		r := &providers.Request{Method: http.MethodPost, Body: toolCall(id), Header: http.Header{"Content-Type": {"application/json"}}}
		vapi.Sign(r, time.Now())
		return post(ctx, calls, "http://"+p.address+"/webhooks/vapi", r.Header, r.Body)
	}, nil
}

// bareUpdates is the least that a durable answer can be on Temporal: no ledger, no signature, nothing after the answer.
func bareUpdates(address, name string, calls *http.Client, handler string) (ask func(context.Context, string) error, stop func(), err error) {
	c, err := client.Dial(client.Options{HostPort: address, Namespace: name, Logger: quiet{}})
	if err != nil {
		return nil, nil, err
	}
	w := worker.New(c, bareQueue, worker.Options{MaxConcurrentWorkflowTaskPollers: barePollers, MaxConcurrentActivityTaskPollers: barePollers})
	compute := func(ctx context.Context, body []byte) (string, error) {
		return "on its way", post(ctx, calls, handler, nil, body)
	}
	w.RegisterWorkflowWithOptions(func(ctx workflow.Context) error {
		done := false
		err := workflow.SetUpdateHandler(ctx, "reply", func(ctx workflow.Context, body []byte) (said string, err error) {
			defer func() { done = true }()
			ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: 10 * time.Second})
			err = workflow.ExecuteLocalActivity(ctx, compute, body).Get(ctx, &said)
			return said, err
		})
		if err != nil {
			return err
		}
		return workflow.Await(ctx, func() bool { return done })
	}, workflow.RegisterOptions{Name: "BareReply"})
	if err := w.Start(); err != nil {
		c.Close()
		return nil, nil, err
	}
	return func(ctx context.Context, id string) error {
		start := c.NewWithStartWorkflowOperation(client.StartWorkflowOptions{
			ID: id, TaskQueue: bareQueue, WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		}, "BareReply")
		update, err := c.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{StartWorkflowOperation: start, UpdateOptions: client.UpdateWorkflowOptions{
			UpdateID: id, UpdateName: "reply", WaitForStage: client.WorkflowUpdateStageCompleted, Args: []any{toolCall(id)},
		}})
		if err != nil {
			return err
		}
		return update.Get(ctx, nil)
	}, func() { w.Stop(); c.Close() }, nil
}

func (b *bench) printReplies(ways []*waiting) {
	t := table{head: []string{"a computed answer", "1 caller, p50", "p99", "32 callers, p50", "p99"}}
	p99 := map[string][2]time.Duration{}
	for _, w := range ways {
		cells := []string{w.name}
		var ends [2]time.Duration
		for place := range w.took {
			ends[place] = median(w.took[place], func(of [2]time.Duration) time.Duration { return of[1] })
			cells = append(cells, short(median(w.took[place], func(of [2]time.Duration) time.Duration { return of[0] })), short(ends[place]))
		}
		p99[w.name] = ends
		t.add(cells...)
	}
	b.print("\n### Replies\n\n%s", t)
	bare, ours := p99[ways[1].name], p99[ways[2].name]
	for place, callers := range []string{"1 caller", "32 callers"} {
		b.atMost("p99 of a reply of the bare update's, "+callers, float64(ours[place])/float64(bare[place]), 1.2)
	}
}
