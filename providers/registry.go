package providers

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// Kind is a sender that hookflow knows: how its Provider is made, and what a person must know to set it up.
type Kind struct {
	// Name is the scheme's word: the path of the built-in source, and the word behind "scheme:" of a further one.
	Name  string
	Title string // as the sender writes itself
	Docs  string // the page on verification
	// Variable is the environment variable of the built-in source's secrets; with _FILE behind it, of a file of them.
	Variable string
	// Secret says in a few words what the variable holds and where the sender shows it.
	Secret string
	// Options are settings beside the secrets.
	Options []Option
	// Dashboard is what to set at the sender, a sentence each. {url} stands for the endpoint's URL, {variable} for
	// Variable.
	Dashboard []string
	// Retries says what the sender does with an answer that is not a success, and how long it waits for one; empty where
	// it documents nothing.
	Retries string
	// ID and Type say in words what the event's id and type are made of.
	ID, Type string
	// Identity says which rule the ids follow.
	Identity Identity
	// UnsignedID says that the id comes from a header that no signature covers: good against the sender's own retries,
	// not against somebody who replays a captured request under another one.
	UnsignedID bool
	// UnsignedType says the same of the type.
	UnsignedType bool
	// Notes are further facts for the documentation, a sentence each.
	Notes []string
	// Weak says why this scheme is not to be relied on; it is then off unless the operator writes allow_weak.
	Weak string
	// Samples are what "hookflow send" sends, beside the files of the package samples.
	Samples []Sample
	// Generate makes a secret for dev in the form that the sender issues, or a key pair that can sign; nil means random hex.
	Generate func(random io.Reader) (string, error)
	// Declaration is the provider as data, nil for one with code of its own.
	Declaration *Declaration
	// SecretBytes counts what MinSecret is held against, unless the kind is a declaration: nil measures the text.
	SecretBytes func(secret string) int
	// Build makes the provider.
	Build func(Settings) (Provider, error)
}

// Option is a setting of a kind beside its secrets.
type Option struct {
	// Name is its key below options: of a source in the configuration file; Variable that of the built-in source.
	Name, Variable string
	// What says what it is for, in a few words.
	What string
}

// Settings are what a source is made with.
type Settings struct {
	Secrets []string // the current ones
	// Options are values by the name of the option; a setting that was left out is absent.
	Options map[string]string
	// MaxBody replaces the kind's cap on a body, in bytes; 0 leaves it.
	MaxBody int64
	// AllowWeak lets a kind be made whose scheme is Weak, and switches the weak signatures of others on.
	AllowWeak bool
	// Fetch speaks to the sender where a scheme needs it (certificates, the confirmation of a subscription).
	Fetch Fetch
	// MinSecret replaces the constant of that name where a kind's secrets may be shorter; 0 leaves it.
	MinSecret int
}

// Sample is a request as the sender makes it, without its signature.
type Sample struct {
	Name string // of the event's type, in "hookflow send PROVIDER NAME"
	// Header holds what the sender sets besides its signature. Without a Content-Type it is JSON.
	Header map[string]string
	// Body is a template of the package samples.
	Body string
	// Query is put behind the URL, for senders that sign it.
	Query string
}

// own are the kinds with code of their own, a line each. One of them is a package-level variable of type Kind in the
// file of its provider; a test looks for those that are missing here.
var own = []*Kind{
	&adyenKind,
	&asanaKind,
	&discordKind,
	&graphKind,
	&mailgunKind,
	&mandrillKind,
	&payPalKind,
	&plivoKind,
	&plivoV2Kind,
	&sendGridKind,
	&snsKind,
	&stripeKind,
	&telnyxKind,
	&twilioKind,
	&vapiKind,
	&xKind,
}

// Kinds returns every kind in the order of their names.
func Kinds() []*Kind {
	all := slices.Concat(own, declaredKinds())
	slices.SortFunc(all, func(a, b *Kind) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return all
}

// KindOf returns the kind of a name, nil for an unknown one.
func KindOf(name string) *Kind {
	for _, k := range Kinds() {
		if k.Name == name {
			return k
		}
	}
	return nil
}

// New makes the source of a kind under a name. Errors say what is wrong with the settings; they hold no secret.
func (k *Kind) New(name string, s Settings) (Source, error) {
	if k.Weak != "" && !s.AllowWeak {
		return Source{}, fmt.Errorf("%s: %s; it needs allow_weak: true", k.Name, k.Weak)
	}
	p, err := k.Build(s)
	measure := k.SecretBytes
	if measure == nil {
		measure = asWritten
	}
	var guessable string
	if k.Declaration == nil && !errors.Is(err, errNoSecret) { // one that is declared measures its own
		short := checkLengths(s.Secrets, s.MinSecret, measure)
		switch {
		case s.MinSecret > 0:
			err = errors.Join(err, short)
		case short != nil:
			guessable = short.Error()
		}
	}
	if err != nil {
		return Source{}, err
	}
	return Source{Name: name, Provider: p, Guessable: guessable, maxBody: s.MaxBody}, nil
}

// SignsURL reports whether requests of the kind are signed with the URL that the sender calls, whatever its settings.
func (k *Kind) SignsURL() bool {
	const anySecret = "abababababababababababababababababababababababababababababababab" // fits as text, hex and base64
	p, err := k.Build(Settings{Secrets: []string{anySecret}, Options: map[string]string{}})
	return err == nil && p.Traits().SignsURL
}
