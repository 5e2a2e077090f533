package routing

import (
	"cmp"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
)

// MaxInline is the longest start_to_close_timeout of an inline step: its first attempt holds the workflow task open,
// together with Begin and Finish, and Temporal takes a task away after 10 s.
const MaxInline = 2 * time.Second

// The default policy: no maximum of attempts, three days (as long as Stripe itself tries), half a minute per attempt.
const (
	DefaultScheduleToClose = 72 * time.Hour
	DefaultStartToClose    = 30 * time.Second
)

// temporalInitialInterval is what Temporal takes for an initial_interval that is not given.
const temporalInitialInterval = time.Second

// declared is what one place in the file says about time-outs and retries. Places are laid over each other, field by
// field: the default policy, the named policy, the step.
type declared struct {
	set   []func(*Options)
	lines map[string]int // of each field that is given
	wrong bool           // reported already, so not again for each step that uses it
}

// builtin is the place under all others.
var builtin = declared{set: []func(*Options){func(o *Options) {
	o.ScheduleToCloseTimeout = Duration(DefaultScheduleToClose)
	o.StartToCloseTimeout = Duration(DefaultStartToClose)
}}}

// optionField reads the value of a field and returns what it does to the options.
type optionField func(r *reader, n *yaml.Node, what string) func(*Options)

// policyFields are the fields of Options by their names in the file.
var policyFields = map[string]optionField{
	"start_to_close_timeout":    durationOf(func(o *Options) *Duration { return &o.StartToCloseTimeout }),
	"schedule_to_close_timeout": durationOf(func(o *Options) *Duration { return &o.ScheduleToCloseTimeout }),
	"schedule_to_start_timeout": durationOf(func(o *Options) *Duration { return &o.ScheduleToStartTimeout }),
	"heartbeat_timeout":         durationOf(func(o *Options) *Duration { return &o.HeartbeatTimeout }),
}

// retryFields are the fields of RetryPolicy by their names in the file.
var retryFields = map[string]optionField{
	"initial_interval": durationOf(func(o *Options) *Duration { return &o.RetryPolicy.InitialInterval }),
	"maximum_interval": durationOf(func(o *Options) *Duration { return &o.RetryPolicy.MaximumInterval }),
	"backoff_coefficient": func(r *reader, n *yaml.Node, what string) func(*Options) {
		f := r.coefficient(n, what)
		return func(o *Options) { o.RetryPolicy.BackoffCoefficient = f }
	},
	"maximum_attempts": func(r *reader, n *yaml.Node, what string) func(*Options) {
		i := r.count(n, what)
		return func(o *Options) { o.RetryPolicy.MaximumAttempts = i }
	},
	"non_retryable_error_types": func(r *reader, n *yaml.Node, what string) func(*Options) {
		types := r.texts(n, what, "a list of error types, such as [InvalidPayload]")
		return func(o *Options) { o.RetryPolicy.NonRetryableErrorTypes = types }
	},
}

func durationOf(field func(*Options) *Duration) optionField {
	return func(r *reader, n *yaml.Node, what string) func(*Options) {
		d := r.duration(n, what)
		return func(o *Options) { *field(o) = d }
	}
}

// policyKeys are the keys of a policy. A step has them too.
var policyKeys = append(keys(policyFields), "retry_policy")

// declare reads the options among a mapping's values.
func (r *reader) declare(values map[string]*yaml.Node) declared {
	d := declared{lines: map[string]int{}}
	before := len(r.problems)
	r.declareFields(&d, values, policyFields)
	if n := values["retry_policy"]; n != nil {
		r.declareFields(&d, r.fields(n, "retry_policy", keys(retryFields)), retryFields)
	}
	d.wrong = len(r.problems) > before
	return d
}

func (r *reader) declareFields(d *declared, values map[string]*yaml.Node, known map[string]optionField) {
	for _, key := range keys(values) {
		if read := known[key]; read != nil {
			d.set = append(d.set, read(r, values[key], key))
			d.lines[key] = values[key].Line
		}
	}
}

// layers are places over each other, the last one on top.
type layers []declared

func (l layers) options() Options {
	var o Options
	for _, d := range l {
		for _, set := range d.set {
			set(&o)
		}
	}
	return o
}

// line returns where the topmost place that gives one of the fields gives it, or 0.
func (l layers) line(fields ...string) int {
	for _, d := range slices.Backward(l) {
		for _, field := range fields {
			if line := d.lines[field]; line != 0 {
				return line
			}
		}
	}
	return 0
}

func (l layers) wrong() bool {
	return slices.ContainsFunc(l, func(d declared) bool { return d.wrong })
}

// checkOptions reports fields that contradict each other, at the line of one of them, else at the given line.
// It returns whether they agree.
func (r *reader) checkOptions(l layers, o Options, line int) bool {
	before := len(r.problems)
	if o.StartToCloseTimeout == 0 {
		r.report(cmp.Or(l.line("start_to_close_timeout"), line), "how long one attempt may take, such as 30s",
			"start_to_close_timeout is 0: an attempt of a worker that died would never end")
	}
	if whole := o.ScheduleToCloseTimeout; whole > 0 && o.StartToCloseTimeout > whole {
		r.report(cmp.Or(l.line("start_to_close_timeout", "schedule_to_close_timeout"), line), whole.Std().String()+" or less",
			"start_to_close_timeout, of one attempt, is longer than schedule_to_close_timeout, of all")
	}
	first := cmp.Or(o.RetryPolicy.InitialInterval.Std(), temporalInitialInterval)
	if longest := o.RetryPolicy.MaximumInterval; longest > 0 && longest.Std() < first {
		r.report(cmp.Or(l.line("maximum_interval", "initial_interval"), line), first.String()+" or more",
			"maximum_interval %v is shorter than initial_interval %v", longest.Std(), first)
	}
	return len(r.problems) == before
}
