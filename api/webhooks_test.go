package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"hookflow/event"
	"hookflow/providers"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"
)

func TestVerifiedWebhookIsAcceptedAndAnswered(t *testing.T) {
	t.Parallel()
	for _, outcome := range []event.Outcome{event.Accepted, event.Duplicate, event.Ignored} {
		t.Run(string(outcome), func(t *testing.T) {
			t.Parallel()
			d := newDoor(t)
			d.accept = func(ctx context.Context, e *event.Event) (event.Outcome, error) {
				deadline, set := ctx.Deadline()
				require.True(t, set)
				require.WithinDuration(t, time.Now(), deadline, acceptTime)
				return outcome, nil
			}
			w := serve(d.Webhooks(), signed("/webhooks/acme", goodBody))
			require.Equal(t, http.StatusOK, w.Code)
			id := event.ID("acme:evt_1")
			require.JSONEq(t, fmt.Sprintf(`{"id":%q,"key":"acme:evt_1","outcome":%q}`, id, outcome), w.Body.String())
			require.Equal(t, "application/json", w.Header().Get("Content-Type"))
			require.Equal(t, id, w.Header().Get("Hookflow-Event-Id"))
			require.Equal(t, string(outcome), w.Header().Get("Hookflow-Outcome"))
			require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
			counted := []string{"acme " + string(outcome)}
			if outcome == event.Ignored {
				counted = append([]string{"acme ignored thing.made"}, counted...)
			}
			require.Equal(t, counted, d.counted())
			require.Len(t, d.events(), 1)
			require.Equal(t, goodBody, string(d.events()[0].Body))
			require.Equal(t, noon, d.events()[0].ReceivedAt)
		})
	}
}

func TestProvidersOwnAnswer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		own  providers.Answer
		body string
		log  string
	}{
		"text":  {own: providers.Answer{ContentType: "text/xml", Body: []byte("<Response/>"), Warning: "not built yet"}, body: "<Response/>", log: "not built yet"},
		"empty": {own: providers.Answer{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDoor(t, withSource(acme{maxBody: 1 << 10, own: &test.own}))
			w := serve(d.Webhooks(), signed("/webhooks/acme", goodBody))
			require.Equal(t, http.StatusOK, w.Code)
			require.Equal(t, test.body, w.Body.String())
			require.Equal(t, test.own.ContentType, w.Header().Get("Content-Type"))
			require.Equal(t, "accepted", w.Header().Get("Hookflow-Outcome"))
			require.Equal(t, event.ID("acme:evt_1"), w.Header().Get("Hookflow-Event-Id"))
			require.Contains(t, d.logged(), test.log)
		})
	}
}

func withSource(p providers.Provider) func(*Options) {
	return func(o *Options) { o.Sources = map[string]providers.Source{"acme": {Name: "acme", Provider: p}} }
}

// What leaves the body as it is refuses nothing, and JSON has several names.
func TestPlainBodiesAreTaken(t *testing.T) {
	t.Parallel()
	kind := providers.KindOf("square")
	for name, c := range map[string]struct {
		header, value string
		removed       bool
	}{
		"identity":          {"Content-Encoding", "identity", false},
		"a charset":         {"Content-Encoding", "UTF-8", false},
		"nothing":           {"Content-Encoding", "", false},
		"no type":           {"Content-Type", "", true},
		"a type of JSON":    {"Content-Type", "application/vnd.api+json", false},
		"an old name":       {"Content-Type", "text/json; charset=utf-8", false},
		"capitals":          {"Content-Type", "Application/JSON;charset=UTF-8", false},
		"a loose semicolon": {"Content-Type", "application/json;", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source, err := kind.New("square", providers.Settings{Secrets: []string{strings.Repeat("s", 32)}})
			require.NoError(t, err)
			g := newGate(source)
			h := http.Header{"Content-Type": {"application/json"}}
			if h.Set(c.header, c.value); c.removed {
				h.Del(c.header)
			}
			require.NoError(t, g.checkHead(h))
		})
	}
	forms, err := providers.KindOf("slack").New("slack", providers.Settings{Secrets: []string{strings.Repeat("s", 32)}})
	require.NoError(t, err)
	require.Error(t, newGate(forms).checkHead(http.Header{}), "which of its two types is it?")
}

