package main

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPercentFor(t *testing.T) {
	t.Parallel()
	for live, want := range map[uint64]int{
		0: 100, 1 << 20: 300, 12 << 20: 300, 16 << 20: 200, 24 << 20: 100, 40 << 20: 100, 48 << 20: 100, 4 << 30: 100,
	} {
		require.Equal(t, want, percentFor(live), "%d MiB are alive", live>>20)
	}
	require.NotZero(t, liveHeap())
}

func TestAfterCollections(t *testing.T) {
	t.Parallel()
	var called atomic.Int32
	afterCollections(func() { called.Add(1) })
	require.Eventually(t, func() bool {
		runtime.GC()
		return called.Load() >= 3
	}, time.Minute, time.Millisecond)
}
