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

// Unpack gives back what Pack was given. It returns an error, and no body, for anything else and for more than 16 MiB.
func Unpack(packed []byte) ([]byte, error) {
	in := bytes.NewReader(packed)
	r, err := zlib.NewReader(in)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(r, maxUnpacked+1))
	switch {
	case err != nil:
		return nil, err
	case len(body) > maxUnpacked:
		return nil, errors.New("the packed body is larger than 16 MiB")
	case in.Len() > 0:
		return nil, errors.New("more follows the packed body")
	}
	return body, nil
}
