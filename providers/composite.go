package providers

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// composeID writes a composite id: the parts that are there, joined by colons.
func composeID(parts ...string) string {
	var there []string
	for _, p := range parts {
		if p != "" {
			there = append(there, p)
		}
	}
	return strings.Join(there, ":")
}

// shortHash is the first 16 hexadecimal digits of a SHA-256: enough to tell apart what is alike in everything else.
func shortHash(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}
