package event

import (
	"bytes"
	"compress/zlib"
	"errors"
	"io"
)

// maxUnpacked bounds what Unpack gives back: the largest cap of a provider, and some.
const maxUnpacked = 16 << 20

// Pack compresses a body (zlib, RFC 1950) for the times when it has to travel inside a workflow's input.
func Pack(body []byte) []byte {
	var packed bytes.Buffer
	w := zlib.NewWriter(&packed)
	_, _ = w.Write(body) // a bytes.Buffer takes every write
	_ = w.Close()
	return packed.Bytes()
}

// Unpack gives back what Pack was given. It returns an error for anything else, or for more than 16 MiB.
func Unpack(packed []byte) ([]byte, error) {
	r, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(r, maxUnpacked+1))
	if err == nil && len(body) > maxUnpacked {
		err = errors.New("the packed body is larger than 16 MiB")
	}
	return body, err
}
