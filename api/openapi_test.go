package api

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hookflow/event"

	"github.com/gin-gonic/gin"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

// document is the part of OpenAPI that the tests read.
type document struct {
	OpenAPI string
	Paths   map[string]map[string]json.RawMessage
}

type operation struct {
	OperationID string
	Parameters  []struct {
		Ref string `json:"$ref"`
	}
	Responses map[string]struct {
		Ref     string `json:"$ref"`
		Content map[string]any
	}
}

func readDocument(t *testing.T) (document, map[string]operation) {
	t.Helper()
	var d document
	require.NoError(t, json.Unmarshal(openapiJSON(), &d))
	operations := map[string]operation{}
	for path, methods := range d.Paths {
		for method, raw := range methods {
			if method != "parameters" {
				var o operation
				require.NoError(t, json.Unmarshal(raw, &o), path)
				operations[strings.ToUpper(method)+" "+path] = o
			}
		}
	}
	return d, operations
}

var routeParameter = regexp.MustCompile(`[:*](\w+)`)

// routes lists what the handlers take, as the document writes it. HEAD is GET without the body.
func routes(d *door) []string {
	var all []string
	for _, r := range d.Both().(*gin.Engine).Routes() {
		path := routeParameter.ReplaceAllString(r.Path, "{$1}")
		verbs := d.API.eventActions()[r.Method]
		switch {
		case r.Method == http.MethodHead:
		case strings.Contains(r.Path, "*") && verbs != nil:
			for verb := range verbs {
				all = append(all, r.Method+" "+path+"/"+verb)
			}
		default:
			all = append(all, r.Method+" "+path)
		}
	}
	return all
}

// Every route is in the document, and every path of the document has a route.
func TestDocumentIsOfTheRoutes(t *testing.T) {
	t.Parallel()
	d := newDoor(t, func(o *Options) { o.Scrape = http.NotFoundHandler() })
	written, operations := readDocument(t)
	require.Equal(t, "3.1.0", written.OpenAPI)
	known := routes(d)
	for _, route := range known {
		require.Contains(t, operations, route,
			"describe %q in api/openapi.yaml: operationId, summary, parameters, and the schema of each answer; then add a request of it to answered in this file", route)
	}
	ids := map[string]bool{}
	for route, o := range operations {
		require.Contains(t, known, route, "api/openapi.yaml describes %q, which no handler takes; take it out", route)
		require.NotEmpty(t, o.OperationID, route)
		require.False(t, ids[o.OperationID], "%s twice", o.OperationID)
		ids[o.OperationID] = true
		require.Contains(t, o.Responses, "default", "%s: what a problem looks like", route)
	}
}

func TestDocumentNamesEveryParameter(t *testing.T) {
	t.Parallel()
	_, operations := readDocument(t)
	var all struct {
		Components struct {
			Parameters map[string]struct{ Name string }
		}
	}
	require.NoError(t, json.Unmarshal(openapiJSON(), &all))
	for route, want := range map[string][]string{
		"GET /v1/events": slices.Collect(maps.Keys(parameters)), "GET /v1/stats": slices.Collect(maps.Keys(countParameters)),
	} {
		var named []string
		for _, p := range operations[route].Parameters {
			named = append(named, all.Components.Parameters[strings.TrimPrefix(p.Ref, "#/components/parameters/")].Name)
		}
		require.ElementsMatch(t, want, named, "%s: the parameters of the handler are those of the document", route)
	}
}

// schemaOf compiles the schema of an answer; the whole document is at hand for what it refers to.
func schemaOf(t *testing.T, route, status, contentType string) *jsonschema.Schema {
	t.Helper()
	_, operations := readDocument(t)
	method, path, _ := strings.Cut(route, " ")
	escaped := strings.NewReplacer("~", "~0", "/", "~1")
	pointer := "/paths/" + escaped.Replace(path) + "/" + strings.ToLower(method) + "/responses/" + status
	response, ok := operations[route].Responses[status]
	if !ok || response.Ref != "" {
		response, ok = operations[route].Responses["default"]
		pointer = strings.TrimPrefix(response.Ref, "#")
	}
	require.True(t, ok, "%s has no answer %s in api/openapi.yaml", route, status)
	if contentType == "application/problem+json" && status != "default" && response.Ref == "" {
		require.Contains(t, response.Content, contentType)
	}
	whole, err := jsonschema.UnmarshalJSON(strings.NewReader(string(openapiJSON())))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	require.NoError(t, compiler.AddResource("openapi.json", whole))
	schema, err := compiler.Compile("openapi.json#" + pointer + "/content/" + escaped.Replace(contentType) + "/schema")
	require.NoError(t, err, "%s %s %s", route, status, contentType)
	return schema
}

