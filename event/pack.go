package event

import (
	"bytes"
	"compress/zlib"
	"errors"
	"io"
	"math"
)

// maxUnpacked bounds what Unpack gives back: the largest cap of a provider, and some.
const maxUnpacked = 16 << 20

// Pack compresses a body (zlib, RFC 1950) for the times when it has to travel inside a workflow's input.
func Pack(body []byte) []byte {
	packed, _ := PackAtMost(body, math.MaxInt)
	return packed
}

// PackAtMost is Pack for at most limit bytes; it reports false, and stops at once, when they do not suffice.
func PackAtMost(body []byte, limit int) ([]byte, bool) {
	packed := bounded{limit: limit}
	w, _ := zlib.NewWriterLevel(&packed, zlib.BestSpeed) // a level that exists
	_, err := w.Write(body)
	if err == nil {
		err = w.Close()
	}
	return packed.Bytes(), err == nil
}

// bounded is a buffer that takes so many bytes and no more.
type bounded struct {
	bytes.Buffer
	limit int
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > b.limit {
		return 0, io.ErrShortWrite
	}
	return b.Buffer.Write(p)
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
