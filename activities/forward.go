package activities

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"hookflow/delivery"
	"hookflow/event"
	"hookflow/routing"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
)

// Forward sends events to HTTP endpoints. It is registered as forward.Post.
type Forward struct {
	Client *delivery.Client
	// Destination returns a destination as it is configured now.
	Destination func(name string) (routing.Destination, bool)
	// Secret returns the value of the variable of a name, "" where it is not set. Its errors hold no secret.
	Secret func(name string) (string, error)
}

// ForwardSecret is the variable with the signing secrets of endpoints that name no other.
const ForwardSecret = "HOOKFLOW_FORWARD_SECRET"

// ForwardResult is what a receiver answered. Response is content, since receivers quote what they were sent. That of an
// attempt that completes is kept in event_steps.result, and as the result of the activity in Temporal's history; that of one
// that fails in event_timeline.detail alone.
type ForwardResult struct {
	Status   int    `json:"status"`
	Response string `json:"response"` // its beginning, at most 1 KiB of UTF-8
}

// The error types of a forward that does not come from an answer (those are HTTP and the status).
const (
	// DestinationRemoved ends a step whose destination is no longer in the configuration.
	DestinationRemoved = "DestinationRemoved"
	notConfigured      = delivery.NotConfigured
	unusableAnswer     = "UnusableAnswer"
)

// Post sends the event to the endpoint. Any 2xx completes the step. 410 and the declared statuses end it; every other answer,
// and none, is worth another attempt, which a 429 or 503 may put off by its Retry-After. The error type is HTTP and the
// status (HTTP500), Timeout, ConnectFailed or AddressRefused; the message holds status and host, and nothing that is secret
// or content.
func (f *Forward) Post(ctx context.Context, e event.Event, to routing.Forward) (ForwardResult, error) {
	answer, err := f.post(ctx, &e, to)
	return ForwardResult{Status: answer.Status, Response: answer.Head}, err
}

// Ask sends the event as Post does, and returns what the endpoint answered: JSON as it is, other text as a JSON string, null
// for an empty body. It is the forward of a reply. An answer that is larger than 64 KiB or breaks off is an UnusableAnswer,
// and so is one that is neither. A receiver that cannot be reached is not asked again. declared is a routing.Forward in JSON: a first attempt is made within the run itself, where
// arguments are handed over as they are.
func (f *Forward) Ask(ctx context.Context, e event.Event, declared json.RawMessage) (json.RawMessage, error) {
	var to routing.Forward
	if err := json.Unmarshal(declared, &to); err != nil {
		return nil, temporal.NewNonRetryableApplicationError("the step does not say where to ask", notConfigured, nil)
	}
	answer, err := f.post(ctx, &e, to)
	if err != nil {
		return nil, withoutAnotherAttempt(err)
	}
	body := bytes.TrimSpace(answer.Body)
	media := event.MediaType(answer.ContentType)
	isJSON := media == "application/json" || strings.HasSuffix(media, "+json")
	switch {
	case answer.Cut:
		return nil, temporal.NewApplicationError("the answer is not whole, or larger than 64 KiB", unusableAnswer)
	case len(body) == 0:
		return json.RawMessage("null"), nil
	case isJSON && json.Valid(body):
		return body, nil
	case isJSON || !utf8.Valid(answer.Body):
		return nil, temporal.NewApplicationError("the answer is neither JSON nor text", unusableAnswer)
	}
	return json.Marshal(string(answer.Body))
}

// withoutAnotherAttempt ends a question to a receiver that cannot be reached: the sender waits, and gets the fallback at once.
func withoutAnotherAttempt(err error) error {
	var failed *temporal.ApplicationError
	if errors.As(err, &failed) && slices.Contains([]string{delivery.ConnectFailed, delivery.AddressRefused}, failed.Type()) {
		return temporal.NewNonRetryableApplicationError(failed.Message(), failed.Type(), nil)
	}
	return err
}

