package providers

import (
	"io"
	"net/http"
	"time"

	"hookflow/event"
)

// Discord verifies and reads interactions and webhook events: Ed25519 over the time and the body.
// https://docs.discord.com/developers/interactions/overview#setting-up-an-endpoint,
// https://docs.discord.com/developers/events/webhook-events
type Discord struct{ signed signedEd25519 }

var (
	_ Signer  = (*Discord)(nil)
	_ Greeter = (*Discord)(nil)
)

// NewDiscord takes the public keys of the applications (General Information, Public Key), 32 bytes in hex each. It
// refuses none, more than MaxSecrets, and what is no such key.
func NewDiscord(publicKeys []string) (*Discord, error) {
	keys, err := newEdKeys(publicKeys, encodingHex)
	if err != nil {
		return nil, err
	}
	return &Discord{signed: signedEd25519{
		keys: keys, signature: "X-Signature-Ed25519", timestamp: "X-Signature-Timestamp", encoding: encodingHex,
	}}, nil
}

// Verify implements Provider. Discord sends false signatures on purpose, and takes an endpoint that does not answer 401
// for none.
func (d *Discord) Verify(r *Request, now time.Time) error { return d.signed.verify(r, now) }

// Sign implements Signer. Without a key pair of one's own it leaves r as it is.
func (d *Discord) Sign(r *Request, now time.Time) { d.signed.sign(r, now) }

// discordPrefix begins the types of interactions. Those of webhook events are in capitals: APPLICATION_AUTHORIZED.
const discordPrefix = "interaction."

// The interactions, by the number that stands for their type.
const (
	discordPing         = "1"
	discordCommand      = discordPrefix + "application_command"
	discordComponent    = discordPrefix + "message_component"
	discordAutocomplete = discordPrefix + "application_command_autocomplete"
	discordModal        = discordPrefix + "modal_submit"
)

var discordInteractions = map[string]string{
	"2": discordCommand, "3": discordComponent, "4": discordAutocomplete, "5": discordModal,
}

// Greet answers a PING: type 1 among the interactions, type 0 among the webhook events, where 1 is an event.
func (d *Discord) Greet(r *Request) (*Greeting, error) {
	body, err := parseObject(r.Body)
	if err != nil {
		return nil, err
	}
	switch typ, _ := body.member("type").scalar("type"); {
	case typ == "0":
		return &Greeting{Answer: Answer{Status: http.StatusNoContent}}, nil
	case typ == discordPing && body.member("event").kind() != '{':
		return &Greeting{Answer: Answer{ContentType: jsonType, Body: []byte(`{"type":1}`)}}, nil
	}
	return nil, nil
}

// Identify reads an interaction, whose id is a snowflake, or a webhook event, which has no id: its type, its time and 16
// hexadecimal digits of the SHA-256 of what it says stand in, since all of these are the same in each attempt.
func (d *Discord) Identify(r *Request) (event.Event, error) {
	body, err := parseObject(r.Body)
	if err != nil {
		return event.Event{}, err
	}
	e := event.Event{Body: r.Body}
	if e.Account, err = body.member("application_id").text("application_id"); err != nil {
		return event.Event{}, err
	}
	if happened := body.member("event"); happened.kind() == '{' {
		if e.Type, err = happened.member("type").required("event.type"); err != nil {
			return event.Event{}, err
		}
		timestamp, err := happened.member("timestamp").text("event.timestamp")
		if err != nil {
			return event.Event{}, err
		}
		e.OccurredAt = discordTime(timestamp)
		e.EventID = composeID(e.Account, e.Type, timestamp, shortHash(happened.bytes()))
		return e, nil
	}
	if e.EventID, err = body.member("id").required("id"); err != nil {
		return event.Event{}, err
	}
	number, err := body.member("type").scalar("type")
	if err != nil || number == "" {
		return event.Event{}, noEvent("the body has no type")
	}
	if e.Type = discordInteractions[number]; e.Type == "" {
		e.Type = discordPrefix + number
	}
	return e, nil
}

