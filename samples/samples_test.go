package samples_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"hookflow/event"
	"hookflow/providers"
	"hookflow/samples"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// signers are the providers as a server has them, under the default scheme of each.
func signers(t *testing.T) map[string]providers.Signer {
	t.Helper()
	stripe, err := providers.NewStripe([]string{"whsec_sample"})
	require.NoError(t, err)
	twilio, err := providers.NewTwilio(providers.TwilioConfig{
		Tokens: []string{"sample-token"}, AccountSID: samples.SampleAccountSID,
	})
	require.NoError(t, err)
	vapi, err := providers.NewVapi(providers.VapiConfig{Secrets: []string{"sample-secret"}})
	require.NoError(t, err)
	return map[string]providers.Signer{"stripe": stripe, "twilio": twilio, "vapi": vapi}
}

// others are the signers of the other providers, made once: some need a key pair.
var others sync.Map

func signer(t *testing.T, provider string) providers.Signer {
	t.Helper()
	if s := signers(t)[provider]; s != nil {
		return s
	}
	if s, ok := others.Load(provider); ok {
		return s.(providers.Signer)
	}
	s := signerOf(t, providers.KindOf(provider))
	others.Store(provider, s)
	return s
}

// signerOf is a provider with a secret that was made up.
func signerOf(t *testing.T, k *providers.Kind) providers.Signer {
	t.Helper()
	secret, err := k.MakeSecret(rand.Reader)
	require.NoError(t, err)
	source, err := k.New(k.Name, providers.Settings{Secrets: strings.Split(secret, ","), AllowWeak: true})
	require.NoError(t, err, k.Name)
	signer, ok := source.Provider.(providers.Signer)
	require.True(t, ok, k.Name)
	return signer
}

// read signs a sample and reads it as the server does.
func read(t *testing.T, provider, name string, o samples.Options) event.Event {
	t.Helper()
	signer := signer(t, provider)
	r, err := samples.Build(provider, name, o)
	require.NoError(t, err)
	r.URL = "https://hooks.example.com/webhooks/" + provider + r.URL
	signer.Sign(r, now)
	d, err := providers.Source{Name: provider, Provider: signer}.Read(r, now)
	require.NoError(t, err)
	return d.Events[0]
}

const (
	call       = "CA0123456789abcdef0123456789abcdef"
	message    = "SM0123456789abcdef0123456789abcdef"
	recording  = "RE0123456789abcdef0123456789abcdef"
	conference = "CF0123456789abcdef0123456789abcdef"
	stream     = "EZ0123456789abcdef0123456789abcdef"
)

