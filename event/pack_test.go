package event_test

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"testing"

	"hookflow/event"

	"github.com/stretchr/testify/require"
)

const maxUnpacked = 16 << 20

func TestPack(t *testing.T) {
	t.Parallel()
	noise := make([]byte, 1<<20)
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(noise)
	for name, body := range map[string][]byte{
		"nothing": {}, "JSON": []byte(`{"id":"evt_1"}`), "every byte": allBytes(), "noise": noise,
	} {
		packed := event.Pack(body)
		require.NotNil(t, packed, "nil would say that the ledger has the body")
		require.LessOrEqual(t, len(packed), len(body)+len(body)/1000+64, "%s: hardly larger than before", name)
		unpacked, err := event.Unpack(packed)
		require.NoError(t, err, name)
		require.True(t, bytes.Equal(body, unpacked), name)
	}
	unpacked, err := event.Unpack(event.Pack(nil))
	require.NoError(t, err)
	require.Empty(t, unpacked)
}

func allBytes() []byte {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	return all
}

func TestUnpack_refuses(t *testing.T) {
	t.Parallel()
	good := event.Pack([]byte(`{"id":"evt_1"}`))
	flipped := bytes.Clone(good)
	flipped[len(flipped)-1] ^= 1 // the checksum
	for name, packed := range map[string][]byte{
		"nothing": nil, "text": []byte(`{"id":"evt_1"}`), "cut": good[:len(good)-3], "the header alone": good[:2], "a wrong checksum": flipped,
		"a byte too much": append(bytes.Clone(good), 'x'), "two of them": append(bytes.Clone(good), good...),
		"one byte more than there may be": zeros(t, 16, 1),
	} {
		body, err := event.Unpack(packed)
		require.Error(t, err, name)
		require.Empty(t, body, "%s: no half of a body", name)
	}
}

func TestUnpack_atTheLimit(t *testing.T) {
	t.Parallel()
	body, err := event.Unpack(zeros(t, 16, 0))
	require.NoError(t, err)
	require.Len(t, body, maxUnpacked)
}

// Some kilobytes that stand for a gigabyte take no more memory than the largest body, a few times over.
func TestUnpack_bomb(t *testing.T) {
	packed := zeros(t, 1024, 0)
	require.Less(t, len(packed), 2<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := event.Unpack(packed)
	runtime.ReadMemStats(&after)
	require.ErrorContains(t, err, "larger than 16 MiB")
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(200<<20))
}

// zeros packs so many MiB of zeros, and some bytes more, without compressing them all: after the first MiB, each further
// one compresses to the same bytes.
func zeros(t *testing.T, mebibytes, more int) []byte {
	t.Helper()
	var blocks bytes.Buffer
	w, err := flate.NewWriter(&blocks, flate.DefaultCompression)
	require.NoError(t, err)
	block := func(n int) []byte {
		blocks.Reset()
		_, err := w.Write(make([]byte, n))
		require.NoError(t, err)
		require.NoError(t, w.Flush())
		return bytes.Clone(blocks.Bytes())
	}
	packed := append([]byte{0x78, 0x9c}, block(1<<20)...)
	packed = append(packed, bytes.Repeat(block(1<<20), mebibytes-1)...)
	packed = append(packed, block(more)...)
	blocks.Reset()
	require.NoError(t, w.Close())
	packed = append(packed, blocks.Bytes()...)
	// Adler-32 of n zeros: the low half stays 1, the high half counts them (RFC 1950 section 8.2).
	return binary.BigEndian.AppendUint32(packed, uint32((mebibytes<<20+more)%65521)<<16|1)
}

func FuzzUnpack(f *testing.F) {
	good := event.Pack([]byte(`{"id":"evt_1"}`))
	for _, seed := range [][]byte{nil, good, good[:5], event.Pack(nil), []byte("x\x9c"), append(bytes.Clone(good), good...)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		body, err := event.Unpack(packed)
		if err != nil {
			require.Empty(t, body)
			return
		}
		require.LessOrEqual(t, len(body), maxUnpacked)
		again, err := event.Unpack(event.Pack(body))
		require.NoError(t, err)
		require.True(t, bytes.Equal(body, again))
	})
}
