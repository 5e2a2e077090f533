package providers

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"time"
)

// Sign sets the signature's headers on r as its sender does, with the first key and now as the time; an id that r already
// carries is kept. With public keys alone it cannot sign and leaves r as it is. Where the signed time stands in the body,
// the body must hold it.
func (v *Verifier) Sign(r *Request, now time.Time) {
	if len(v.keys) == 0 {
		return
	}
	text := signedText{r: r}
	if v.Timestamp.Header != "" || v.Timestamp.Element != "" {
		text.timestamp = formatTime(now, v.Timestamp.Unit)
	}
	if v.Timestamp.Header != "" {
		setHeader(r, v.Timestamp.Header, text.timestamp)
	}
	if v.IDHeader != "" {
		text.id = deliveryID(r, v.IDHeader)
		setHeader(r, v.IDHeader, text.id)
	}
	for name, value := range v.Require {
		setHeader(r, name, value)
	}
	if v.SignedHeaders != "" {
		text.names = "content-type"
	}
	sum := v.sum(v.keys[0], text)
	digest := hex.EncodeToString(sum)
	if v.Encoding == encodingBase64 {
		digest = base64.StdEncoding.EncodeToString(sum)
	}
	digest = v.Prefix + digest
	switch v.Element {
	case elementKeyValue:
		digest = v.Versions[0] + "=" + digest
	case elementVersionValue:
		digest = v.Versions[0] + "," + digest
	}
	if v.SignedHeaders != "" {
		digest = v.SignedHeaders + "=" + text.names + v.Separator + digest
	}
	if v.Timestamp.Element != "" {
		digest = v.Timestamp.Element + "=" + text.timestamp + v.Separator + digest
	}
	setHeader(r, v.Headers[0], digest)
}

// The values of Timestamp.Unit.
const (
	unitSeconds  = "s"
	unitMillis   = "ms"
	unitEither   = "s-or-ms"
	unitRFC3339  = "rfc3339"
	unitHTTPDate = "http-date"
)

var units = []string{unitSeconds, unitMillis, unitEither, unitRFC3339, unitHTTPDate}

// parseTime reads a signed time.
func parseTime(text, unit string) (time.Time, bool) {
	switch unit {
	case unitSeconds:
		return signedSeconds(text)
	case unitMillis:
		n, ok := signedDigits(text)
		return time.UnixMilli(n), ok
	case unitRFC3339:
		t, err := time.Parse(time.RFC3339Nano, text)
		return t, err == nil
	case unitHTTPDate:
		t, err := time.Parse(http.TimeFormat, text)
		return t, err == nil
	}
	return signedSecondsOrMillis(text)
}

// formatTime writes a time as the sender does.
func formatTime(t time.Time, unit string) string {
	switch unit {
	case unitMillis:
		return strconv.FormatInt(t.UnixMilli(), 10)
	case unitRFC3339:
		return t.UTC().Format(time.RFC3339Nano)
	case unitHTTPDate:
		return t.UTC().Format(http.TimeFormat)
	}
	return strconv.FormatInt(t.Unix(), 10)
}
