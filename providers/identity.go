package providers

import "fmt"

// Identity says why two events of a kind never have one id, and a repeated delivery never has two.
type Identity struct {
	// Rule is one of the Identity words.
	Rule string
	// Docs is the sender's page that the rule goes by.
	Docs string
	// Why says in half a sentence what of that page matters; empty where its id speaks for itself.
	Why string
}

// The rules, safest last: an event that is taken for a copy is lost, a copy that is taken for new costs a run.
const (
	// IdentityOwn: the sender's own id. A retry repeats it, and no other event has it.
	IdentityOwn = "own"
	// IdentityOnce: the object and the type, for facts that happen once in an object's life; composed for all others.
	IdentityOnce = "once"
	// IdentityComposed: what tells events apart for a person, and the digest of the event with its envelope, less the
	// counters of attempts.
	IdentityComposed = "composed"
	// IdentityDigest: the digest alone.
	IdentityDigest = "digest"
	// IdentityReceived: each delivery is an event, since two of the same words are two facts.
	IdentityReceived = "received"
)

var identityRules = []string{IdentityOwn, IdentityOnce, IdentityComposed, IdentityDigest, IdentityReceived}

// InWords is a sentence for the documentation.
func (i Identity) InWords() string {
	words := map[string]string{
		IdentityOwn:      "the sender's own id, which a retry repeats and no other event has",
		IdentityOnce:     "the object and the type where that happens once in the object's life, else with the digest of the event",
		IdentityComposed: "composed, and ends in the digest of the event with what stands beside its list",
		IdentityDigest:   "the digest of the event",
		IdentityReceived: "each delivery is an event of its own",
	}[i.Rule]
	if i.Why != "" {
		words += "; " + i.Why
	}
	return fmt.Sprintf("%s ([page](%s))", words, i.Docs)
}
