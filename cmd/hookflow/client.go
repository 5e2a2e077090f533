package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"hookflow/event"
)

// clientTimeout bounds one request of a command; the server answers in milliseconds or says that it cannot.
const clientTimeout = 30 * time.Second

// maxAnswer bounds what is read of an answer: an event's body is at most 10 MiB, as base64 14.
const maxAnswer = 32 << 20

// The exit codes of the commands.
const (
	exitFailed = 1 // it was tried and did not work
	exitUsage  = 2 // the command line cannot be right
)

// exitError is an error with its exit code. An empty message was printed already.
type exitError struct {
	code    int
	message string
}

func (e *exitError) Error() string { return e.message }

// ExitCode is what run returns for the error.
func (e *exitError) ExitCode() int { return e.code }

func usageError(format string, args ...any) error {
	return &exitError{code: exitUsage, message: fmt.Sprintf(format, args...)}
}

func failure(format string, args ...any) error {
	return &exitError{code: exitFailed, message: fmt.Sprintf(format, args...)}
}

// quiet makes cobra leave the printing of errors to run, and turns flag errors into usage errors.
func quiet(cmd *cobra.Command) *cobra.Command {
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError("%s: %v; see %s --help", c.CommandPath(), err, c.CommandPath())
	})
	return cmd
}

// family makes cmd the parent of members: alone it prints its help. Without this, cobra answers a misspelt member with help
// and exit code 0, and the program itself with exit code 1.
func family(env environment, cmd *cobra.Command, members ...*cobra.Command) *cobra.Command {
	var names []string
	for _, m := range members {
		if !m.Hidden {
			names = append(names, m.Name())
		}
	}
	last := len(names) - 1
	known := strings.Join(names[:last], ", ") + " and " + names[last]
	cmd.AddCommand(members...)
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usageError("there is no %s %s, but %s", cmd.CommandPath(), args[0], known)
		}
		cmd.SetOut(env.stdout)
		return cmd.Help()
	}
	return cmd
}

// exactly wants n arguments, which the usage line names.
func exactly(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usageError("usage: %s", cmd.UseLine())
		}
		return nil
	}
}

// newHTTPClient returns a client that keeps parallel connections open and follows no redirect: neither webhooks nor
// /v1 ever answer with one.
func newHTTPClient(parallel int) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = parallel
	return &http.Client{
		Transport:     transport,
		Timeout:       clientTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// explain turns a transport error into a sentence with the next step.
func explain(err error, target *url.URL) string {
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("nothing listens on %s; start it with make dev", target.Host)
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Sprintf("%s did not answer within %s", target.Host, clientTimeout)
	}
	var inner *url.Error
	if errors.As(err, &inner) {
		err = inner.Err // without the URL, which may hold a cursor or a filter
	}
	return fmt.Sprintf("%s cannot be reached: %v", target.Host, err)
}

// checkBase parses a base URL given on the command line or in the environment.
func checkBase(base string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(base, "/"))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, usageError("%q is not an http or https URL", base)
	}
	return u, nil
}

// ops speaks to /v1.
type ops struct {
	base   *url.URL
	token  string
	client *http.Client
}

// opsFlags are the flags of every command that speaks to /v1.
type opsFlags struct{ url, token, output string }

func (f *opsFlags) add(cmd *cobra.Command) {
	flags := cmd.PersistentFlags()
	flags.StringVar(&f.url, "url", "", "where /v1 is (default: HOOKFLOW_OPS_ADDR, else "+defaultURL+")")
	flags.StringVar(&f.token, "token", "", "API token (default: the first of HOOKFLOW_API_TOKEN, else dev's own)")
	flags.StringVarP(&f.output, "output", "o", "table", "table or json")
}

// open checks the flags.
func (f *opsFlags) open(env environment) (*ops, error) {
	if f.output != "table" && f.output != "json" {
		return nil, usageError("--output is table or json, not %q", f.output)
	}
	address, token := f.url, f.token
	if address == "" {
		address = env.opsURL()
	}
	if token == "" {
		token = env.apiToken()
	}
	base, err := checkBase(address)
	if err != nil {
		return nil, err
	}
	if f.url == "" && f.token == "" && token != "" {
		if err := env.checkToken(address); err != nil {
			return nil, err
		}
	}
	return &ops{base: base, token: token, client: newHTTPClient(1)}, nil
}

