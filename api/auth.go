package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
)

// hashedToken is a token as it is compared: hashes have one length, so that the time taken tells nothing, not even how
// long a token is.
type hashedToken struct {
	name string
	sum  [sha256.Size]byte
}

func hashTokens(tokens []Token) []hashedToken {
	var hashed []hashedToken
	for _, t := range tokens {
		if t.Secret != "" { // an empty one would open the door to "Bearer "
			hashed = append(hashed, hashedToken{t.Name, sha256.Sum256([]byte(t.Secret))})
		}
	}
	return hashed
}

const authorKey = "author"

// authorize lets requests with a token pass, and notes the token's name as their author.
func (a *API) authorize(c *gin.Context) {
	if len(a.tokens) == 0 {
		writeProblem(c, errClosed)
		c.Abort()
		return
	}
	author, ok := a.author(c.Request.Header)
	if !ok {
		writeProblem(c, errToken)
		c.Abort()
		return
	}
	c.Set(authorKey, author)
}

// author returns the name of the token in the Authorization header. Every token is tried, whichever fits.
func (a *API) author(h http.Header) (name string, ok bool) {
	values := h["Authorization"]
	if len(values) != 1 {
		return "", false
	}
	scheme, secret, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	given := sha256.Sum256([]byte(strings.TrimLeft(secret, " ")))
	for _, t := range a.tokens {
		if subtle.ConstantTimeCompare(given[:], t.sum[:]) == 1 {
			name, ok = t.name, true
		}
	}
	return name, ok
}
