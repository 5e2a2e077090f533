package providers

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"slices"
	"strings"
)

// A URL is signed as text, byte for byte. Nothing here goes through net/url, which would escape spaces and letters
// beyond ASCII, clean nothing but change much (twilio-go's validator does, and refuses what Twilio signed).

// signedURL is a URL in the pieces that Twilio is known to vary when it signs. Pieces put together give the URL back.
type signedURL struct {
	scheme   string // with "://"
	userinfo string // with "@", empty where there is none
	host     string // without port; an IPv6 literal in its brackets
	port     string // with ":", empty where there is none
	path     string
	query    string // with "?"
}

// splitURL takes a URL apart. A text without "://" has a path and a query only. The fragment is dropped: it holds
// connection overrides (#rc=5&rp=all), which are for Twilio itself and neither sent nor signed.
func splitURL(url string) signedURL {
	var u signedURL
	rest := cutFragment(url)
	if q := strings.IndexByte(rest, '?'); q >= 0 {
		rest, u.query = rest[:q], rest[q:]
	}
	scheme, behind, ok := strings.Cut(rest, "://")
	if !ok {
		u.path = rest
		return u
	}
	u.scheme = scheme + "://"
	authority, _, _ := strings.Cut(behind, "/")
	u.path = behind[len(authority):]
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		u.userinfo, authority = authority[:at+1], authority[at+1:]
	}
	u.host = authority
	// The colons of an IPv6 literal stand before its closing bracket.
	if colon := strings.LastIndexByte(authority, ':'); colon > strings.LastIndexByte(authority, ']') {
		u.host, u.port = authority[:colon], authority[colon:]
	}
	return u
}

func cutFragment(url string) string {
	url, _, _ = strings.Cut(url, "#")
	return url
}

func (u signedURL) text() string {
	return u.scheme + u.userinfo + u.host + u.port + u.path + u.query
}

func (u signedURL) defaultPort() string {
	switch strings.ToLower(u.scheme) {
	case "https://":
		return ":443"
	case "http://":
		return ":80"
	}
	return ""
}

// urlVariants returns the texts that Twilio may have signed for a URL, at most 12: as it is; without its port, or with
// the default one where it has none (Twilio's documentation: kept for some products and schemes, dropped for others);
// without userinfo (the documentation drops it, the libraries' test cases sign it); with each apostrophe of the query
// as %27, or with each %27 as an apostrophe (Node's URL class writes %27, whether it signs the URL or requests it).
func urlVariants(url string) []string {
	given := splitURL(url)
	variants := []signedURL{given}
	if given.userinfo != "" {
		bare := given
		bare.userinfo = ""
		variants = append(variants, bare)
	}
	for _, v := range variants {
		if v.port != "" {
			v.port = ""
		} else {
			v.port = v.defaultPort()
		}
		variants = append(variants, v)
	}
	for _, v := range variants {
		for _, query := range []string{escapeApostrophes(given.query), strings.ReplaceAll(given.query, "%27", "'")} {
			if query != given.query {
				v.query = query
				variants = append(variants, v)
			}
		}
	}
	texts := make([]string, len(variants))
	for i, v := range variants {
		texts[i] = v.text()
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}

func escapeApostrophes(s string) string { return strings.ReplaceAll(s, "'", "%27") }

// canonicalURL returns the one text that stands for a URL in event ids: without fragment, userinfo and default port,
// apostrophes of the query as %27. Everything that a sender could change in a URL without losing the signature is gone
// from it, so that a request sent again in another spelling has the same id.
func canonicalURL(url string) string {
	u := splitURL(url)
	u.userinfo = ""
	if u.port == u.defaultPort() {
		u.port = ""
	}
	u.query = escapeApostrophes(u.query)
	return u.text()
}

const bodyHashParam = "bodySHA256="

// hashState says how a URL and the hash of a body stand to each other.
type hashState int

const (
	hashAbsent   hashState = iota
	hashRepeated           // libraries take the first; which one Twilio meant cannot be known
	hashDiffers
	hashEqual
)

// checkBodyHash compares the parameter bodySHA256 of the query, lower-case hexadecimal digits, with the SHA-256 of body.
func checkBodyHash(url string, body []byte) hashState {
	state, given := hashAbsent, ""
	for piece := range strings.SplitSeq(strings.TrimPrefix(splitURL(url).query, "?"), "&") {
		if value, ok := strings.CutPrefix(piece, bodyHashParam); ok {
			if state != hashAbsent {
				return hashRepeated
			}
			state, given = hashDiffers, value
		}
	}
	if state == hashDiffers && subtle.ConstantTimeCompare([]byte(given), []byte(bodyHash(body))) == 1 {
		return hashEqual
	}
	return state
}

func bodyHash(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// withBodyHash writes the hash of body at the end of the query, in place of one that is there.
func withBodyHash(url string, body []byte) string {
	u := splitURL(url)
	var pieces []string
	for piece := range strings.SplitSeq(strings.TrimPrefix(u.query, "?"), "&") {
		if piece != "" && !strings.HasPrefix(piece, bodyHashParam) {
			pieces = append(pieces, piece)
		}
	}
	u.query = "?" + strings.Join(append(pieces, bodyHashParam+bodyHash(body)), "&")
	return u.text()
}