// Each sample is genuine for the verifier and is read as the event that its name promises. %T is the sample's time in
// milliseconds.
func TestSamplesAreReadAsWhatTheyAre(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ provider, name, id, wantType, wantID string }{
		{"stripe", "charge.refunded", "evt_1", "charge.refunded", "evt_1"},
		{"stripe", "checkout.session.async_payment_failed", "evt_1", "checkout.session.async_payment_failed", "evt_1"},
		{"stripe", "checkout.session.async_payment_succeeded", "evt_1", "checkout.session.async_payment_succeeded", "evt_1"},
		{"stripe", "checkout.session.completed", "evt_1", "checkout.session.completed", "evt_1"},
		{"stripe", "checkout.session.completed.unpaid", "evt_1", "checkout.session.completed", "evt_1"},
		{"stripe", "checkout.session.expired", "evt_1", "checkout.session.expired", "evt_1"},
		{"stripe", "customer.subscription.updated", "evt_1", "customer.subscription.updated", "evt_1"},
		{"stripe", "invoice.paid", "evt_1", "invoice.paid", "evt_1"},
		{"stripe", "payment_intent.succeeded", "evt_1", "payment_intent.succeeded", "evt_1"},
		{"stripe", "v2.core.event_destination.ping", "evt_1", "v2.core.event_destination.ping", "evt_1"},

		{"twilio", "call.completed", call, "call.completed", call + ":3"},
		{"twilio", "call.in-progress", call, "call.in-progress", call + ":2"},
		{"twilio", "call.initiated", call, "call.initiated", call + ":0"},
		{"twilio", "call.ringing", call, "call.ringing", call + ":1"},
		{"twilio", "conference.participant-join", conference, "conference.participant-join", conference + ":1"},
		{"twilio", "message.delivered", message, "message.delivered", message + ":delivered"},
		{"twilio", "message.received", message, "message.received", message},
		{"twilio", "message.sent", message, "message.sent", message + ":sent"},
		{"twilio", "message.undelivered", message, "message.undelivered", message + ":undelivered"},
		{"twilio", "com.twilio.messaging.message.delivered", stream, "com.twilio.messaging.message.delivered", stream},
		{"twilio", "recording.completed", recording, "recording.completed", recording + ":completed"},

		{"vapi", "assistant-request", "call-1", "assistant-request", "call-1:assistant-request:%T"},
		{"vapi", "conversation-update", "call-1", "conversation-update", "call-1:conversation-update:%T"},
		{"vapi", "end-of-call-report", "call-1", "end-of-call-report", "call-1:end-of-call-report"},
		{"vapi", "hang", "call-1", "hang", "call-1:hang:%T"},
		{"vapi", "status-update", "call-1", "status-update", "call-1:status-update:in-progress"},
		{"vapi", "status-update.ended", "call-1", "status-update", "call-1:status-update:ended"},
	} {
		t.Run(c.provider+"/"+c.name, func(t *testing.T) {
			t.Parallel()
			e := read(t, c.provider, c.name, samples.Options{ID: c.id, Now: now})
			require.Equal(t, c.wantType, e.Type)
			require.Equal(t, strings.ReplaceAll(c.wantID, "%T", strconv.FormatInt(now.UnixMilli(), 10)), e.EventID)
			require.WithinDuration(t, now, orNow(e.OccurredAt), time.Minute)
		})
	}
}

// Those whose id holds what the sample makes up, or whose id the provider's section gives another form.
func TestSamplesWithCompositeIDs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ provider, name, id, wantType, wantPrefix string }{
		{"twilio", "call.incoming", call, "call.incoming", call + ":"},
		{"vapi", "tool-calls", "call-1", "tool-calls", "call-1:tool-calls:call_"},
		{"vapi", "transcript", "call-1", "transcript", "call-1:transcript:"},
		{"vapi", "transcript.partial", "call-1", "transcript", "call-1:transcript:"},
		{"vapi", "speech-update", "call-1", "speech-update", "call-1:speech-update:"},
	} {
		t.Run(c.provider+"/"+c.name, func(t *testing.T) {
			t.Parallel()
			e := read(t, c.provider, c.name, samples.Options{ID: c.id, Now: now})
			require.Equal(t, c.wantType, e.Type)
			require.Contains(t, e.EventID, c.wantPrefix)
			require.Greater(t, len(e.EventID), len(c.wantPrefix))
		})
	}
}

// A sample that is added without a line in one of the two tables above would be sent untested.
func TestEverySampleBuilds(t *testing.T) {
	t.Parallel()
	require.Len(t, samples.Providers(), len(providers.Kinds()), "every provider has a sample")
	total := 0
	for _, provider := range samples.Providers() {
		names := samples.List(provider)
		main := slices.Contains([]string{"stripe", "twilio", "vapi"}, provider)
		if main {
			require.GreaterOrEqual(t, len(names), 6, provider)
		}
		for _, name := range names {
			if main {
				total++
			}
			r, err := samples.Build(provider, name, samples.Options{Now: now})
			require.NoError(t, err, name)
			require.NotContains(t, string(r.Body), "{{", name)
			require.NotContains(t, string(r.Body), "<no value>", name)
			if r.Header.Get("Content-Type")[:16] == "application/json" {
				require.True(t, json.Valid(r.Body), name)
			}
		}
	}
	require.Equal(t, 32, total, "a new sample needs a line in the tables of this file")
}

