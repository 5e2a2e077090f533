package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"hookflow/migrations"

	"github.com/jackc/pgx/v5"
)

// asked is how often each page is asked for.
const asked = 200

// hundredth is the page that is measured beside the first.
const hundredth = 100

// question is a filter of GET /v1/events, with the values it is asked for in turn.
type question struct {
	name   string
	params []string
}

// containing writes the parameter q.
func containing(json string) string { return "q=" + url.QueryEscape(json) }

// questions are the indexed filters. Those with limit=10 match 1,000 rows, so that there is a hundredth page.
var questions = []question{
	{"no filter", []string{""}},
	{"provider", []string{"provider=stripe", "provider=twilio", "provider=vapi"}},
	{"type", []string{"type=charge.succeeded", "type=checkout.session.completed", "type=call.completed"}},
	{"type, a glob with a literal prefix", []string{"type=checkout.session.*", "type=invoice.*", "type=call.*", "type=c*"}},
	{"status", []string{"status=failed", "status=processing", "status=pending", "status=completed"}},
	{"account", []string{"account=acct_0000", "account=acct_0001"}},
	{"since and until", []string{"since=720h&until=240h", "since=24h"}},
	{"provider and status", []string{"provider=vapi&status=failed&limit=10", "provider=stripe&status=failed"}},
	{"provider, type and since", []string{"provider=stripe&type=invoice.*&since=720h"}},
	{"account and type", []string{"account=acct_0000&type=charge.*&limit=10"}},
	{"error type", []string{"error_type=ReceiverFailed"}},
	{"error, a part of the message", []string{"error=answered+500"}},
	{"error, status and provider", []string{"error=ANSWERED&status=failed&provider=vapi"}},
	{"the oldest first", []string{"order=oldest", "order=oldest&provider=twilio", "order=oldest&status=failed"}},
	{"containment, 1,000 rows", []string{containing(`{"campaign":17}`) + "&limit=10", containing(`{"campaign":81}`) + "&limit=10"}},
	{"containment, 1,000 rows, and provider", []string{containing(`{"campaign":18}`) + "&provider=stripe&limit=5"}},
	{"containment, some rows", []string{containing(`{"data":{"object":{"customer":"cus_77"}}}`), containing(`{"data":{"object":{"customer":"cus_100077"}}}`)}},
}

// tooBroad cannot be answered within two seconds, and must say so.
var tooBroad = containing(`{"livemode":true,"data":{"object":{"currency":"eur","status":"paid"}}}`)

// answered is what one question took.
type answered struct {
	question
	first, later []time.Duration
}

// queries asks a ledger of a million events through GET /v1/events.
func (b *bench) queries(ctx context.Context) error {
	if err := b.empty(ctx); err != nil {
		return err
	}
	database, err := b.seed(ctx)
	if err != nil {
		return fmt.Errorf("fill the ledger: %w", err)
	}
	p, err := b.startHookflow(ctx, "api", "TEMPORAL_ADDRESS="+nowhere, "DATABASE_URL="+database)
	if err != nil {
		return err
	}
	defer b.stopPrograms()
	a := asker{ops: "http://" + p.ops, client: &http.Client{Timeout: 20 * time.Second}}
	if _, err := a.list(ctx, ""); err != nil {
		return err
	}
	var all []answered
	for _, q := range questions {
		one, err := a.ask(ctx, q)
		if err != nil {
			return fmt.Errorf("%s: %w", q.name, err)
		}
		b.say(fmt.Sprintf("%-40s first page p99 %-8s hundredth p99 %s", q.name, short(quantile(one.first, 0.99)), short(quantile(one.later, 0.99))))
		all = append(all, one)
	}
	broad, err := a.list(ctx, tooBroad)
	if err != nil {
		return err
	}
	b.printAnswers(all, broad)
	return b.stats(ctx, a)
}

// countings are asked of GET /v1/stats: the default day, and everything there is.
var countings = []string{
	"by=provider,type,status&bucket=1h", "by=status&since=90d&bucket=1d", "by=provider,type,status&since=90d&bucket=1d", "since=90d",
}

// stats measures how long it takes to count.
func (b *bench) stats(ctx context.Context, a asker) error {
	t := table{head: []string{fmt.Sprintf("GET /v1/stats on %d events", b.options.rows), "p50", "slowest"}}
	for _, params := range countings {
		var took []time.Duration
		for range 20 {
			p, err := a.get(ctx, "/v1/stats?"+params)
			if err != nil {
				return err
			}
			if p.status != http.StatusOK {
				return fmt.Errorf("%s: %d: %s", params, p.status, p.Detail)
			}
			took = append(took, p.took)
		}
		slices.Sort(took)
		t.add(params, short(quantile(took, 0.5)), short(took[len(took)-1]))
	}
	b.print("\n%s", t)
	return nil
}

