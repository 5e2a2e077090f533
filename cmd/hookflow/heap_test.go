package main

import (
	"runtime"
	"testing"

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
	called := make(chan bool)
	over := t.Context().Done()
	afterCollections(func() {
		select {
		case called <- true:
		case <-over:
		}
	})
	for range 3 {
		runtime.GC()
		require.True(t, <-called)
	}
}