func TestRefusedWebhooks(t *testing.T) {
	t.Parallel()
	with := func(name string, values ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header[name] = values }
	}
	for name, test := range map[string]struct {
		target string
		body   string
		change func(*http.Request)
		status int
		code   string
	}{
		"another provider":    {target: "/webhooks/nobody", status: 404, code: "provider_unknown"},
		"another path":        {target: "/webhooks", status: 404, code: "path_unknown"},
		"a double slash":      {target: "/webhooks//acme", status: 404, code: "path_unknown"},
		"a trailing slash":    {target: "/webhooks/acme/", status: 404, code: "path_unknown"},
		"upper case":          {target: "/Webhooks/acme", status: 404, code: "path_unknown"},
		"get":                 {change: func(r *http.Request) { r.Method = "GET" }, status: 405, code: "method_not_allowed"},
		"put":                 {change: func(r *http.Request) { r.Method = "PUT" }, status: 405, code: "method_not_allowed"},
		"an invented method":  {change: func(r *http.Request) { r.Method = "FROB" }, status: 405, code: "method_not_allowed"},
		"gzip":                {change: with("Content-Encoding", "gzip"), status: 415, code: "content_encoding_unsupported"},
		"gzip after identity": {change: with("Content-Encoding", "identity, gzip"), status: 415, code: "content_encoding_unsupported"},
		"a form":              {change: with("Content-Type", "application/x-www-form-urlencoded"), status: 415, code: "media_type_unsupported"},
		"no media type":       {change: with("Content-Type"), status: 415, code: "media_type_unsupported"},
		"an empty media type": {change: with("Content-Type", ""), status: 415, code: "media_type_unsupported"},
		"an odd media type":   {change: with("Content-Type", "application/json; charset"), status: 415, code: "media_type_unsupported"},
		"two media types":     {change: with("Content-Type", "application/json", "application/json"), status: 415, code: "media_type_unsupported"},
		"promised too large":  {change: func(r *http.Request) { r.ContentLength = 64<<10 + 1 }, status: 413, code: "body_too_large"},
		"too large":           {body: strings.Repeat("x", 64<<10+1), change: func(r *http.Request) { r.ContentLength = -1 }, status: 413, code: "body_too_large"},
		"no signature":        {change: with("X-Signature"), status: 401, code: "signature_invalid"},
		"a false signature":   {change: with("X-Signature", canarySignature), status: 401, code: "signature_invalid"},
		"no event":            {body: canaryBody, status: 400, code: "event_invalid"},
		"an id with a NUL":    {body: `{"id":"a\u0000","type":"t"}`, status: 400, code: "event_invalid"},
		"an empty id":         {body: `{"id":"","type":"t"}`, status: 400, code: "event_invalid"},
		"a panic":             {body: `{"id":"a","type":"panic","note":"` + canaryBody + `"}`, status: 500, code: "internal"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDoor(t)
			target, body := test.target, test.body
			if target == "" {
				target = "/webhooks/acme"
			}
			if body == "" {
				body = goodBody
			}
			r := signed(target, body)
			if test.change != nil {
				test.change(r)
			}
			w := serve(d.Webhooks(), r)
			requireProblem(t, w.Result(), w.Body.Bytes(), test.status, test.code)
			require.Empty(t, d.events(), "nothing is stored")
			require.Equal(t, test.status == 405, w.Header().Get("Allow") == "POST")
			requireNoCanary(t, d.logged()+w.Body.String())
		})
	}
}

func requireNoCanary(t *testing.T, text string) {
	t.Helper()
	for _, canary := range []string{canarySecret, canaryBody, canarySignature, canaryToken, acmeSignature(testURL+"/webhooks/acme", []byte(goodBody))} {
		require.NotContains(t, text, canary)
	}
}

func TestMediaTypeParametersAndCaseAreTaken(t *testing.T) {
	t.Parallel()
	for _, contentType := range []string{"application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8", "application/json;"} {
		r := signed("/webhooks/acme", goodBody)
		r.Header.Set("Content-Type", contentType)
		require.Equal(t, http.StatusOK, serve(newDoor(t).Webhooks(), r).Code, contentType)
	}
}

