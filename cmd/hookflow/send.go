package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"hookflow/providers"
	"hookflow/samples"
)

// maxCount bounds --count, so that a slip of the finger does not run for a day.
const maxCount = 1_000_000

// sendFlags are the flags of hookflow send.
type sendFlags struct {
	id, object, url string
	count, parallel int
	rate            float64
	list, json      bool
}

// newSendCommand returns "hookflow send PROVIDER TYPE".
func newSendCommand(env environment) *cobra.Command {
	var flags sendFlags
	cmd := quiet(&cobra.Command{
		Use:   "send [PROVIDER [TYPE]]",
		Short: "Send signed sample webhooks",
		Long: `Send signed sample webhooks to a running hookflow.

Without a type it lists the samples, unless the provider has a single one. The secrets are those of the environment, else of .env, else the ones that dev
generated in this folder. --output json prints one line: of a single request what came back, of several the counts. Exit code: 0 when every answer was 2xx, 1 when one was not, 2 for a command line that cannot
be right.`,
		Example: `  hookflow send stripe checkout.session.completed
  hookflow send twilio call.completed --count 1000 --rate 50
  hookflow send vapi status-update --id 3f0e… --count 20      (one event, nineteen duplicates)`,
	})
	cmd.ValidArgsFunction = env.sampleNames
	f := cmd.Flags()
	f.StringVar(&flags.id, "id", "", "the provider's own id: evt_…, CallSid or MessageSid, call.id (default: a fresh one each)")
	f.StringVar(&flags.object, "object", "", "Stripe: id of the object inside, such as cs_…, to tell a story in several events")
	f.IntVar(&flags.count, "count", 1, "how many to send; with --id copies of one event")
	f.Float64Var(&flags.rate, "rate", 0, "requests a second at most (default: no limit)")
	f.IntVar(&flags.parallel, "parallel", 16, "requests in flight at most")
	f.StringVar(&flags.url, "url", "", "where to (default: HOOKFLOW_PUBLIC_URL, else "+defaultURL+")")
	f.BoolVar(&flags.list, "list", false, "list the samples and send nothing")
	asJSON := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if flags.json, err = asJSON(); err != nil {
			return err
		}
		if flags.list || len(args) == 0 {
			return listSamples(env, args, flags.json)
		}
		if len(args) == 1 {
			only, err := onlySample(env, args[0])
			if only == "" || err != nil {
				return cmp.Or(err, listSamples(env, args, flags.json))
			}
			args = append(args, only)
		}
		if len(args) > 2 {
			return usageError("one type at a time; usage: %s", cmd.UseLine())
		}
		s, err := newSending(env, args[0], args[1], flags)
		if err != nil {
			return err
		}
		// Ctrl-C ends a long series with its summary.
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
		defer stop()
		return s.run(ctx)
	}
	return cmd
}

// onlySample returns the sample of a provider that has a single one, "" for the others.
func onlySample(env environment, provider string) (string, error) {
	setup, err := env.setup(provider)
	if err != nil {
		return "", err
	}
	if names := samples.ListOf(setup.Kind); len(names) == 1 {
		return names[0], nil
	}
	return "", nil
}

// sample names a sample as the command line does.
type sample struct {
	Provider string `json:"provider"`
	Type     string `json:"type"`
}

// listSamples lists the samples of the provider in args, else of all, with an empty line between providers.
func listSamples(env environment, args []string, asJSON bool) error {
	setups, err := env.setups()
	if len(args) > 0 {
		var one providers.Setup
		one, err = env.setup(args[0])
		setups = []providers.Setup{one}
	} else if err != nil {
		err = usageError("%v", err)
	}
	if err != nil {
		return err
	}
	var all []sample
	for _, s := range setups {
		for _, name := range samples.ListOf(s.Kind) {
			all = append(all, sample{s.Name, name})
		}
	}
	if asJSON {
		return printLine(env.stdout, struct {
			Samples []sample `json:"samples"`
		}{all})
	}
	for i, s := range all {
		if i > 0 && all[i-1].Provider != s.Provider {
			fmt.Fprintln(env.stdout)
		}
		fmt.Fprintf(env.stdout, "hookflow send %s %s\n", s.Provider, s.Type)
	}
	return nil
}

// spoken are what people call a sample, where its name is another.
var spoken = map[string]map[string]string{"twilio": {"sms": "message.received", "message": "message.received", "call": "call.incoming", "voice": "call.incoming"}}

func checkType(setup providers.Setup, name string) error {
	provider, known := setup.Name, samples.ListOf(setup.Kind)
	if slices.Contains(known, name) {
		return nil
	}
	if near := nearest(name, known); near != "" {
		return usageError("%s has no sample %q; did you mean %s? hookflow send %s lists them", provider, name, near, provider)
	}
	return usageError("%s has no sample %q; it has %s", provider, name, strings.Join(known, ", "))
}

func (f *sendFlags) check() error {
	switch {
	case f.count < 1 || f.count > maxCount:
		return usageError("--count is 1 to %d", maxCount)
	case f.rate < 0:
		return usageError("--rate is a number of requests a second, 0 for no limit")
	case f.parallel < 1 || f.parallel > 1024:
		return usageError("--parallel is 1 to 1024")
	}
	return nil
}

// sending is one run of hookflow send.
type sending struct {
	env            environment
	provider, name string
	kind           *providers.Kind
	flags          sendFlags
	post           *poster
	began          time.Time
	tally          tally
}

func newSending(env environment, provider, name string, flags sendFlags) (*sending, error) {
	if err := flags.check(); err != nil {
		return nil, err
	}
	setup, err := env.setup(provider)
	if err != nil {
		return nil, err
	}
	name = cmp.Or(spoken[setup.Kind.Name][name], name)
	if err := checkType(setup, name); err != nil {
		return nil, err
	}
	post, err := newPoster(env, setup, flags)
	if err != nil {
		return nil, err
	}
	s := &sending{env: env, provider: provider, kind: setup.Kind, name: name, flags: flags, post: post, began: env.now()}
	if _, err := s.build(0); err != nil {
		return nil, usageError("%v", err)
	}
	return s, nil
}

// build fills in copy n. Copies under one id carry one time: some of Vapi's ids are made of it.
func (s *sending) build(n int) (*signed, error) {
	now := s.env.now()
	if s.flags.id != "" {
		now = s.began
	}
	r, err := samples.BuildOf(s.kind, s.name, samples.Options{
		ID: s.flags.id, Object: s.flags.object, Account: s.env.setting("TWILIO_ACCOUNT_SID"),
		N: n, Now: now, Random: rand.Reader,
	})
	if err != nil {
		return nil, err
	}
	return s.post.sign(r), nil
}

func (s *sending) run(ctx context.Context) error {
	if s.flags.count == 1 {
		got := s.sendCopy(ctx, 0)
		return s.told(got)
	}
	limit := rate.Inf
	if s.flags.rate > 0 {
		limit = rate.Limit(s.flags.rate)
	}
	pace := rate.NewLimiter(limit, 1)
	var group errgroup.Group
	group.SetLimit(s.flags.parallel)
	for n := range s.flags.count {
		if pace.Wait(ctx) != nil || ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			s.tally.add(s.sendCopy(ctx, n))
			return nil
		})
	}
	_ = group.Wait() // the goroutines return no error: failures are counted
	return s.summarise()
}

func (s *sending) sendCopy(ctx context.Context, n int) *receipt {
	r, err := s.build(n)
	if err != nil {
		return &receipt{problem: err.Error()}
	}
	return s.post.send(ctx, r)
}
