package api

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hookflow/providers"
)

// away is the network without a way out.
type away struct{}

func (away) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("no route to host")
}

// A certificate that cannot be fetched is no proof of a forgery: the sender is asked to come again.
func TestCertificateOutOfReach(t *testing.T) {
	t.Parallel()
	sns, err := providers.NewSNS(providers.SNSConfig{
		TopicARNs: []string{"arn:aws:sns:us-east-1:000000000000:orders"},
		Fetch:     providers.Fetch{Client: &http.Client{Transport: away{}}},
	})
	require.NoError(t, err)
	d := newDoor(t, func(o *Options) { o.Sources["sns"] = providers.Source{Name: "sns", Provider: sns} })
	r := httptest.NewRequest("POST", "/webhooks/sns", strings.NewReader(`{"Type":"Notification",
		"MessageId":"165545c9-2a5c-472c-8df2-7ff2be2b3b1b","TopicArn":"arn:aws:sns:us-east-1:000000000000:orders","Message":"m",
		"Timestamp":"`+noon.Format("2006-01-02T15:04:05.000Z")+`","SignatureVersion":"2","Signature":"c2lnbmVk",
		"SigningCertURL":"https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"}`))
	r.Header.Set("Content-Type", "text/plain; charset=UTF-8")
	w := serve(d.Webhooks(), r)
	requireProblem(t, w.Result(), w.Body.Bytes(), 503, "verification_unavailable")
	require.Equal(t, "5", w.Header().Get("Retry-After"))
	require.Empty(t, d.events())
}