func (b *bench) printAnswers(all []answered, broad page) {
	t := table{head: []string{fmt.Sprintf("GET /v1/events on %d events", b.options.rows), "first page p50", "p99", "hundredth page p50", "p99"}}
	worst := time.Duration(0)
	for _, a := range all {
		cells := []string{a.name}
		for _, took := range [][]time.Duration{a.first, a.later} {
			if len(took) == 0 {
				cells = append(cells, "-", "-")
				continue
			}
			cells = append(cells, short(quantile(took, 0.5)), short(quantile(took, 0.99)))
			worst = max(worst, quantile(took, 0.99))
		}
		t.add(cells...)
	}
	b.print("\n## Queries\n\n%s", t)
	b.print("\nA containment that every payload answers to: %d %s after %s: %q\n", broad.status, broad.Code, short(broad.took), broad.Detail)
	b.goal("queries: the slowest p99 of an indexed filter", "< 25ms", short(worst), worst < 25*time.Millisecond)
	b.goal("queries: too broad is stopped", "400 after 2s", fmt.Sprintf("%d after %s", broad.status, short(broad.took)),
		broad.status == http.StatusBadRequest && broad.took < 2500*time.Millisecond)
}

// asker asks /v1.
type asker struct {
	ops    string
	client *http.Client
}

// page is one answer.
type page struct {
	Events     []json.RawMessage
	NextCursor *string `json:"next_cursor"`
	Code       string
	Detail     string
	status     int
	took       time.Duration
}

// list asks for a page of events.
func (a asker) list(ctx context.Context, params string) (page, error) {
	return a.get(ctx, "/v1/events?"+params)
}

// get asks once. The time is that of a client: until the last byte is read, before it is decoded.
func (a asker) get(ctx context.Context, target string) (page, error) {
	var p page
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.ops+target, nil)
	if err != nil {
		return p, err
	}
	request.Header.Set("Authorization", "Bearer "+apiToken)
	began := time.Now()
	answer, err := a.client.Do(request)
	if err != nil {
		return p, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return p, err
	}
	p.status, p.took = answer.StatusCode, time.Since(began)
	return p, json.Unmarshal(text, &p)
}

// ask measures the first and the hundredth page, as far as there is one.
func (a asker) ask(ctx context.Context, q question) (answered, error) {
	r := answered{question: q}
	for _, params := range q.params {
		took, err := a.repeat(ctx, params, asked/len(q.params))
		if err != nil {
			return r, err
		}
		r.first = append(r.first, took...)
		cursor, err := a.walk(ctx, params)
		if err != nil {
			return r, err
		}
		if cursor == "" {
			continue
		}
		if took, err = a.repeat(ctx, params+"&cursor="+cursor, asked/len(q.params)); err != nil {
			return r, err
		}
		r.later = append(r.later, took...)
	}
	slices.Sort(r.first)
	slices.Sort(r.later)
	return r, nil
}

func (a asker) repeat(ctx context.Context, params string, n int) ([]time.Duration, error) {
	var took []time.Duration
	for range n {
		p, err := a.list(ctx, params)
		if err != nil {
			return nil, err
		}
		if p.status != http.StatusOK || len(p.Events) == 0 {
			return nil, fmt.Errorf("%s: %d with %d events: %s", params, p.status, len(p.Events), p.Detail)
		}
		took = append(took, p.took)
	}
	return took, nil
}

// walk turns pages and returns the cursor of the hundredth, "" where there are fewer.
func (a asker) walk(ctx context.Context, params string) (string, error) {
	cursor := ""
	for range hundredth - 1 {
		next := params
		if cursor != "" {
			next += "&cursor=" + cursor
		}
		p, err := a.list(ctx, next)
		if err != nil {
			return "", err
		}
		if p.NextCursor == nil {
			return "", nil
		}
		cursor = *p.NextCursor
	}
	return cursor, nil
}

// seed makes a database with the events and returns its URL.
func (b *bench) seed(ctx context.Context) (string, error) {
	began := time.Now()
	if _, err := b.ledger.Exec(ctx, "CREATE DATABASE queries OWNER hookflow"); err != nil {
		return "", err
	}
	u, err := url.Parse(b.postgres.URL())
	if err != nil {
		return "", err
	}
	u.Path = "/queries"
	if _, err := migrations.Up(ctx, u.String()); err != nil {
		return "", err
	}
	conn, err := pgx.Connect(ctx, u.String())
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	if err := fill(ctx, conn, b.options.rows); err != nil {
		return "", err
	}
	b.say(fmt.Sprintf("%d events in the ledger after %s", b.options.rows, time.Since(began).Round(time.Second)))
	return u.String(), nil
}
