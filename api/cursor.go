package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"

	"hookflow/event"
)

// A cursor is base64url of 8 bytes of microseconds (what Postgres keeps of a time), the 16 bytes of the id, and 4 bytes
// of SHA-256 over both. The sum keeps no secret: it turns a cursor that was cut or mistyped into a 400 instead of a
// page from somewhere else.
const (
	cursorPlace = 8 + 16
	cursorBytes = cursorPlace + 4
)

func writeCursor(c *event.Cursor) *string {
	if c == nil {
		return nil
	}
	b := binary.BigEndian.AppendUint64(make([]byte, 0, cursorBytes), uint64(c.ReceivedAt.UnixMicro()))
	id, _ := uuidBytes(c.ID) // the ledger's ids are uuids
	b = append(b, id[:]...)
	sum := sha256.Sum256(b)
	text := base64.RawURLEncoding.EncodeToString(append(b, sum[:4]...))
	return &text
}

// readCursor returns nil for anything that writeCursor did not write.
func readCursor(text string) *event.Cursor {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != cursorBytes {
		return nil
	}
	sum := sha256.Sum256(b[:cursorPlace])
	if string(sum[:4]) != string(b[cursorPlace:]) {
		return nil
	}
	at := time.UnixMicro(int64(binary.BigEndian.Uint64(b))).UTC()
	if at.Year() < 1970 || at.Year() > 9999 { // Postgres has no such time
		return nil
	}
	return &event.Cursor{ReceivedAt: at, ID: uuidText(b[8:cursorPlace])}
}

// uuidBytes reads a uuid in its hyphenated form, in either case.
func uuidBytes(s string) (id [16]byte, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return id, false
	}
	digits := strings.ReplaceAll(s, "-", "")
	if len(digits) != 2*len(id) {
		return id, false
	}
	_, err := hex.Decode(id[:], []byte(digits))
	return id, err == nil
}

func uuidText(id []byte) string {
	h := hex.EncodeToString(id)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