func TestAcceptErrors(t *testing.T) {
	t.Parallel()
	strange := errors.New("strange: dial 10.1.2.3")
	for name, test := range map[string]struct {
		err      error
		status   int
		code     string
		reported bool
	}{
		"unavailable":   {err: fmt.Errorf("both: %w", event.ErrUnavailable), status: 503, code: "unavailable"},
		"too large now": {err: event.ErrTooLargeNow, status: 503, code: "too_large_now"},
		"out of time":   {err: context.DeadlineExceeded, status: 503, code: "unavailable"},
		"cancelled":     {err: context.Canceled, status: 503, code: "unavailable"},
		"unknown":       {err: strange, status: 500, code: "internal", reported: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDoor(t)
			d.accept = func(context.Context, *event.Event) (event.Outcome, error) { return "", test.err }
			w := serve(d.Webhooks(), signed("/webhooks/acme", goodBody))
			requireProblem(t, w.Result(), w.Body.Bytes(), test.status, test.code)
			require.NotContains(t, w.Body.String(), "10.1.2.3")
			require.Equal(t, test.reported, len(d.reported) == 1)
			require.Equal(t, []string{"acme " + test.code}, d.counted())
			requireNoCanary(t, d.logged())
		})
	}
}

// A sender may close its side of the connection after the last byte (nc -N does) and wait for the answer.
func TestAcceptOutlivesASenderThatClosedItsSide(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	gone, closed := make(chan struct{}), make(chan struct{})
	d.accept = func(ctx context.Context, _ *event.Event) (event.Outcome, error) {
		close(gone)
		<-closed
		return event.Accepted, ctx.Err()
	}
	requestGone := make(chan struct{})
	watched := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		context.AfterFunc(r.Context(), func() { close(requestGone) })
		d.Webhooks().ServeHTTP(w, r)
	})
	c := dial(t, listen(t, watched))
	_, err := fmt.Fprintf(c, "%s%s", head(fmt.Sprintf("X-Signature: %s\r\nContent-Length: %d\r\n",
		acmeSignature(testURL+"/webhooks/acme", []byte(goodBody)), len(goodBody))), goodBody)
	require.NoError(t, err)
	<-gone
	require.NoError(t, c.CloseWrite())
	<-requestGone
	close(closed)
	w, _ := readAnswer(t, c)
	require.Equal(t, http.StatusOK, w.StatusCode)
}

func TestPanicsAreReported(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	w := serve(d.Webhooks(), signed("/webhooks/acme", `{"id":"a","type":"panic"}`))
	require.Equal(t, 500, w.Code)
	require.Equal(t, []any{canaryBody}, d.panics)
	require.Contains(t, d.logged(), "a request panicked")
	requireNoCanary(t, d.logged())
}

func TestAbortedAnswersStayAborted(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]gin.HandlerFunc{
		"on purpose":     func(*gin.Context) { panic(http.ErrAbortHandler) },
		"half an answer": func(c *gin.Context) { c.Writer.WriteHeaderNow(); panic("late") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDoor(t, func(o *Options) { o.Middleware = []gin.HandlerFunc{handler} })
			require.PanicsWithValue(t, http.ErrAbortHandler, func() {
				serve(d.Webhooks(), httptest.NewRequest("GET", "/livez", nil))
			})
		})
	}
}

func TestRuntimePanicsAreLoggedInWords(t *testing.T) {
	t.Parallel()
	d := newDoor(t, func(o *Options) {
		o.Middleware = []gin.HandlerFunc{func(*gin.Context) { nowhere()["a"] = 1 }}
	})
	require.Equal(t, 500, serve(d.Webhooks(), httptest.NewRequest("GET", "/livez", nil)).Code)
	require.Contains(t, d.logged(), "assignment to entry in nil map")
}

func nowhere() map[string]int { return nil }

func TestSignedTargetIsByteForByte(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"/webhooks/acme":                     "/webhooks/acme",
		"/webhooks/acme?":                    "/webhooks/acme?",
		"/webhooks/acme?a=b'c&d=%27":         "/webhooks/acme?a=b'c&d=%27",
		"/webhooks//acme":                    "/webhooks//acme",
		"/web%2Fhooks/%61cme?x=%2F+%20":      "/web%2Fhooks/%61cme?x=%2F+%20",
		"http://evil.example/webhooks/a?b#c": "/webhooks/a?b#c",
		"http://evil.example?b=/c":           "/?b=/c",
		"http://evil.example":                "/",
		"https://u:p@evil.example//x":        "//x",
		"*":                                  "/*",
	} {
		require.Equal(t, want, rawTarget(uri), uri)
	}
}

