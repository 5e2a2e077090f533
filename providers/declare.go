package providers

import (
	"slices"
	"strings"

	"hookflow/internal/yamlfile"

	"go.yaml.in/yaml/v3"
)

// declarer reads declarations of providers, in the embedded providers.yaml and in an operator's file.
type declarer struct{ *yamlfile.Reader }

// The keys of a signature, as in the fields of Signature.
var signatureKeys = []string{"header", "separator", "element", "versions", "prefix", "algorithm", "encoding", "secret_encoding",
	"secret_prefix", "template", "timestamp", "id_header", "signed_headers", "require", "allow_empty_body", "allow_weak", "allow_unsigned_body", "token"}

// declarationKeys are the keys of how a provider's requests are read and answered.
var declarationKeys = []string{"id", "type", "account", "time", "batch", "empty", "attempts", "bodies", "handshake", "answer", "refusal", "media_types",
	"headers", "max_body"}

const (
	writeHeader = "the name of a header, such as X-Signature"
	writeField  = `where it is, such as "{/data/id}" or "{header X-Event-Id}"`
)

// maxMaxBody is the largest cap on a body that can be declared, in bytes: GitHub and GitLab send up to 25 MiB. What the second
// durable place holds is far less.
const maxMaxBody = 25 << 20

// signatures reads a scheme: one signature or a list of them, or a token.
func (d declarer) signatures(n *yaml.Node, what string) (all []Signature, token *Token) {
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		items = n.Content
	}
	for _, item := range items {
		before := d.Problems()
		s, t := d.signature(item, what)
		switch {
		case t != nil && len(items) > 1:
			d.Report(item.Line, "the token alone", "%s has a token beside others", what)
		case t != nil:
			return nil, t
		case d.Problems() == before:
			if _, err := compile(s); err != nil {
				d.Report(item.Line, "a scheme that proves what it seems to; docs/providers.md lists the keys", "%s: %s", what, err)
			}
		}
		all = append(all, s)
	}
	return all, nil
}

func (d declarer) signature(n *yaml.Node, what string) (s Signature, token *Token) {
	unsigned := false
	for _, e := range d.Entries(n, what, signatureKeys) {
		switch e.Key {
		case "header":
			s.Headers = d.Texts(e.Node, e.Key, writeHeader)
		case "separator":
			s.Separator = d.separator(e.Node)
		case "element":
			s.Element = d.Word(e.Node, e.Key, elementKeyValue, elementVersionValue)
		case "versions":
			s.Versions = d.Texts(e.Node, e.Key, "the accepted versions, such as [v1]")
		case "prefix":
			s.Prefix = d.Text(e.Node, e.Key, "what stands before the digest, such as sha256=")
		case "algorithm":
			s.Algorithm = d.Word(e.Node, e.Key, "sha256", "sha512", "sha1")
		case "encoding":
			s.Encoding = d.Word(e.Node, e.Key, encodingHex, encodingBase64)
		case "secret_encoding":
			s.SecretEncoding = d.Word(e.Node, e.Key, encodingRaw, encodingBase64, encodingHex)
		case "secret_prefix":
			s.SecretPrefix = d.Text(e.Node, e.Key, "what is cut off the secret, such as whsec_")
		case "template":
			s.Template = d.Text(e.Node, e.Key, `what is signed, such as "{timestamp}.{body}"`)
		case "timestamp":
			s.Timestamp = d.timestamp(e.Node)
		case "id_header":
			s.IDHeader = d.Text(e.Node, e.Key, writeHeader)
		case "signed_headers":
			s.SignedHeaders = d.Text(e.Node, e.Key, "the key of the element that names them, such as h")
		case "require":
			s.Require = map[string]string{}
			for _, r := range d.Entries(e.Node, e.Key, nil) {
				s.Require[r.Key] = d.Scalar(r.Node, r.Key, "the header's value")
			}
		case "allow_empty_body":
			s.AllowEmptyBody = d.Flag(e.Node, e.Key)
		case "allow_weak":
			s.AllowWeak = d.Flag(e.Node, e.Key)
		case "allow_unsigned_body":
			unsigned = d.Flag(e.Node, e.Key)
		case "token":
			token = d.token(e.Node)
		}
	}
	s.AllowUnsignedBody = unsigned
	switch {
	case token == nil:
	case !unsigned:
		d.Report(n.Line, "allow_unsigned_body: true, and use it with TLS only",
			"%s is a token, which proves nothing about the body: whoever reads one request can forge the next", what)
	case len(s.Headers) > 0 || s.Template != "":
		d.Report(n.Line, "either token or header and template", "%s has both a token and a signature", what)
	}
	return s, token
}

// separator reads a comma, a semicolon or a space; the last is white space that Text refuses.
func (d declarer) separator(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode || !slices.Contains([]string{",", ";", " "}, n.Value) {
		d.Report(n.Line, `",", ";" or " "`, "separator is none of those that are known")
	}
	return n.Value
}