// requireDescribed asserts that an answer is as the document says.
func requireDescribed(t *testing.T, route string, w *httptest.ResponseRecorder) {
	t.Helper()
	answer, err := jsonschema.UnmarshalJSON(strings.NewReader(w.Body.String()))
	require.NoError(t, err)
	schema := schemaOf(t, route, fmt.Sprint(w.Code), w.Header().Get("Content-Type"))
	require.NoError(t, schema.Validate(answer), "%s answers what api/openapi.yaml does not say: %s", route, w.Body)
}

// filled is a record without a null.
func filled() event.Record {
	id, yes, at := event.ID("acme:1"), true, noon
	return event.Record{
		ID: id, Provider: "acme", Scheme: "acme", EventID: "1", EventType: "thing.made", Account: &id, Livemode: &yes, Status: event.Failed,
		WorkflowID: "acme:1", RunID: &id, OriginalRunID: &id, LastError: &id, LastErrorType: &id, OccurredAt: &at, ReceivedAt: at,
		DispatchedAt: &at, NextDispatchAt: &at, RefusedSince: &at, LeaseUntil: &at, StartedAt: &at, FinishedAt: &at, LastDuplicateAt: &at, PlanID: &id,
	}
}

// bare is a record of which nothing is known that may be unknown.
func bare() event.Record {
	return event.Record{ID: event.ID("acme:1"), Provider: "acme", EventID: "1", Status: event.Pending, WorkflowID: "acme:1", ReceivedAt: noon}
}

// shelf answers for everything behind /v1, with one record; more fills what may be empty.
type shelf struct {
	record event.Record
	more   bool
}

func (s shelf) List(context.Context, event.Filter) (event.Page, error) {
	if !s.more {
		return event.Page{}, nil
	}
	return event.Page{Events: []event.Record{s.record}, Next: &event.Cursor{ReceivedAt: noon, ID: s.record.ID}}, nil
}

func (s shelf) Find(context.Context, string) (event.Detail, error) {
	d := event.Detail{Record: s.record, Timeline: event.Timeline(s.record, nil)}
	if word, n, ms := "word", 3, int64(1500); s.more {
		d.Headers, d.ContentType, d.Body = map[string]string{"User-Agent": "acme"}, &word, []byte("{}")
		d.Payload, d.Plan = json.RawMessage(`{"a":[1]}`), json.RawMessage(`{"route":"r","steps":[{"name":"a","activity":"b","options":{}}]}`)
		d.Steps = []event.StepRecord{{Step: "a", Status: event.Failed, Error: &word, ErrorType: &word, StartedAt: &noon, FinishedAt: &noon, Result: json.RawMessage(`{}`)}}
		d.Timeline = append(d.Timeline, event.Moment{At: noon, Kind: event.AttemptFailed, Step: &word, Attempt: &n, Error: &word,
			ErrorType: &word, DurationMS: &ms, Author: &word, Detail: json.RawMessage(`[1]`)})
	}
	return d, nil
}

func (s shelf) Count(context.Context, event.Counting) ([]event.Bucket, error) {
	return []event.Bucket{{Start: noon, Count: 1}, {Start: noon, Provider: &s.record.Provider, Type: &s.record.EventType, Status: &s.record.Status}}, nil
}

func (s shelf) Replay(context.Context, string, event.From, string) (event.Record, error) {
	return s.record, nil
}
func (s shelf) Retry(context.Context, string, string) (event.Record, error)  { return s.record, nil }
func (s shelf) Cancel(context.Context, string, string) (event.Record, error) { return s.record, nil }
func (s shelf) Erase(_ context.Context, id, _ string) (event.Erasure, error) {
	return event.Erasure{ID: id, Key: "acme:1", Content: s.more, Histories: 2}, nil
}

func (s shelf) replay() event.Replay {
	r := event.Replay{ID: event.ID("r"), State: event.ReplayRunning, From: event.FromFailure, Filter: json.RawMessage("{}"), CreatedAt: noon}
	if rate := 2.5; s.more {
		r.Rate, r.FinishedAt = &rate, &noon
	}
	return r
}

func (s shelf) PreviewReplay(context.Context, event.Filter) (event.ReplayPreview, error) {
	return event.ReplayPreview{Matched: 1, Sample: []event.Record{s.record}}, nil
}