func TestURLIsVerifiedOverTheWire(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	addr := listen(t, d.Webhooks())
	for target, path := range map[string]string{
		"/webhooks/acme?":                              "/webhooks/acme?",
		"/webhooks/%61cme?a=%2F&b='&c=+&a=;":           "/webhooks/%61cme?a=%2F&b='&c=+&a=;",
		"http://other.example:99/webhooks/acme?x=%2f?": "/webhooks/acme?x=%2f?",
	} {
		c := dial(t, addr)
		_, err := fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: other.example\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Proto: ftp\r\n"+
			"Content-Type: application/json\r\nX-Signature: %s\r\nContent-Length: %d\r\n\r\n%s",
			target, acmeSignature(testURL+path, []byte(goodBody)), len(goodBody), goodBody)
		require.NoError(t, err)
		w, body := readAnswer(t, c)
		require.Equal(t, 200, w.StatusCode, "%s: %s", target, body)
	}
}

func TestFailedVerificationsAreLimitedAndValidOnesAreNot(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	h := d.Webhooks()
	forged := func() *httptest.ResponseRecorder {
		r := signed("/webhooks/acme", goodBody)
		r.Header.Set("X-Signature", canarySignature)
		return serve(h, r)
	}
	first := forged()
	for range failuresBurst - 1 {
		require.Equal(t, 401, forged().Code)
	}
	for range 10 {
		w := forged()
		requireProblem(t, w.Result(), w.Body.Bytes(), 429, "too_many_failures")
		require.Equal(t, "1", w.Header().Get("Retry-After"))
		require.Equal(t, 200, serve(h, signed("/webhooks/acme", goodBody)).Code)
	}
	require.Equal(t, 401, first.Code)
	failed := 0
	for _, line := range d.counted() {
		if line == "acme failed mismatch" {
			failed++
		}
	}
	require.Equal(t, failuresBurst+10, failed, "every failure is counted")
	require.Equal(t, 2, strings.Count(d.logged(), "\n"), "one line a second for each code")
	requireNoCanary(t, d.logged())
}

func TestSuppressedLinesAreCounted(t *testing.T) {
	t.Parallel()
	var v voice
	_, ok := v.speak("a", noon)
	require.True(t, ok)
	for range 7 {
		_, ok = v.speak("a", noon.Add(time.Second/2))
		require.False(t, ok)
	}
	_, ok = v.speak("b", noon)
	require.True(t, ok, "another kind has its own second")
	unsaid, ok := v.speak("a", noon.Add(time.Second))
	require.True(t, ok)
	require.Equal(t, 7, unsaid)
	unsaid, ok = v.speak("a", noon.Add(-time.Hour))
	require.True(t, ok, "a clock that was set back does not silence the log")
	require.Zero(t, unsaid)
}

func TestEverySignatureFailureGetsTheSameAnswer(t *testing.T) {
	t.Parallel()
	var answers []string
	for _, reason := range []string{providers.ReasonMissing, providers.ReasonMalformed, providers.ReasonRepeated,
		providers.ReasonStale, providers.ReasonFuture, providers.ReasonMismatch} {
		d := newDoor(t, withSource(refusing{acme{maxBody: 1 << 10}, reason}))
		w := serve(d.Webhooks(), signed("/webhooks/acme", goodBody))
		require.Equal(t, 401, w.Code)
		require.Equal(t, []string{"acme failed " + reason, "acme signature_invalid"}, d.counted())
		require.Contains(t, d.logged(), "reason="+reason)
		answers = append(answers, fmt.Sprint(w.Header())+w.Body.String())
	}
	for _, answer := range answers {
		require.Equal(t, answers[0], answer)
	}
}

type refusing struct {
	acme
	reason string
}

func (p refusing) Verify(*providers.Request, time.Time) error {
	return &providers.Error{Code: providers.CodeSignature, Reason: p.reason}
}
