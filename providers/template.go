package providers

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// signedPart is a piece of the signed text: a literal, or a placeholder without its braces.
type signedPart struct{ literal, name string }

// The placeholders of a Signature's template.
const (
	partBody       = "body"
	partTimestamp  = "timestamp"
	partID         = "id"
	partMethod     = "method"
	partURL        = "url"
	partDecodedURL = "decoded_url"
	partSecret     = "secret"

	partHeaderNames  = "header_names"
	partHeaderValues = "header_values"
)

var signedParts = []string{partBody, partTimestamp, partID, partMethod, partURL, partDecodedURL, partSecret, partHeaderNames, partHeaderValues}

// parseTemplate cuts a template at its placeholders.
func parseTemplate(template string) ([]signedPart, error) {
	var parts []signedPart
	for template != "" {
		literal, rest, found := strings.Cut(template, "{")
		if strings.Contains(literal, "}") {
			return nil, errors.New("the template has a } without a {")
		}
		if literal != "" {
			parts = append(parts, signedPart{literal: literal})
		}
		if !found {
			break
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return nil, errors.New("the template has a { without a }")
		}
		if name == "svix-id" { // as Vapi writes it
			name = partID
		}
		if !slices.Contains(signedParts, name) {
			return nil, fmt.Errorf("the template's placeholder {%s} is unknown: write {%s}", name, strings.Join(signedParts, "}, {"))
		}
		parts = append(parts, signedPart{name: name})
		template = after
	}
	return parts, nil
}

func signs(parts []signedPart, name string) bool {
	return slices.ContainsFunc(parts, func(p signedPart) bool { return p.name == name })
}

// signedText is what the placeholders stand for in one request.
type signedText struct {
	r             *Request
	timestamp, id string
	names         string // of the signed headers, as the signature header lists them
}

// values are those of the signed headers, joined by dots; empty for one that did not come.
func (t signedText) values() string {
	names := strings.Fields(t.names)
	for i, name := range names {
		names[i] = t.r.Header.Get(name)
	}
	return strings.Join(names, ".")
}

// write hands the signed text to w, piece by piece: a body of megabytes is not copied for it.
func (t signedText) write(parts []signedPart, secret []byte, w func([]byte)) {
	for _, p := range parts {
		switch p.name {
		case partBody:
			w(t.r.Body)
		case partTimestamp:
			w([]byte(t.timestamp))
		case partID:
			w([]byte(t.id))
		case partHeaderNames:
			w([]byte(t.names))
		case partHeaderValues:
			w([]byte(t.values()))
		case partMethod:
			w([]byte(t.r.Method))
		case partURL:
			w([]byte(t.r.URL))
		case partDecodedURL:
			w([]byte(decodeURL(t.r.URL)))
		case partSecret:
			w(secret)
		default:
			w([]byte(p.literal))
		}
	}
}

// hubSpotDecoded are the escapes that HubSpot decodes in a URL before it signs it, and no others.
// https://developers.hubspot.com/docs/api/webhooks/validating-requests
var hubSpotDecoded = strings.NewReplacer("%3A", ":", "%2F", "/", "%3F", "?", "%40", "@", "%21", "!", "%24", "$", "%27", "'",
	"%28", "(", "%29", ")", "%2A", "*", "%2C", ",", "%3B", ";", "%3a", ":", "%2f", "/", "%3f", "?", "%2a", "*", "%2c", ",", "%3b", ";")

func decodeURL(url string) string { return hubSpotDecoded.Replace(url) }
