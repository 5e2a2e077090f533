package providers

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// The header of the type is not signed: one signed body was accepted as issues.deleted and as repository.deleted.
func TestTypeAgreesWithTheBody(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ kind, header, value, body, want string }{
		{"github", "X-GitHub-Event", "issues", `{"action":"deleted","issue":{"number":1},"repository":{}}`, "issues.deleted"},
		{"github", "X-GitHub-Event", "repository", `{"action":"deleted","issue":{"number":1},"repository":{}}`, "unknown"},
		{"github", "X-GitHub-Event", "repository", `{"action":"deleted","repository":{},"sender":{}}`, "repository.deleted"},
		{"github", "X-GitHub-Event", "issues", `{"action":"deleted","repository":{},"sender":{}}`, "unknown"},
		{"github", "X-GitHub-Event", "issues", `{"action":"created","issue":{},"comment":{},"repository":{}}`, "unknown"},
		{"github", "X-GitHub-Event", "issue_comment", `{"action":"created","issue":{},"comment":{},"repository":{}}`, "issue_comment.created"},
		{"github", "X-GitHub-Event", "push", `{"ref":"refs/heads/main","after":"00","commits":[],"repository":{}}`, "push"},
		{"github", "X-GitHub-Event", "release", `{"ref":"refs/heads/main","after":"00","commits":[],"repository":{}}`, "unknown"},
		{"github", "X-GitHub-Event", "an_event_of_tomorrow", `{"action":"made","repository":{}}`, "an_event_of_tomorrow.made"},
		{"github", "X-GitHub-Event", "repository", "form", "unknown"},
		{"github", "X-GitHub-Event", "issues", "form", "issues.opened"},
		{"bitbucket", "X-Event-Key", "repo:push", `{"push":{"changes":[]},"repository":{}}`, "repo:push"},
		{"bitbucket", "X-Event-Key", "pullrequest:fulfilled", `{"push":{"changes":[]},"repository":{}}`, "unknown"},
		{"bitbucket", "X-Event-Key", "pullrequest:fulfilled", `{"pullrequest":{},"repository":{}}`, "pullrequest:fulfilled"},
		{"bitbucket", "X-Event-Key", "pullrequest:comment_created", `{"pullrequest":{},"comment":{},"repository":{}}`, "pullrequest:comment_created"},
		{"sentry", "Sentry-Hook-Resource", "issue", `{"action":"created","data":{"issue":{}}}`, "issue.created"},
		{"sentry", "Sentry-Hook-Resource", "installation", `{"action":"deleted","data":{"issue":{}}}`, "unknown"},
	} {
		kind := KindOf(c.kind)
		p, err := kind.Build(Settings{Secrets: []string{"a-secret-of-some-length"}})
		require.NoError(t, err)
		r := &Request{Method: http.MethodPost, URL: "https://x.test/", Body: []byte(c.body), Header: http.Header{"Content-Type": {"application/json"}}}
		if c.body == "form" {
			r.Body = []byte(url.Values{"payload": {`{"action":"opened","issue":{"number":1},"repository":{}}`}}.Encode())
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		r.Header.Set(c.header, c.value)
		r.Header.Set("X-GitHub-Delivery", "1")
		p.(Signer).Sign(r, testNow)
		read, err := Source{Name: c.kind, Provider: p}.Read(r, testNow)
		require.NoError(t, err)
		require.Equal(t, c.want, read.Events[0].Type, "%s %s %s", c.kind, c.value, c.body)
	}
}
