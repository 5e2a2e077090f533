package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// heapFloor is the size up to which the heap may grow before the collector comes. Left to itself it comes whenever the
// heap has doubled, which with 10 MiB alive is 13 times a second under load, for a tenth of the process's CPU. With more
// than half of it alive nothing changes.
const heapFloor = 48 << 20

// mostPercent bounds the growth of a small heap: a percentage holds until it is adapted after the next collection, and by
// then the bodies of a sudden crowd may be alive. At 1000, 48 MiB of bodies took a heap of 4 MiB to twice what they take it
// to at 100.
const mostPercent = 300

// keepHeapFloor adapts GOGC after each collection, unless the environment sets it. The runtime has no such setting of its
// own (https://go.dev/issue/23044); a memory limit is a ceiling, not a floor.
func keepHeapFloor(getenv func(string) string) {
	if getenv("GOGC") != "" {
		return
	}
	p := &percent{now: 100}
	afterCollections(func() { p.adapt(liveHeap()) })
}

// afterCollections has do called after each collection: a sentinel is collected, and another one made.
func afterCollections(do func()) {
	runtime.AddCleanup(&sentinel{}, func(do func()) {
		do()
		afterCollections(do)
	}, do)
}

// sentinel is large enough not to share its memory with others, which would keep it alive.
type sentinel struct{ _ [64]byte }

type percent struct{ now int }

// adapt sets GOGC for a heap of live bytes. Each change stops the world for a moment, so small ones are left out.
func (p *percent) adapt(live uint64) {
	wanted := percentFor(live)
	if d := wanted - p.now; d*10 < p.now && -d*10 < p.now {
		return
	}
	p.now = wanted
	debug.SetGCPercent(wanted)
}

// percentFor returns the GOGC by which a heap of live bytes grows to heapFloor, from 100 to mostPercent.
func percentFor(live uint64) int {
	if live == 0 {
		return 100
	}
	return int(max(100, min(mostPercent, 100*(heapFloor-min(live, heapFloor))/live)))
}

func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
