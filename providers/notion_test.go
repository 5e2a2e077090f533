package providers

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Pairing: the token comes unsigned, goes into a file, and is the secret of what follows.
func TestNotion_Pairing(t *testing.T) {
	t.Parallel()
	const token = "secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl"
	request := &Request{Method: "POST", Body: []byte(`{"verification_token":"` + token + `"}`)}
	file := filepath.Join(t.TempDir(), "token")
	make := func(options map[string]string, secrets ...string) Source {
		source, err := KindOf("notion").New("notion", Settings{Secrets: secrets, Options: options})
		require.NoError(t, err)
		return source
	}
	pairing := make(map[string]string{"token_file": file}, pairingWord)
	d, err := pairing.Read(request, testNow)
	require.NoError(t, err)
	require.NoError(t, d.Greeting.Confirm(t.Context()))
	require.NoError(t, d.Greeting.Confirm(t.Context()), "the same one again")
	kept, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, token+"\n", string(kept))
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	other, err := pairing.Read(&Request{Method: "POST", Body: []byte(`{"verification_token":"secret_somebodyElsesTokenxxxxxxx"}`)}, testNow)
	require.NoError(t, err)
	require.ErrorIs(t, other.Greeting.Confirm(t.Context()), errOtherToken, "the first one stays")
	_, err = pairing.Read(&Request{Method: "POST", Body: []byte(`{"id":"e"}`)}, testNow)
	requireRefused(t, ReasonPairing, err)
	_, err = make(nil, pairingWord).Read(request, testNow)
	requireNoEvent(t, err)

	_, err = make(map[string]string{"token_file": file}, token).Read(request, testNow)
	requireRefused(t, ReasonMissing, err) // no longer pairing
	paired := make(nil, token)
	e, err := readOne(paired, signedBy(paired.Provider.(Signer), `{"id":"e-1","type":"page.created"}`), testNow)
	require.NoError(t, err)
	require.Equal(t, "notion:e-1", e.Key())
}

// A token that stands where the name of its file belongs is not shown.
func TestNotion_tokenForAFile(t *testing.T) {
	t.Parallel()
	canary := filepath.Join(t.TempDir(), "secret_c4nary/and no folder")
	err := keepToken(canary, "secret_x")
	require.ErrorIs(t, err, os.ErrNotExist)
	require.EqualError(t, err, "the file of the token, open: no such file or directory")
}
