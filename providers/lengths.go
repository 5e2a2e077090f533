package providers

import (
	"encoding/hex"
	"fmt"
	"math"
	"strings"
)

// MinSecret is the length of a secret, after decoding, below which it can be guessed: 16 random bytes cannot. A declared
// source with a shorter one is refused unless its min_secret allows it. One of a provider with code of its own is taken,
// and warned of: what the senders issue is longer (Stripe's whsec_ and 32 characters, Twilio's 32 hexadecimal digits,
// Mandrill's 22 characters, Adyen's 32 bytes in hex, Plivo's and X's some 40 to 50 characters), while Vapi's and Microsoft
// Graph's are made by operators, whose senders must not lose an event because of a new rule here. min_secret makes a rule
// of it for those, too.
//
// Not measured is what is no secret: the public keys of Discord, Telnyx and SendGrid and of Vapi's standard scheme, which
// have a form of their own, PayPal's webhook ids, SNS's topics, and the word pairing.
const MinSecret = 16

// checkLengths refuses secrets that are short enough to be guessed. bytes counts those of a secret that sign; least
// replaces MinSecret, unless it is 0.
func checkLengths(secrets []string, least int, bytes func(secret string) int) error {
	if least == 0 {
		least = MinSecret
	}
	for i, secret := range secrets {
		if n := bytes(secret); n < least {
			return fmt.Errorf("secret %d has %d bytes, and one below %d can be guessed", i+1, n, least)
		}
	}
	return nil
}

// asWritten measures secrets whose text is the key.
func asWritten(secret string) int { return len(strings.TrimRight(secret, "\r\n")) }

// inHex measures keys that are written in hexadecimal digits.
func inHex(secret string) int { return hex.DecodedLen(asWritten(secret)) }

// unmeasured is for what everybody may know.
func unmeasured(string) int { return math.MaxInt }
