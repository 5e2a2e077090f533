package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"strconv"
	"time"

	"hookflow/samples"
)

// What the senders and the doors share.
const (
	stripeSecret = "whsec_bench_0123456789abcdef0123"
	twilioToken  = "bench_0123456789abcdef0123456789"
	apiToken     = "bench-0123456789abcdef"
	eventType    = "checkout.session.completed"
)

// The places in the sample that differ from event to event, all of one length so that nothing else moves.
const (
	eventPlace   = "evt_1BenchEvent0000000000000"
	sessionPlace = "cs_test_BenchSession0000000000000000"
	serialDigits = 13
)

// cast makes signed requests, ready to be written to a connection. Only the ids, the time and the signature differ, so
// that a request costs its sender one HMAC.
type cast struct {
	request   []byte // head and body
	body      []byte // the part of request that is signed
	serials   [][]byte
	stamp     []byte // t= of the signature header
	signature []byte
	prefix    string
	mac       hash.Hash
	sum       []byte
}

// newCast builds the request from the sample of a completed checkout. Prefix keeps the ids of one run apart from those of
// every other; it is at most 4 letters and digits.
func newCast(prefix string) (*cast, error) {
	r, err := samples.Build("stripe", eventType, samples.Options{ID: eventPlace, Object: sessionPlace, Now: time.Now()})
	if err != nil {
		return nil, err
	}
	const stamp, signature = "1700000000", "0000000000000000000000000000000000000000000000000000000000000000"
	head := fmt.Sprintf("POST /webhooks/stripe HTTP/1.1\r\nHost: bench.example\r\nUser-Agent: %s\r\nContent-Type: %s\r\n"+
		"Accept: */*; q=0.5, application/xml\r\nCache-Control: no-cache\r\nStripe-Signature: t=%s,v1=%s\r\nContent-Length: %d\r\n\r\n",
		r.Header.Get("User-Agent"), r.Header.Get("Content-Type"), stamp, signature, len(r.Body))
	c := &cast{request: append([]byte(head), r.Body...), prefix: prefix, mac: hmac.New(sha256.New, []byte(stripeSecret))}
	c.body = c.request[len(head):]
	at := bytes.Index(c.request, []byte("t="+stamp)) + 2
	c.stamp = c.request[at : at+len(stamp)]
	at += len(stamp) + len(",v1=")
	c.signature = c.request[at : at+len(signature)]
	for _, place := range []string{eventPlace, sessionPlace} {
		found := 0
		for from := 0; ; found++ {
			i := bytes.Index(c.body[from:], []byte(place))
			if i < 0 {
				break
			}
			from += i + len(place)
			c.serials = append(c.serials, c.body[from-serialDigits:from])
		}
		if found == 0 {
			return nil, fmt.Errorf("the sample does not hold %s", place)
		}
	}
	return c, nil
}

// next returns the request of the n-th event, signed now. It is overwritten by the next call.
func (c *cast) next(n int64, now time.Time) []byte {
	serial := c.prefix + fmt.Sprintf("%0*d", serialDigits-len(c.prefix), n)
	for _, place := range c.serials {
		copy(place, serial)
	}
	strconv.AppendInt(c.stamp[:0], now.Unix(), 10)
	c.mac.Reset()
	c.mac.Write(c.stamp)
	c.mac.Write([]byte{'.'})
	c.mac.Write(c.body)
	c.sum = c.mac.Sum(c.sum[:0])
	hex.Encode(c.signature, c.sum)
	return c.request
}
