package providers

import (
	"fmt"
	"strings"
	"time"
)

// Signs says in words how the kind's requests are proven.
func (k *Kind) Signs() string {
	d := k.Declaration
	switch {
	case d == nil:
		return "a scheme with code of its own"
	case d.Token != nil && d.Token.Basic:
		return "the secret itself, as user:password of basic authentication"
	case d.Token != nil:
		return "the secret itself, in `" + d.Token.Header + "`"
	case len(d.Signatures) > 1 && d.Signatures[0].PublicKeyPrefix != "":
		return "Standard Webhooks: HMAC-SHA256 of `{id}.{timestamp}.{body}`, or Ed25519"
	}
	return d.Signatures[0].inWords()
}

// inWords is one line: the digest, what it is of, where it stands, how old it may be.
func (s Signature) inWords() string {
	s = s.withDefaults()
	algorithm := map[string]string{"sha1": "SHA1", "sha256": "SHA256", "sha512": "SHA512"}[s.Algorithm]
	words := "HMAC-" + algorithm
	if strings.Contains(s.Template, "{secret}") {
		words = algorithm
	}
	words += fmt.Sprintf(" of `%s`, %s, in `%s`", s.Template, s.Encoding, strings.Join(s.Headers[:min(len(s.Headers), 2)], "`, `"))
	if len(s.Headers) > 2 {
		words += ", …"
	}
	if s.Timestamp.present() {
		words += ", ±" + short(s.Timestamp.Tolerance)
		if t := s.Timestamp; t.Past != t.Tolerance {
			words += ", and " + short(t.Past) + " back"
		}
	}
	return words
}

// short writes 5m0s as 5m.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// Handshake says how the sender asks whose the endpoint is, "" where it does not, or in its notes.
func (k *Kind) Handshake() string {
	if k.Declaration == nil {
		return ""
	}
	return handshakes[k.Declaration.Handshake].says
}

// Steps are what to set at the sender, with the endpoint's URL and the name of the variable filled in.
func (k *Kind) Steps(url, variable string) []string {
	fill := strings.NewReplacer("{url}", url, "{variable}", variable)
	steps := make([]string, len(k.Dashboard))
	for i, step := range k.Dashboard {
		steps[i] = fill.Replace(step)
	}
	return steps
}
