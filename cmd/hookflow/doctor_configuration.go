package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"hookflow/api"
	"hookflow/config"
	"hookflow/routing"
)

// examineConfiguration reads the environment and the routes, as a start does.
func (p *patient) examineConfiguration() []finding {
	const check = "configuration"
	if err := p.read(); err != nil {
		return append(problemsOf(check, err), p.examineSecrets()...)
	}
	made, _, _ := sources(p.config)
	names := slices.Sorted(maps.Keys(made))
	found := fine(check, "as %s would read it: %s; routes of %s", p.mode, strings.Join(names, ", "), p.config.FileName)
	all := append([]finding{found}, p.examineSecrets()...)
	for _, name := range names {
		if reason := made[name].Guessable; reason != "" {
			all = append(all, warning("short secret", name+": "+reason, "let its sender sign with a longer one, such as $(openssl rand -hex 24)"))
		}
	}
	if table, err := routing.Parse(p.config.FileName, p.config.File); err == nil {
		if what := shortRetention(p.config.PayloadRetention, table); what != "" {
			all = append(all, warning("retention", what, "a longer HOOKFLOW_PAYLOAD_RETENTION, or a shorter schedule_to_close_timeout"))
		}
	}
	return append(all, p.examinePublicURL())
}

// problemsOf makes a finding of each problem that err joins.
func problemsOf(check string, err error) []finding {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		var all []finding
		for _, e := range joined.Unwrap() {
			all = append(all, problemsOf(check, e)...)
		}
		return all
	}
	var known *config.Problem
	if errors.As(err, &known) {
		return []finding{failed(check, known.Where+" "+known.What, "write: "+known.Write)}
	}
	return []finding{failed(check, oneLine(err), "mend it; a server does not start with it")}
}

// examineSecrets says which secrets are there, by the number of them.
func (p *patient) examineSecrets() []finding {
	var set, rotating []string
	for _, name := range slices.Sorted(maps.Keys(p.config.Webhooks.Secrets)) {
		count := len(p.config.Webhooks.Secrets[name])
		if count == 0 {
			continue // set, and of no use
		}
		set = append(set, fmt.Sprintf("%s (%d)", name, count))
		if count > 1 {
			rotating = append(rotating, name)
		}
	}
	found := []finding{fine("secrets", "set: %s", cmp.Or(strings.Join(set, ", "), "none"))}
	if rotating != nil {
		found[0].Detail += "; the old one of " + strings.Join(rotating, ", ") + " can go once its sender signs with the new one"
	}
	if len(p.config.APITokens) == 0 {
		return append(found, warning("api token", "none, so /v1 and the commands that speak to it are closed",
			"set HOOKFLOW_API_TOKEN, such as ops:$(openssl rand -hex 24)"))
	}
	return append(found, fine("api token", "%d", len(p.config.APITokens)))
}

func (p *patient) examinePublicURL() finding {
	const check = "public url"
	url, signs := p.config.PublicURL, signers(p.config)
	switch {
	case url == "":
		return warning(check, "not set; no provider that is on signs it", "set HOOKFLOW_PUBLIC_URL to what senders call")
	case p.mode == config.Dev:
		return fine(check, "%s", url)
	case !strings.HasPrefix(url, "https://"):
		return warning(check, url+" is not https: bodies and Vapi's static secrets travel in clear", "put TLS in front, and set HOOKFLOW_PUBLIC_URL to it")
	case len(signs) > 0:
		return fine(check, "%s; %s sign it, so it must be what is set up there, byte for byte", url, strings.Join(signs, ", "))
	}
	return fine(check, "%s", url)
}

// signers names the sources that sign the URL that they call.
func signers(c config.Config) []string {
	made, _, _ := sources(c)
	var names []string
	for _, name := range slices.Sorted(maps.Keys(made)) {
		if made[name].Traits().SignsURL {
			names = append(names, name)
		}
	}
	return names
}

// examineServer asks the server itself.
func (p *patient) examineServer(ctx context.Context) []finding {
	const check = "server"
	ops := config.AddressURL(p.config.OpsAddr)
	if ops == "" {
		return []finding{warning(check, "its port is chosen at the start, so it was not asked", "set HOOKFLOW_OPS_ADDR")}
	}
	ctx, cancel := context.WithTimeout(ctx, doctorTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, ops+"/readyz", nil)
	if err != nil {
		return []finding{failed(check, oneLine(err), "mend HOOKFLOW_OPS_ADDR")}
	}
	if len(p.config.APITokens) > 0 {
		r.Header.Set("Authorization", "Bearer "+p.config.APITokens[0].Secret)
	}
	answer, err := newHTTPClient(1).Do(r)
	if err != nil {
		what := explain(err, r.URL)
		if ctx.Err() != nil {
			what = fmt.Sprintf("%s did not answer within %s", r.URL.Host, doctorTime)
		}
		return []finding{failed(check, what, "start it: hookflow serve, or make dev; HOOKFLOW_OPS_ADDR says where it is")}
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(answer.Body, maxAnswer)) // one that is cut off tells nothing of the places
	var said struct{ Places []api.Place }
	_ = json.Unmarshal(body, &said)
	var away []string
	for _, place := range said.Places {
		if !place.Reachable {
			away = append(away, place.Name)
		}
	}
	switch {
	case answer.StatusCode != http.StatusOK:
		return []finding{failed(check, fmt.Sprintf("%s/readyz answers %d", ops, answer.StatusCode), "see the lines about Postgres and Temporal")}
	case len(away) > 0:
		return []finding{warning(check, ops+" serves, and does not reach "+strings.Join(away, ", "), "see the lines about it")}
	}
	return []finding{fine(check, "%s is ready", ops)}
}
