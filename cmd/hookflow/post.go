package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"hookflow/providers"
)

const webhooksPath = "/webhooks/"

// poster signs requests as one provider and posts them.
type poster struct {
	env      environment
	provider string
	source   providers.Source
	signer   providers.Signer
	variable string // of its secrets
	target   *url.URL
	signURL  string
	client   *http.Client
}

func newPoster(env environment, setup providers.Setup, flags sendFlags) (*poster, error) {
	provider := setup.Name
	base := flags.url
	if base == "" {
		base = env.postURL()
	}
	target, err := checkBase(base)
	if err != nil {
		return nil, err
	}
	if !strings.HasSuffix(target.Path, webhooksPath+provider) {
		target.Path += webhooksPath + provider
	}
	if flags.url == "" {
		if err := env.checkSigner(setup, base); err != nil {
			return nil, usageError("%v, or name the address with --url", err)
		}
	}
	source, signer, err := newSigner(env, setup)
	if err != nil {
		return nil, err
	}
	return &poster{
		env: env, provider: provider, source: source, signer: signer, variable: setup.Variable, target: target,
		signURL: signURL(env, provider, target), client: newHTTPClient(flags.parallel),
	}, nil
}

// signURL is what Twilio's signature covers: the server verifies against HOOKFLOW_PUBLIC_URL, whatever was called.
func signURL(env environment, provider string, target *url.URL) string {
	if public := env.setting("HOOKFLOW_PUBLIC_URL"); public != "" {
		return strings.TrimRight(public, "/") + webhooksPath + provider
	}
	return target.String()
}

// signed is a request that is ready to go.
type signed struct {
	*providers.Request
	// target is where it goes, which need not be the URL that was signed.
	target string
	// key and id are what the event will be known by; empty for a request that holds no event.
	key, id string
}

// sign signs r with the clock of this moment, and reads it as the server will.
func (p *poster) sign(r *providers.Request) *signed {
	now := p.env.now()
	r.URL = p.signURL + r.URL
	p.signer.Sign(r, now)
	s := &signed{Request: r, target: p.target.String() + strings.TrimPrefix(r.URL, p.signURL)}
	if d, err := p.source.Read(r, now); err == nil && len(d.Events) > 0 {
		s.key, s.id = d.Events[0].Key(), d.Events[0].ID
	}
	return s
}

// receipt is what came back for one request.
type receipt struct {
	status           int
	outcome, id, key string
	// answer is the provider's own reply, where it is not the JSON of the contract.
	answer string
	// how says what became of a computed answer: computed, late or failed; empty where no route replies.
	how  string
	took time.Duration
	// problem is one sentence when the request failed.
	problem string
}

func (p *poster) send(ctx context.Context, s *signed) *receipt {
	r, err := http.NewRequestWithContext(ctx, s.Method, s.target, bytes.NewReader(s.Body))
	if err != nil {
		return &receipt{problem: err.Error()}
	}
	r.Header = s.Header
	began := p.env.now()
	answer, err := p.client.Do(r)
	if err != nil {
		return &receipt{problem: explain(err, p.target)}
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return &receipt{problem: explain(err, p.target)}
	}
	got := p.read(answer, body, s)
	got.took = p.env.now().Sub(began)
	return got
}

func (p *poster) read(answer *http.Response, body []byte, s *signed) *receipt {
	if answer.StatusCode/100 != 2 {
		return &receipt{status: answer.StatusCode, problem: p.refusal(answer.StatusCode, body)}
	}
	got := &receipt{
		status:  answer.StatusCode,
		outcome: answer.Header.Get("Hookflow-Outcome"),
		id:      answer.Header.Get("Hookflow-Event-Id"),
		how:     answer.Header.Get("Hookflow-Answer"),
	}
	if got.outcome == "" {
		got.problem = p.target.Host + " answered " + strconv.Itoa(got.status) + " without an outcome; is it hookflow?"
		return got
	}
	if got.id == s.id {
		got.key = s.key
	}
	var contract struct {
		Key, Outcome string
		Events       []struct{ Key string }
	}
	switch err := json.Unmarshal(body, &contract); {
	case err == nil && contract.Outcome != "":
		got.key = contract.Key
	case err == nil && len(contract.Events) > 0: // a batch; the headers name its first
		got.key = contract.Events[0].Key
	case len(body) > 0:
		got.answer = string(body)
	}
	return got
}

// refusal says what the server said, and for a signature where to look.
func (p *poster) refusal(status int, body []byte) string {
	said := strconv.Itoa(status) + ": " + problemDetail(status, body)
	if status != http.StatusUnauthorized {
		return said
	}
	hint := "; the server has another " + p.variable
	if p.signer.Traits().SignsURL {
		hint += ", or its HOOKFLOW_PUBLIC_URL is not that of " + p.signURL + ", for which this was signed"
	}
	return said + hint
}

// tally counts receipts. It is safe for concurrent use.
type tally struct {
	mu           sync.Mutex
	sent, failed int
	outcomes     map[string]int
	firstProblem string
}

func (t *tally) add(r *receipt) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sent++
	if r.problem != "" {
		if t.failed == 0 {
			t.firstProblem = r.problem
		}
		t.failed++
		return
	}
	if t.outcomes == nil {
		t.outcomes = map[string]int{}
	}
	t.outcomes[r.outcome]++
}