func TestTheSameIDGivesTheSameEvent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ provider, name, id string }{
		{"stripe", "checkout.session.completed", "evt_1"},
		{"twilio", "call.incoming", call},
		{"twilio", "message.received", message},
		{"vapi", "tool-calls", "call-1"},
		{"vapi", "hang", "call-1"},
	} {
		first := read(t, c.provider, c.name, samples.Options{ID: c.id, N: 1, Now: now})
		second := read(t, c.provider, c.name, samples.Options{ID: c.id, N: 2, Now: now})
		require.Equal(t, first.Key(), second.Key(), c.name)
		require.Equal(t, first.Body, second.Body, c.name)
	}
}

func TestFreshIDsDiffer(t *testing.T) {
	t.Parallel()
	for _, provider := range samples.Providers() {
		if provider == "dropbox" {
			continue // each request is an event of its own, by the time it came
		}
		for _, name := range samples.List(provider) {
			keys := map[string]bool{}
			for n := range 3 {
				e := read(t, provider, name, samples.Options{N: n, Now: now})
				keys[e.Key()] = true
			}
			require.Len(t, keys, 3, "%s %s", provider, name)
		}
	}
}

func TestObjectTellsOneStory(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"checkout.session.completed.unpaid", "checkout.session.async_payment_succeeded"} {
		r, err := samples.Build("stripe", name, samples.Options{Object: `cs_test_"1"`, Now: now})
		require.NoError(t, err)
		var e struct {
			Data struct{ Object struct{ ID string } }
		}
		require.NoError(t, json.Unmarshal(r.Body, &e))
		require.Equal(t, `cs_test_"1"`, e.Data.Object.ID)
	}
}

func TestIDsAreEscapedInJSON(t *testing.T) {
	t.Parallel()
	e := read(t, "stripe", "invoice.paid", samples.Options{ID: `evt_"\é<`, Now: now})
	require.Equal(t, `evt_"\é<`, e.EventID)
}

// A form value with what encoding must not lose.
func TestFormsAreEncoded(t *testing.T) {
	t.Parallel()
	r, err := samples.Build("twilio", "message.received", samples.Options{Now: now})
	require.NoError(t, err)
	require.Contains(t, string(r.Body), "Body=Is+a+room+free+on+Friday%3F+50%25+off+%26+breakfast+%2B+parking&")
	form, err := event.ParseForm(r.Body)
	require.NoError(t, err)
	require.Equal(t, "Is a room free on Friday? 50% off & breakfast + parking", form.Get("Body"))
}

// The report carries a credential as Vapi's do, so that masking is seen at work.
func TestTheReportIsMasked(t *testing.T) {
	t.Parallel()
	e := read(t, "vapi", "end-of-call-report", samples.Options{Now: now})
	require.True(t, e.BodyMasked)
	require.NotContains(t, string(e.Body), "not-a-real-secret")
}

func TestWhatCannotBeBuilt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		provider, name string
		options        samples.Options
		want           string
	}{
		{"nobody", "x", samples.Options{}, "there is no provider nobody"},
		{"stripe", "x", samples.Options{}, "there is no sample x of stripe"},
		{"stripe", "../vapi/hang", samples.Options{}, "there is no sample"},
		{"twilio", "call.completed", samples.Options{ID: "CA1"}, "is CA and 32 hexadecimal digits"},
		{"twilio", "call.completed", samples.Options{ID: message}, "is CA and 32 hexadecimal digits"},
		{"vapi", "hang", samples.Options{Object: "x"}, "hold no object of its own"},
		{"vapi", "hang", samples.Options{Random: iotest.ErrReader(errors.New("dry"))}, "no randomness for a fresh id: dry"},
	} {
		_, err := samples.Build(c.provider, c.name, c.options)
		require.ErrorContains(t, err, c.want)
	}
}

// orNow stands in where a provider does not say when.
func orNow(at time.Time) time.Time {
	if at.IsZero() {
		return now
	}
	return at
}