func (d declarer) timestamp(n *yaml.Node) (t Timestamp) {
	for _, e := range d.Entries(n, "timestamp", []string{"header", "element", "body", "unit", "tolerance", "past"}) {
		switch e.Key {
		case "header":
			t.Header = d.Text(e.Node, e.Key, writeHeader)
		case "element":
			t.Element = d.Text(e.Node, e.Key, "its key in the signature header, such as t")
		case "body":
			t.Body = d.Text(e.Node, e.Key, "a JSON pointer, such as /timestamp")
		case "unit":
			t.Unit = d.Word(e.Node, e.Key, units...)
		case "tolerance":
			t.Tolerance = d.Duration(e.Node, e.Key)
		case "past":
			t.Past = d.Duration(e.Node, e.Key)
		}
	}
	if !t.present() {
		d.Report(n.Line, "header, element or body, and where", "timestamp names no place; a tolerance without a signed time protects nothing")
	}
	return t
}

func (d declarer) token(n *yaml.Node) *Token {
	t := &Token{}
	for _, e := range d.Entries(n, "token", []string{"header", "prefix", "basic"}) {
		switch e.Key {
		case "header":
			t.Header = d.Text(e.Node, e.Key, writeHeader)
		case "prefix":
			t.Prefix = d.Text(e.Node, e.Key, `what stands before the secret, such as "Bearer "`)
		case "basic":
			t.Basic = d.Flag(e.Node, e.Key)
		}
	}
	if t.Header == "" && !t.Basic {
		d.Report(n.Line, "header or basic", "token names no place")
	}
	return t
}

// pointer reads a JSON pointer.
func (d declarer) pointer(n *yaml.Node, what string) string {
	const write = "a JSON pointer, such as /events/*, in which * is every element of a list"
	text := d.Text(n, what, write)
	if text != "" && !strings.HasPrefix(text, "/") {
		d.Report(n.Line, write, "%s is %q, which is no JSON pointer", what, text)
	}
	return text
}

// counter reads a JSON pointer to a counter of attempts, into the event or behind a ^ into the whole body.
func (d declarer) counter(n *yaml.Node, what string) string {
	const write = "a JSON pointer, such as /attemptNumber, or ^/retry into the whole body of a list"
	text := d.Text(n, what, write)
	if text != "" && !strings.HasPrefix(strings.TrimPrefix(text, "^"), "/") {
		d.Report(n.Line, write, "%s is %q, which is no JSON pointer", what, text)
	}
	return text
}

// declare reads one key of a declaration; it returns false for a key that is none of declarationKeys.
func (d declarer) declare(into *Declaration, e yamlfile.Entry) bool {
	switch e.Key {
	case "id":
		into.ID = d.field(e)
	case "type":
		into.Type = d.field(e)
	case "account":
		into.Account = d.field(e)
	case "time":
		into.Time = d.field(e)
	case "batch":
		for _, item := range list(e.Node) {
			pointer := d.pointer(item, e.Key)
			if !slices.Contains(parsePointer("/"+strings.TrimPrefix(pointer, "/")), "*") {
				d.Report(item.Line, "a pointer with a *, such as /events/*", "batch names no list")
				continue
			}
			into.Batch = append(into.Batch, pointer)
		}
	case "empty":
		for _, item := range list(e.Node) {
			into.Empty = append(into.Empty, d.pointer(item, e.Key))
		}
	case "attempts":
		for _, item := range list(e.Node) {
			into.Attempts = append(into.Attempts, d.counter(item, e.Key))
		}
	case "bodies":
		into.Bodies = d.bodies(e.Node)
	case "handshake":
		into.Handshake = d.Word(e.Node, e.Key, sortedKeys(handshakes)...)
	case "answer":
		into.Answer = d.answer(e.Node)
	case "refusal":
		into.Refusal = d.refusal(e.Node)
	case "media_types":
		into.MediaTypes = d.Texts(e.Node, e.Key, "media types in lower case, such as [application/json]")
	case "headers":
		into.Headers = d.Texts(e.Node, e.Key, "names of headers that are kept with the event")
	case "max_body":
		into.MaxBody = d.Count(e.Node, e.Key, 1, maxMaxBody)
	default:
		return false
	}
	return true
}

func list(n *yaml.Node) []*yaml.Node {
	if n.Kind == yaml.SequenceNode {
		return n.Content
	}
	return []*yaml.Node{n}
}

func (d declarer) field(e yamlfile.Entry) []string {
	texts := d.Texts(e.Node, e.Key, writeField)
	if _, err := parseField(texts); err != nil {
		d.Report(e.Node.Line, writeField, "%s: %s", e.Key, err)
	}
	return texts
}

func (d declarer) answer(n *yaml.Node) *Answer {
	a := &Answer{}
	for _, e := range d.Entries(n, "answer", []string{"status", "type", "body"}) {
		switch e.Key {
		case "status":
			a.Status = int(d.Count(e.Node, e.Key, 200, 299))
		case "type":
			a.ContentType = d.Text(e.Node, e.Key, "a media type, such as text/plain")
		case "body":
			a.Body = []byte(d.Scalar(e.Node, e.Key, "the text that answers"))
		}
	}
	if (a.ContentType == "") != (len(a.Body) == 0) {
		d.Report(n.Line, "both type and body, or neither for an empty answer", "answer has one of type and body")
	}
	return a
}

func (d declarer) refusal(n *yaml.Node) (r Refusal) {
	for _, e := range d.Entries(n, "refusal", []string{"status", "empty"}) {
		switch e.Key {
		case "status":
			r.Status = int(d.Count(e.Node, e.Key, 400, 499))
		case "empty":
			r.Empty = d.Flag(e.Node, e.Key)
		}
	}
	return r
}