func (s shelf) CreateReplay(context.Context, event.ReplayRequest) (event.Replay, error) {
	return s.replay(), nil
}

func (s shelf) ListReplays(context.Context, int) ([]event.Replay, error) {
	if !s.more {
		return nil, nil
	}
	return []event.Replay{s.replay()}, nil
}
func (s shelf) FindReplay(context.Context, string) (event.Replay, error) { return s.replay(), nil }
func (s shelf) SteerReplay(context.Context, string, event.ReplayState, string) (event.Replay, error) {
	return s.replay(), nil
}

// answered is a request of each route but webhooks, metrics and the document, which are asked for elsewhere.
var answered = map[string]struct{ target, body string }{
	"GET /livez": {"/livez", ""}, "GET /readyz": {"/readyz", ""},
	"GET /v1/events": {"/v1/events", ""}, "GET /v1/events/{id}": {"/v1/events/acme:1", ""},
	"GET /v1/stats":                       {"/v1/stats", ""},
	"POST /v1/events/{id}/replay":         {"/v1/events/acme:1/replay", ""},
	"POST /v1/events/{id}/retry":          {"/v1/events/acme:1/retry", ""},
	"POST /v1/events/{id}/cancel":         {"/v1/events/acme:1/cancel", ""},
	"DELETE /v1/events/{id}/content":      {"/v1/events/acme:1/content", ""},
	"GET /v1/destinations":                {"/v1/destinations", ""},
	"POST /v1/destinations/{name}/pause":  {"/v1/destinations/billing/pause", `{"reason":"a deploy"}`},
	"POST /v1/destinations/{name}/resume": {"/v1/destinations/billing/resume", ""},
	"GET /v1/replays":                     {"/v1/replays", ""},
	"POST /v1/replays":                    {"/v1/replays", `{"filter":{}}`},
	"GET /v1/replays/{id}":                {"/v1/replays/" + event.ID("r"), ""},
	"POST /v1/replays/{id}/pause":         {"/v1/replays/" + event.ID("r") + "/pause", ""},
	"POST /v1/replays/{id}/resume":        {"/v1/replays/" + event.ID("r") + "/resume", ""},
	"POST /v1/replays/{id}/stop":          {"/v1/replays/" + event.ID("r") + "/stop", ""},
}

func TestAnswersAreAsDocumented(t *testing.T) {
	t.Parallel()
	_, operations := readDocument(t)
	for route := range operations {
		if strings.Contains(route, "/webhooks/") || route == "GET /metrics" || route == "GET /openapi.json" {
			continue
		}
		t.Run(route, func(t *testing.T) {
			t.Parallel()
			asked, ok := answered[route]
			require.True(t, ok, "add a request of %q to answered in this file", route)
			method, _, _ := strings.Cut(route, " ")
			for name, s := range map[string]shelf{
				"nothing is known": {record: bare()},
				"all is known":     {record: filled(), more: true},
			} {
				d := newDoor(t, func(o *Options) {
					o.Ledger, o.Repairs, o.Replays = s, s, s
					o.TemporalURL = func(string, string) string { return "http://temporal" }
					o.Ready = func(context.Context) Readiness {
						return Readiness{Places: []Place{{Name: "postgres", Reachable: s.more, Detail: "why"}}}
					}
				})
				r := httptest.NewRequest(method, asked.target, strings.NewReader(asked.body))
				r.Header.Set("Authorization", "Bearer "+canaryToken)
				w := serve(d.Ops(), r)
				require.True(t, w.Code < 300 || route == "GET /readyz", "%s: %s", name, w.Body)
				requireDescribed(t, route, w)
			}
			if strings.Contains(route, "/v1/") {
				d := newDoor(t)
				requireDescribed(t, route, serve(d.Ops(), httptest.NewRequest(method, asked.target, nil))) // without a token
			}
		})
	}
}

func TestDocumentIsServedWithoutAToken(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	w := serve(d.Ops(), mustGet(t, "/openapi.json"))
	require.Equal(t, 200, w.Code)
	require.JSONEq(t, string(openapiJSON()), w.Body.String())
	require.Equal(t, 404, serve(d.Webhooks(), mustGet(t, "/openapi.json")).Code, "it is the operators'")
	requireDescribed(t, "POST /webhooks/{provider}", serve(d.Webhooks(), signed("/webhooks/acme", goodBody)))
	requireDescribed(t, "POST /webhooks/{provider}", serve(d.Webhooks(), httptest.NewRequest("POST", "/webhooks/nobody", nil)))
}
