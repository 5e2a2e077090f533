package providers

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A secret that can be guessed is warned of where settings are read, and refused where min_secret says so, of each kind
// with code of its own that has secrets.
func TestOwn_ShortSecrets(t *testing.T) {
	t.Parallel()
	public := map[string]string{
		"discord": ownKeys()[KeyEd25519], "telnyx": ownKeys()[KeyEd25519], "sendgrid": ownKeys()[KeyECDSA],
		"paypal": testWebhook, "sns": testTopic,
	}
	for _, k := range own {
		short, long := strings.Repeat("a", MinSecret-1), strings.Repeat("a", MinSecret)
		switch k.Name {
		case "adyen": // hex
			short, long = strings.Repeat("ab", MinSecret-1), strings.Repeat("ab", MinSecret)
		case "discord", "telnyx", "sendgrid", "paypal", "sns":
			_, err := k.New("x", Settings{Secrets: []string{public[k.Name]}, MinSecret: 64, Fetch: offline})
			require.NoError(t, err, "%s has no secret", k.Name)
			continue
		}
		for _, secret := range []string{short, short + "\r\n"} {
			_, err := k.New("x", Settings{Secrets: []string{long, secret}, AllowWeak: true, MinSecret: MinSecret})
			require.ErrorContains(t, err, "secret 2 has 15 bytes, and one below 16 can be guessed", k.Name)
			require.NotContains(t, err.Error(), short)
			source, err := k.New("x", Settings{Secrets: []string{long, secret}, AllowWeak: true})
			require.NoError(t, err, k.Name)
			require.Equal(t, "secret 2 has 15 bytes, and one below 16 can be guessed", source.Guessable, k.Name)
		}
		source, err := k.New("x", Settings{Secrets: []string{long}, AllowWeak: true})
		require.NoError(t, err, k.Name)
		require.Empty(t, source.Guessable, k.Name)
		_, err = k.New("x", Settings{Secrets: []string{short}, AllowWeak: true, MinSecret: MinSecret - 1})
		require.NoError(t, err, k.Name)
	}
	for secret, ok := range map[string]bool{
		"pairing": true, "pairing\n": true, "pairings": false,
	} {
		source, err := KindOf("asana").New("asana", Settings{Secrets: []string{secret}})
		require.NoError(t, err)
		require.Equal(t, ok, source.Guessable == "", secret)
	}
	standard := Settings{Options: map[string]string{"scheme": "standard"}}
	for secret, ok := range map[string]bool{
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw": true, "whsec_MfKQ9r8GKYqrTwjUPD8=": false, // 24 bytes and 14
	} {
		standard.Secrets = []string{secret}
		source, err := KindOf("vapi").New("vapi", standard)
		require.NoError(t, err)
		require.Equal(t, ok, source.Guessable == "", secret)
	}
}

// A source that cannot be made still says that it needs the public URL.
func TestKind_SignsURL(t *testing.T) {
	t.Parallel()
	var signing []string
	for _, k := range Kinds() {
		if k.SignsURL() {
			signing = append(signing, k.Name)
		}
	}
	require.Equal(t, []string{"hubspot", "mandrill", "plivo", "plivo-v2", "square", "twilio"}, signing)
}
