package api

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// corpus builds malformed and odd requests: every combination of an odd request line with odd headers or an odd body,
// and some hundred good requests with bytes changed, cut or doubled.
func corpus() []string {
	lines := []string{
		"POST /webhooks/acme HTTP/1.1", "POST /webhooks/acme HTTP/1.0", "POST /webhooks/acme HTTP/0.9", "POST /webhooks/acme HTTP/9.9",
		"POST /webhooks/acme", "POST  /webhooks/acme HTTP/1.1", "post /webhooks/acme HTTP/1.1", "PRI * HTTP/2.0", "OPTIONS * HTTP/1.1",
		"CONNECT x:1 HTTP/1.1", "TRACE /webhooks/acme HTTP/1.1", "POST /webhooks/../v1/events HTTP/1.1", "POST /webhooks/%2e%2e/v1 HTTP/1.1",
		"POST /webhooks/%00 HTTP/1.1", "POST /webhooks/%ff HTTP/1.1", "POST /webhooks/%zz HTTP/1.1", "POST //webhooks/acme HTTP/1.1",
		"POST http:///webhooks/acme HTTP/1.1", "POST /webhooks/acme?%zz=;&&= HTTP/1.1", "POST /webhooks/acme\xff HTTP/1.1", "POST * HTTP/1.1",
		"GET /v1/events/%00:%00 HTTP/1.1", "GET /v1/events?q=%7B HTTP/1.1", "POST /v1/events//replay HTTP/1.1", "\x00\x01\x02", "",
	}
	bodies := []string{
		"Content-Length: 2\r\n\r\n{}", "Content-Length: -1\r\n\r\n", "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
		"Content-Length: 99999999999999999999\r\n\r\n", "Content-Length: +2\r\n\r\n{}", "Content-Length: 1\r\n\r\n{}{}{}",
		"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nxyz", "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
		"Transfer-Encoding: gzip\r\n\r\n", "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
		"Expect: 200-ok\r\nContent-Length: 2\r\n\r\n{}", "Content-Type: \xff/\xfe\r\nContent-Length: 2\r\n\r\n{}", "X-Signature: \x01\r\nContent-Length: 0\r\n\r\n",
		"X-Signature\r\n\r\n", ": empty\r\n\r\n", "\r\n\r\n\r\n", " folded: a\r\n\r\n", "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08",
		"Upgrade: websocket\r\nConnection: upgrade\r\n\r\n", "Content-Length: 20000\r\n\r\n" + strings.Repeat("[", 20000),
	}
	var all []string
	for _, line := range lines {
		for _, body := range bodies {
			all = append(all, line+"\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer "+canaryToken+"\r\n"+body)
		}
	}
	good := head(fmt.Sprintf("X-Signature: %s\r\nContent-Length: %d\r\n", canarySignature, len(goodBody))) + goodBody
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		b := []byte(good)
		at := random.IntN(len(b))
		switch random.IntN(3) {
		case 0:
			b[at] = byte(random.Uint32())
		case 1:
			b = append(b[:at:at], b[min(at+1+random.IntN(20), len(b)):]...)
		case 2:
			b = append(b[:at:at], b[max(0, at-random.IntN(40)):]...)
		}
		all = append(all, string(b))
	}
	return all
}

func TestMalformedCorpusNeverFailsTheServer(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	addr := listen(t, d.Both())
	statuses := map[int]int{}
	for _, text := range corpus() {
		c := dial(t, addr)
		_, err := io.WriteString(c, text)
		require.NoError(t, err)
		_ = c.CloseWrite()
		answers := bufio.NewReader(c)
		for {
			w, err := http.ReadResponse(answers, nil)
			if err != nil {
				break // closed, or reset by a server that had read enough
			}
			_, _ = io.Copy(io.Discard, w.Body)
			statuses[w.StatusCode]++
			require.Less(t, w.StatusCode, 500, "%q", text)
		}
		require.NoError(t, c.Close())
	}
	require.Empty(t, d.panics)
	require.Empty(t, d.reported)
	require.Empty(t, d.events())
	for _, expected := range []int{200, 400, 401, 404, 405, 415, 417} { // 200: OPTIONS *, and a listing's odd headers
		require.NotZero(t, statuses[expected], "the corpus reaches %d: %v", expected, statuses)
	}
	requireNoCanary(t, d.logged())
}
