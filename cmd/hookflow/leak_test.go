package main

import (
	"flag"
	"net/http"
	"runtime"
	"testing"
	"time"

	"hookflow/internal/testkit"

	"github.com/stretchr/testify/require"
)

var starts = flag.Int("starts", 4, "how often TestStartsAndStopsLeaveNothing starts and stops, after three times to warm up")

// What a start, an event and a stop may leave behind, all of them together.
const (
	leftGoroutines = 10
	leftBytes      = 8 << 20
)

// Everything that a process starts ends with it. Nothing runs beside this test, which counts the goroutines of all.
func TestStartsAndStopsLeaveNothing(t *testing.T) {
	variables := map[string]string{"DATABASE_URL": testkit.Database(t)}
	namespace := testkit.Namespace(t)
	n := 0
	cycle := func() {
		n++
		t.Run("", func(t *testing.T) {
			p := startInProcessWith(t, "", inProcessOptions{variables: variables, namespace: namespace})
			p.send(t, n)
			p.stop()
		})
		http.DefaultClient.CloseIdleConnections()
	}
	for range 3 {
		cycle()
	}
	goroutines, bytes := alive()
	for range *starts {
		cycle()
	}
	require.Eventually(t, func() bool {
		now, _ := alive()
		return now <= goroutines+leftGoroutines
	}, 30*time.Second, 100*time.Millisecond)
	after, left := alive()
	t.Logf("%d starts and stops: goroutines %d to %d, heap %+d KiB", *starts, goroutines, after, (int64(left)-int64(bytes))/1024)
	require.Less(t, left, bytes+leftBytes)
}

// alive is how many goroutines there are, and bytes in use.
func alive() (goroutines int, bytes uint64) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return runtime.NumGoroutine(), m.HeapAlloc
}
