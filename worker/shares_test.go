package worker

import (
	"encoding/json"
	"fmt"
	"testing"

	"hookflow/event"
	"hookflow/routing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/interceptor"
)

func TestShares(t *testing.T) {
	t.Parallel()
	s := newShares(100)
	takeAll := func(host string) (n int) {
		for s.take(host) {
			n++
		}
		return n
	}
	require.Equal(t, 33, takeAll("silent"), "half of what is free")
	require.Equal(t, 22, takeAll("another"))
	require.Equal(t, 15, takeAll("third"))
	for n := range 5 {
		require.GreaterOrEqual(t, takeAll(fmt.Sprint("further ", n)), leastShare)
	}
	require.True(t, s.take("new"), "there is always room for one more")
	require.False(t, s.take("silent"))
	for range 33 {
		s.giveBack("silent")
	}
	require.NotContains(t, s.of, "silent")
	require.Positive(t, takeAll("silent"))
}

func TestReceiverOf(t *testing.T) {
	t.Parallel()
	plain := routing.Forward{Endpoint: routing.Endpoint{URL: "https://user:secret@hooks.example.com:8443/path?token=x"}}
	asked, err := json.Marshal(plain)
	require.NoError(t, err)
	e := event.Event{}
	for want, args := range map[string][][]any{
		"hooks.example.com:8443": {{e, plain}, {e, json.RawMessage(asked)}},
		"CHAT_URL":               {{e, routing.Forward{Endpoint: routing.Endpoint{URLEnv: "CHAT_URL"}}}},
		"":                       {{e}, {e, routing.Forward{Destination: "crm"}}, {e, 7}, {e, json.RawMessage("{")}, nil},
	} {
		for _, given := range args {
			require.Equal(t, want, receiverOf(&interceptor.ExecuteActivityInput{Args: given}))
		}
	}
}
