package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"hookflow/providers"
	"hookflow/samples"
)

// burstWithin bounds the drain of the burst.
const burstWithin = 8 * time.Minute

// burst sends many events at once to one process with everything in it, and another provider's event into the drain.
func (b *bench) burst(ctx context.Context) error {
	if err := b.empty(ctx); err != nil {
		return err
	}
	n := b.options.burst
	name, err := namespace(ctx, b.temporal.Address())
	if err != nil {
		return err
	}
	p, err := b.startHookflow(ctx, "", "TEMPORAL_ADDRESS="+b.temporal.Address(), "TEMPORAL_NAMESPACE="+name)
	if err != nil {
		return err
	}
	defer b.stopPrograms()
	if _, err := b.postAll(ctx, p, "w", warmEvents); err != nil {
		return err
	}
	if err := b.allCompleted(ctx, warmEvents); err != nil {
		return err
	}
	r, err := b.load(ctx, loadOrder{Address: p.address, Connections: 64, Prefix: "b", Count: int64(n)})
	if err != nil {
		return err
	}
	after := p.usage()
	b.say(fmt.Sprintf("burst: %d acknowledged in %s, p99 %s, %d MiB", r.Acknowledged, short(r.Ended.Sub(r.Began)), short(r.P99), after.peak>>20))
	if err := b.drained(ctx, n/2+warmEvents); err != nil {
		return err
	}
	took, err := b.twilioInBetween(ctx, p)
	if err != nil {
		return err
	}
	if err := b.drained(ctx, n+warmEvents+1); err != nil {
		return err
	}
	return b.printBurst(ctx, p, r, took)
}

// drained waits until n events are final.
func (b *bench) drained(ctx context.Context, n int) error {
	return until(ctx, burstWithin, "the burst is not drained", func() (bool, error) {
		var open, seen int
		err := b.ledger.QueryRow(ctx, "SELECT count(*) FILTER (WHERE status IN ('pending', 'processing')), count(*) FROM webhook_events").Scan(&open, &seen)
		time.Sleep(450 * time.Millisecond) // counting is not free
		return seen-open >= n, err
	})
}

// twilioInBetween posts one event of another provider and returns the time from its POST to completed.
func (b *bench) twilioInBetween(ctx context.Context, p *process) (time.Duration, error) {
	twilio, err := providers.NewTwilio(providers.TwilioConfig{Tokens: []string{twilioToken}})
	if err != nil {
		return 0, err
	}
	began := time.Now()
	r, err := samples.Build("twilio", "call.completed", samples.Options{Now: began})
	if err != nil {
		return 0, err
	}
	r.URL = "http://bench.example/webhooks/twilio"
	twilio.Sign(r, began)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.address+"/webhooks/twilio", bytes.NewReader(r.Body))
	if err != nil {
		return 0, err
	}
	request.Header = r.Header
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("the Twilio event was answered %s", answer.Status)
	}
	var finished *time.Time
	err = until(ctx, 2*time.Minute, "the Twilio event is not completed", func() (bool, error) {
		err := b.ledger.QueryRow(ctx, "SELECT finished_at FROM webhook_events WHERE provider = 'twilio' AND status = 'completed'").Scan(&finished)
		if err != nil && strings.Contains(err.Error(), "no rows") {
			return false, nil
		}
		return finished != nil, err
	})
	if err != nil {
		return 0, err
	}
	return finished.Sub(began), nil
}

func (b *bench) printBurst(ctx context.Context, p *process, r loadResult, twilio time.Duration) error {
	var completed, failed int
	var last time.Time
	err := b.ledger.QueryRow(ctx, "SELECT count(*) FILTER (WHERE status = 'completed'), count(*) FILTER (WHERE status = 'failed'), max(finished_at) FROM webhook_events").
		Scan(&completed, &failed, &last)
	if err != nil {
		return err
	}
	n, used := b.options.burst, p.usage()
	drain := last.Sub(r.Began)
	t := table{head: []string{fmt.Sprintf("a burst of %d events over 64 connections", n), ""}}
	t.add("acknowledged", fmt.Sprintf("%d in %s (%.0f/s), not acknowledged: %s", r.Acknowledged, short(r.Ended.Sub(r.Began)), r.PerSecond, errorsOf(r.Errors)))
	t.add("time to acknowledge", fmt.Sprintf("p50 %s, p99 %s", short(r.P50), short(r.P99)))
	t.add("completed", fmt.Sprintf("%d, failed %d, in %s (%.0f/s)", completed-warmEvents-1, failed, short(drain), float64(n)/drain.Seconds()))
	t.add("RSS of hookflow, at most", mebibytes(used.peak))
	t.add("CPU time of hookflow", fmt.Sprintf("%s (%s per event)", short(used.cpu), short(used.cpu/time.Duration(n))))
	t.add("a Twilio event in the middle, POST to completed", short(twilio))
	b.print("\n## Burst\n\n%s", t)
	b.goal("burst: all acknowledged", fmt.Sprint(n), fmt.Sprint(r.Acknowledged), r.Acknowledged == n)
	b.goal("burst: p99 of the acknowledgement", "< 150ms", short(r.P99), r.P99 < 150*time.Millisecond)
	b.goal("burst: all completed", fmt.Sprint(n), fmt.Sprint(completed-warmEvents-1), completed == n+warmEvents+1)
	if used.peak > 0 {
		b.goal("burst: RSS of hookflow", "< 200 MiB", mebibytes(used.peak), used.peak < 200<<20)
	}
	b.goal("burst: the Twilio event completes", "≤ 10s", short(twilio), twilio <= 10*time.Second)
	return b.empty(ctx)
}
