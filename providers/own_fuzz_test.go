package providers

import (
	"bytes"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hookflow/event"
)

// ownSeeds are the bodies from which the fuzz targets start, each for every provider.
func ownSeeds(cases map[string]ownCase) [][]byte {
	seeds := [][]byte{{}, []byte("[]"), []byte("{}"), []byte(`{"type":1}`), []byte(`{"type":0}`), []byte(`{"events":[]}`), []byte("mandrill_events=[]"),
		[]byte(`{"Type":"SubscriptionConfirmation","MessageId":"22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324","Token":"t","Message":"m","SubscribeURL":"https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription"}`),
		[]byte("{\"data\":{\"id\":\"\xff\\u0000\",\"event_type\":\"\\ud800\"}}")}
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		seeds = append(seeds, []byte(cases[name].body))
	}
	return seeds
}

// FuzzOwnIdentify reads what a holder of the key could send: whatever is in the body, events are fit for the ledger and
// the same each time, and anything else is a typed error.
func FuzzOwnIdentify(f *testing.F) {
	cases := ownCases(f)
	for _, body := range ownSeeds(cases) {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for name, c := range cases {
			source := Source{Name: name, Provider: c.signer}
			r := c.sign(string(body))
			sent := bytes.Clone(r.Body)
			d, err := source.Read(r, testNow)
			require.Equal(t, sent, r.Body, "%s: the body is not written to", name)
			if err != nil {
				var typed *Error
				require.ErrorAs(t, err, &typed, name)
				continue
			}
			again, err := source.Read(r, testNow)
			require.NoError(t, err, name)
			require.Len(t, again.Events, len(d.Events), name)
			for i, e := range d.Events {
				require.Empty(t, event.CheckID(e.EventID), name)
				require.Empty(t, event.CheckID(e.Type), name)
				require.NotNil(t, e.Body, name)
				require.Equal(t, e.Key(), again.Events[i].Key(), name)
			}
		}
	})
}

// FuzzOwnVerify changes one proof: nothing verifies but what was signed.
func FuzzOwnVerify(f *testing.F) {
	cases := ownCases(f)
	names := slices.Sorted(maps.Keys(cases))
	for i := range names {
		f.Add(uint8(i), uint8(0), "x", []byte(cases[names[i]].body))
		f.Add(uint8(i), uint8(1), strings.Repeat("0", 128), []byte{})
	}
	f.Fuzz(func(t *testing.T, which, header uint8, value string, body []byte) {
		name := names[int(which)%len(names)]
		c := cases[name]
		golden := c.sign(c.body)
		r := &Request{Method: http.MethodPost, URL: golden.URL, Header: golden.Header.Clone(), Body: body}
		if proofs := slices.Sorted(maps.Keys(r.Header)); len(proofs) > 0 {
			r.Header.Set(proofs[int(header)%len(proofs)], value)
		}
		if err := c.signer.Verify(r, testNow); err != nil {
			var typed *Error
			require.ErrorAs(t, err, &typed, name)
			return
		}
		if c.proof {
			require.Equal(t, golden.Body, body, name)
		}
	})
}