// eventPath returns /v1/events/{uuid}. A key becomes the uuid that follows from it: keys may hold slashes, which
// proxies on the way treat as they like.
func eventPath(id string) string {
	if strings.Contains(id, ":") {
		id = event.ID(id)
	}
	return "/v1/events/" + url.PathEscape(id)
}

// call sends one request and returns the body of a 2xx answer. Errors say what the server said.
func (o *ops) call(ctx context.Context, method, path string, query url.Values) ([]byte, error) {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return o.send(ctx, method, path, nil)
}

// send is call with a body that is written as JSON, nil for none.
func (o *ops) send(ctx context.Context, method, path string, body any) ([]byte, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, usageError("%v", err)
		}
		content = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(o.base.String(), "/")+path, content)
	if err != nil {
		return nil, usageError("%v", err)
	}
	r.Header.Set("Accept", "application/json")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if o.token != "" {
		r.Header.Set("Authorization", "Bearer "+o.token)
	}
	answer, err := o.client.Do(r)
	if err != nil {
		return nil, &unreachable{explain(err, o.base)}
	}
	defer answer.Body.Close()
	answered, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return nil, &unreachable{explain(err, o.base)}
	}
	if answer.StatusCode/100 != 2 {
		return nil, o.refused(answer.StatusCode, answered)
	}
	return answered, nil
}

// unreachable is a server that gave no answer, which tail waits out.
type unreachable struct{ message string }

func (e *unreachable) Error() string { return e.message }

// refused turns an answer outside 2xx into an error; a 5xx is one that tail waits out.
func (o *ops) refused(status int, body []byte) error {
	message := fmt.Sprintf("%d: %s", status, problemDetail(status, body))
	switch {
	case status == http.StatusUnauthorized && o.token == "":
		return failure("%s (no token was sent: set HOOKFLOW_API_TOKEN or --token)", message)
	case status == http.StatusUnauthorized:
		return failure("%s (%s does not take this token: is another server meant? HOOKFLOW_OPS_ADDR or --url says which is asked)", message, o.base.Host)
	case status >= 500:
		return &unreachable{message}
	}
	return failure("%s", message)
}

// problemDetail reads the sentence out of application/problem+json (RFC 9457), without its full stop, since callers go on; else
// it names the status.
func problemDetail(status int, body []byte) string {
	var problem struct{ Title, Detail string }
	if json.Unmarshal(body, &problem) == nil {
		if problem.Detail != "" {
			return strings.TrimSuffix(printable(problem.Detail), ".")
		}
		if problem.Title != "" {
			return printable(problem.Title)
		}
	}
	return strings.ToLower(http.StatusText(status))
}

// fetch calls and decodes.
func fetch[T any](ctx context.Context, o *ops, method, path string, query url.Values) (T, error) {
	body, err := o.call(ctx, method, path, query)
	if err != nil {
		var none T
		return none, err
	}
	return decode[T](o, body)
}

// post sends a body and decodes the answer.
func post[T any](ctx context.Context, o *ops, path string, body any) (T, error) {
	answer, err := o.send(ctx, http.MethodPost, path, body)
	if err != nil {
		var none T
		return none, err
	}
	return decode[T](o, answer)
}

func decode[T any](o *ops, body []byte) (T, error) {
	var decoded T
	if err := json.Unmarshal(body, &decoded); err != nil {
		return decoded, failure("%s answered something that is not /v1's JSON; is --url right?", o.base.Host)
	}
	return decoded, nil
}

// printJSON writes a JSON text, indented.
func printJSON(w io.Writer, text []byte) error {
	var out bytes.Buffer
	if err := json.Indent(&out, text, "", "  "); err != nil {
		return failure("the answer is not JSON")
	}
	_, err := fmt.Fprintln(w, out.String())
	return err
}

// printLine writes v as one line of JSON.
func printLine(w io.Writer, v any) error { return json.NewEncoder(w).Encode(v) }

// printable puts a text into one line: what would end it, or set a colour, is written as \uXXXX. The rest is safeOutput's.
func printable(s string) string {
	if !strings.ContainsAny(s, "\n\r\t\x1b") {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune("\n\r\t\x1b", r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