// discordTime reads an ISO 8601 time, with or without a zone (Discord's are UTC).
func discordTime(text string) time.Time {
	if t := rfc3339Time(text); !t.IsZero() {
		return t
	}
	return rfc3339Time(text + "Z")
}

// Answer defers what an interaction wants to see, which Discord waits 3 s for: "thinking" for a command and a form, nothing
// for a component, no choices for an autocompletion. A handler then has 15 minutes to edit the answer.
// https://docs.discord.com/developers/interactions/receiving-and-responding
func (d *Discord) Answer(e *event.Event) *Answer {
	answer := ""
	switch e.Type {
	case discordCommand, discordModal:
		answer = `{"type":5}`
	case discordComponent:
		answer = `{"type":6}`
	case discordAutocomplete:
		answer = `{"type":8,"data":{"choices":[]}}`
	default:
		return &Answer{Status: http.StatusNoContent}
	}
	return &Answer{ContentType: jsonType, Body: []byte(answer)}
}

// Traits says how the requests look. The token of an interaction is kept in its body: it answers that interaction alone,
// for 15 minutes, and a handler needs it for that.
func (d *Discord) Traits() Traits {
	return Traits{Scheme: "discord", MaxBody: 1 << 20, MediaTypes: []string{jsonType}, Headers: []string{"User-Agent", "X-Signature-Timestamp"}}
}

var discordKind = Kind{
	Identity: Identity{Rule: IdentityOwn, Docs: "https://discord.com/developers/docs/interactions/receiving-and-responding"},
	Name:     "discord", Title: "Discord", Docs: "https://docs.discord.com/developers/interactions/overview#setting-up-an-endpoint",
	Variable: "DISCORD_PUBLIC_KEY", Secret: "the public key of the application, hex, from General Information",
	Dashboard: []string{
		"Copy the application's public key into {variable} and start hookflow: Discord tries the endpoint, with true and with false signatures, before it takes it.",
		"Developer Portal → General Information → Interactions Endpoint URL {url}; for webhook events, Webhooks → Endpoint URL {url}.",
	},
	Retries: "Interactions are never sent again; webhook events for up to 10 minutes. It waits 3 s.",
	ID:      "`id` of an interaction; of a webhook event application, type, time and a hash of its content, since it has no id",
	Type:    "`interaction.application_command`, `interaction.message_component`, …; of a webhook event `event.type`",
	Notes: []string{
		"A PING is answered and not stored. An interaction is deferred ({\"type\":5}, 6 or 8): a handler has 15 minutes to edit that answer, with the interaction's token, which is kept in the body for that.",
	},
	Generate: func(random io.Reader) (string, error) { return GenerateKey(KeyEd25519, random) },
	Samples: []Sample{
		{Name: "interaction.application_command", Body: `{"id":"{{.ID}}","application_id":"845027738276462632","type":2,"version":1,"token":"{{.Word "A" 40}}","channel_id":"645027906669510667",` +
			`"data":{"id":"771825006014889984","name":"hello","type":1,"options":[{"name":"who","type":3,"value":"world"}]},"guild_id":"290926798626357999","locale":"en-US",` +
			`"member":{"user":{"id":"53908232506183680","username":"mason","discriminator":"0"},"roles":[],"joined_at":"2017-03-13T19:19:14.040000+00:00"}}`},
		{Name: "APPLICATION_AUTHORIZED", Body: `{"version":1,"application_id":"845027738276462632","type":1,"event":{"type":"APPLICATION_AUTHORIZED","timestamp":"{{.ISO 0}}",` +
			`"data":{"integration_type":1,"scopes":["applications.commands"],"user":{"id":"{{.ID}}","username":"mason","discriminator":"0"}}}}`},
	},
	SecretBytes: unmeasured,
	Build:       func(s Settings) (Provider, error) { return NewDiscord(s.Secrets) },
}
