package delivery

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// Failure is a delivery without an answer.
type Failure struct {
	Type    string // Timeout, ConnectFailed, AddressRefused, NotConfigured, InvalidURL or Stopped
	Message string // one sentence, without anything secret
}

// Error returns the sentence.
func (f *Failure) Error() string { return f.Message }

// NotConfigured is the type of a Failure for which something of ours is missing: a file of the Reach.
const NotConfigured = "NotConfigured"

// The types of a Failure that speak of the receiver.
const (
	Timeout        = "Timeout"
	ConnectFailed  = "ConnectFailed"
	AddressRefused = "AddressRefused"
)

// failed tells why there is no answer in words of our own: those of net/http quote the URL, and sometimes what came back.
func failed(err error, host string, timeout time.Duration) *Failure {
	var refused *addressError
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var wrapped *url.Error
	var network net.Error
	var proxy *net.OpError
	var denied *proxyError
	if errors.As(err, &denied) {
		return &Failure{ConnectFailed, fmt.Sprintf("the proxy answered %d, and does not connect to %s", denied.status, host)}
	}
	if errors.As(err, &proxy) && proxy.Op == "proxyconnect" { // net/http's word for a proxy that was not reached
		err, host = proxy.Err, "the proxy"
	}
	switch {
	case errors.As(err, &refused):
		return &Failure{AddressRefused, host + " " + refused.Error()}
	case errors.Is(err, context.Canceled):
		return &Failure{"Stopped", "the attempt was stopped before " + host + " answered"}
	case errors.As(err, &dns) && !dns.IsTimeout:
		return &Failure{ConnectFailed, host + " does not resolve to an address"}
	case errors.As(err, &certificate):
		return &Failure{ConnectFailed, "the certificate of " + host + " cannot be trusted: " + certificate.Err.Error()}
	case errors.As(err, &record):
		return &Failure{ConnectFailed, host + " does not speak TLS: " + plainWords(record)}
	case errors.As(err, &alert):
		return &Failure{ConnectFailed, host + " refuses TLS: " + alertWords(alert)}
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return &Failure{Timeout, fmt.Sprintf("%s did not answer within %v", host, timeout)}
	}
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return &Failure{ConnectFailed, host + " cannot be reached: " + lastWords(op.Err)}
	}
	switch text := err.Error(); {
	case errors.Is(err, syscall.ECONNRESET):
		return &Failure{ConnectFailed, host + " reset the connection before it answered"}
	case strings.Contains(text, "server gave HTTP response to HTTPS client"):
		return &Failure{ConnectFailed, host + " does not speak TLS: it answers plain HTTP"}
	case strings.Contains(text, "remote error: tls: "):
		what := text[strings.LastIndex(text, "tls: ")+len("tls: "):]
		if what == "certificate required" || what == "bad certificate" {
			what = anotherCertificate
		}
		return &Failure{ConnectFailed, host + " refuses TLS: " + what}
	case strings.Contains(text, "tls: server selected unsupported protocol version"):
		return &Failure{ConnectFailed, host + " speaks a version of TLS older than 1.2"}
	case strings.Contains(text, "malformed HTTP"):
		return &Failure{ConnectFailed, "the connection to " + host + " broke before it answered: it does not speak HTTP"}
	case strings.Contains(text, "response headers exceeded"):
		return &Failure{ConnectFailed, host + " answers with more than 1 MiB of headers"}
	}
	return &Failure{ConnectFailed, "the connection to " + host + " broke before it answered"}
}

func plainWords(record tls.RecordHeaderError) string {
	if bytes.HasPrefix(record.RecordHeader[:], []byte("HTTP/")) {
		return "it answers plain HTTP"
	}
	return "what it answers is no TLS record"
}

const anotherCertificate = "it demands a client certificate, or another one"

// alertWords says what an alert of the receiver means (RFC 8446 section 6).
func alertWords(alert tls.AlertError) string {
	switch alert {
	case 42, 116: // bad_certificate is what older servers send
		return anotherCertificate
	case 70:
		return "it speaks no version of TLS from 1.2 on"
	}
	return strings.TrimPrefix(alert.Error(), "tls: ")
}

// lastWords is the innermost error, such as "connection refused".
func lastWords(err error) string {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err.Error()
}