// post sends the event and returns the answer of an endpoint that took it.
func (f *Forward) post(ctx context.Context, e *event.Event, to routing.Forward) (delivery.Response, error) {
	endpoint, err := f.endpoint(to)
	if err != nil {
		return delivery.Response{}, err
	}
	m, err := f.message(endpoint)
	if err != nil {
		return delivery.Response{}, err
	}
	m.Event, m.Attempt = e, int(activity.GetInfo(ctx).Attempt)
	m.Timeout = within(ctx, m.Timeout)
	answer, err := f.Client.Post(ctx, m)
	var failure *delivery.Failure
	switch {
	case errors.As(err, &failure):
		return delivery.Response{}, temporal.NewApplicationError(failure.Message, failure.Type)
	case err != nil:
		return delivery.Response{}, err
	case answer.OK():
		return answer, nil
	}
	return delivery.Response{}, WithDetail(refusal(answer, host(m.URL), endpoint.FinalStatuses), ForwardResult{answer.Status, answer.Head})
}

// endpoint is where the step sends, as its destination stands now.
func (f *Forward) endpoint(to routing.Forward) (routing.Endpoint, error) {
	if to.Destination == "" {
		return to.Endpoint, nil
	}
	d, ok := f.Destination(to.Destination)
	if !ok {
		return routing.Endpoint{}, temporal.NewNonRetryableApplicationError(
			"the destination "+to.Destination+" is no longer configured", DestinationRemoved, nil)
	}
	return to.Over(d.Endpoint), nil
}

// message fills in what the environment holds.
func (f *Forward) message(e routing.Endpoint) (delivery.Message, error) {
	m := delivery.Message{Format: delivery.Format(e.Format), Headers: maps.Clone(e.Headers), Timeout: e.Timeout.Std()}
	var err error
	m.URL, err = ForwardURL(e, f.Secret)
	if err == nil {
		m.Reach, err = ReachOf(e, f.Secret)
	}
	if err == nil {
		m.Signer, err = ForwardSigner(e, f.Secret)
	}
	if err != nil {
		return m, temporal.NewApplicationError(err.Error(), notConfigured)
	}
	for name, variable := range e.HeadersEnv {
		value, err := f.Secret(variable)
		switch {
		case err != nil:
			return m, temporal.NewApplicationError(err.Error(), notConfigured)
		case value == "":
			return m, temporal.NewApplicationError(variable+", the value of the header "+name+", is not set", notConfigured)
		}
		if m.Headers == nil {
			m.Headers = map[string]string{}
		}
		m.Headers[name] = value
	}
	return m, nil
}

// within cuts a time-out so that the attempt still has time to say what happened before Temporal takes it away.
func within(ctx context.Context, timeout time.Duration) time.Duration {
	const rest = 500 * time.Millisecond
	timeout = cmp.Or(timeout, delivery.DefaultTimeout)
	if deadline, ok := ctx.Deadline(); ok {
		timeout = min(timeout, max(time.Until(deadline)-rest, rest))
	}
	return timeout
}

// refusal is the error of an answer that is not a success.
func refusal(answer delivery.Response, host string, final []int) error {
	message := fmt.Sprintf("%s answered %d", host, answer.Status)
	if answer.Status/100 == 3 {
		message += ", a redirect, which is not followed: give the URL that it leads to"
	}
	return temporal.NewApplicationErrorWithOptions(message, httpType+strconv.Itoa(answer.Status), temporal.ApplicationErrorOptions{
		NonRetryable:   answer.Status == 410 || slices.Contains(final, answer.Status),
		NextRetryDelay: answer.RetryAfter,
	})
}

const httpType = "HTTP"

// host is what messages call an endpoint: the rest of its URL may be secret.
func host(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "the receiver"
	}
	return u.Host
}

// SpeaksAgainst reports whether the error of a forward says that the receiver, and not one event, is in trouble: nothing
// answered, or with 408, 429 or 5xx.
func SpeaksAgainst(err error) bool {
	switch t := errorType(err); t {
	case delivery.Timeout, delivery.ConnectFailed, delivery.AddressRefused, "HTTP408", "HTTP429":
		return true
	default:
		return strings.HasPrefix(t, httpType+"5")
	}
}

// Answered reports whether the end of a forward says that the receiver is well, whatever it thinks of the event.
func Answered(err error) bool {
	return err == nil || strings.HasPrefix(errorType(err), httpType) && !SpeaksAgainst(err)
}

func errorType(err error) string {
	var application *temporal.ApplicationError
	if !errors.As(err, &application) {
		return ""
	}
	return application.Type()
}
