package api

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"hookflow/event"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/semaphore"
)

func TestBodyIsReadWholeWhateverItsPromise(t *testing.T) {
	t.Parallel()
	const limit = 100 << 10
	for _, size := range []int{0, 1, 2048, pieceSize - 1, pieceSize, pieceSize + 1, 40_000, limit - 1, limit} {
		for name, promised := range map[string]int64{"known": int64(size), "chunked": -1} {
			for step, reader := range map[string]func(io.Reader) io.Reader{"whole": func(r io.Reader) io.Reader { return r }, "end with data": iotest.DataErrReader, "halves": iotest.HalfReader} {
				want := strings.Repeat("ab", size/2+1)[:size]
				r := httptest.NewRequest("POST", "/", reader(strings.NewReader(want)))
				r.ContentLength = promised
				rm := newRoom(1<<20, 1<<20)
				h := hold{room: rm}
				got, err := h.read(httptest.NewRecorder(), r, limit)
				require.NoError(t, err)
				require.True(t, want == string(got), "%d bytes, %s, %s", size, name, step)
				require.Empty(t, h.pieces, "of a body that has ended")
				require.LessOrEqual(t, h.whole, int64(size))
				require.Equal(t, size, max(cap(got)-1, size), "no more memory than it needs")
				h.release()
				requireAllGivenBack(t, rm, 1<<20, 1<<20)
			}
		}
	}
}

// GitHub and GitLab send up to 25 MiB. Such a body is in memory once, not as pieces and as a whole.
func TestLargeBodyIsReadWhole(t *testing.T) {
	t.Parallel()
	for _, size := range []int{largeFrom - 1, largeFrom, largeFrom + 1, 20 << 20, largestBody} {
		for name, promised := range map[string]int64{"known": int64(size), "chunked": -1} {
			want := bytes.Repeat([]byte("abc"), size/3+1)[:size]
			r := httptest.NewRequest("POST", "/", bytes.NewReader(want))
			r.ContentLength = promised
			rm := newRoom(arrivingRoom, wholeRoom)
			h := hold{room: rm}
			got, err := h.read(httptest.NewRecorder(), r, largestBody)
			require.NoError(t, err)
			require.True(t, bytes.Equal(want, got), "%d bytes, %s", size, name)
			require.Empty(t, h.pieces)
			h.release()
			requireAllGivenBack(t, rm, arrivingRoom, wholeRoom)
		}
	}
	r := httptest.NewRequest("POST", "/", bytes.NewReader(make([]byte, largestBody+1)))
	r.ContentLength = -1
	h := hold{room: newRoom(arrivingRoom, wholeRoom)}
	_, err := h.read(httptest.NewRecorder(), r, largestBody)
	require.ErrorContains(t, err, "body_too_large")
	h.release()
	requireAllGivenBack(t, h.room, arrivingRoom, wholeRoom)
}

// requireAllGivenBack takes all of a room of some bytes each way, once what was dropped is collected, and gives it back.
func requireAllGivenBack(t *testing.T, r *room, arriving, whole int64) {
	t.Helper()
	r.sweepDropped()
	for part, size := range map[*semaphore.Weighted]int64{r.arriving: arriving, r.whole: whole} {
		require.Eventually(t, func() bool { return part.TryAcquire(size) }, time.Minute, time.Millisecond)
		part.Release(size)
	}
}

// padded is a good body that is too large to be read in one step.
var padded = fmt.Sprintf(`{"id":"evt_2","type":"t","pad":%q}`, strings.Repeat("p", 2*pieceSize))

func TestPromisesTakeNoRoom(t *testing.T) {
	t.Parallel()
	h := hold{room: newRoom(1<<20, 1<<20)}
	r := httptest.NewRequest("POST", "/", iotest.ErrReader(io.ErrUnexpectedEOF))
	r.ContentLength = 512 << 10
	_, err := h.read(httptest.NewRecorder(), r, 1<<20)
	require.Equal(t, errIncomplete, err)
	require.Len(t, h.pieces, 1)
	require.Zero(t, h.whole)
}

// Bodies that were dropped keep their room until they are out of memory.
func TestDroppedBodiesAreCounted(t *testing.T) {
	t.Parallel()
	rm := newRoom(1<<20, 4*litter)
	h := hold{room: rm}
	for range 3 {
		require.NoError(t, h.take(t.Context(), rm.whole, litter+1))
		h.whole = litter + 1
		h.release()
	}
	h.whole = 0
	require.NoError(t, h.take(t.Context(), rm.whole, litter/2))
	rm.drop(litter / 2)
	require.Eventually(t, func() bool { return rm.whole.TryAcquire(4*litter - litter/2) }, time.Minute, time.Millisecond)
	require.False(t, rm.whole.TryAcquire(1), "a little litter is not worth a collection")
	require.NoError(t, h.take(t.Context(), rm.whole, litter/2), "unless somebody waits")
}

func TestNoRoomIsA503AfterItsPatience(t *testing.T) {
	t.Parallel()
	for name, part := range map[string]func(*room) (*semaphore.Weighted, int64){
		"to arrive":   func(r *room) (*semaphore.Weighted, int64) { return r.arriving, arrivingRoom },
		"to be whole": func(r *room) (*semaphore.Weighted, int64) { return r.whole, wholeRoom },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDoor(t)
			d.room.patience = 50 * time.Millisecond
			full, size := part(d.room)
			require.True(t, full.TryAcquire(size))
			addr := listen(t, d.Webhooks())
			c := dial(t, addr)
			_, err := fmt.Fprint(c, head(fmt.Sprintf("Content-Length: %d\r\n", len(padded)))+padded)
			require.NoError(t, err)
			w, body := readAnswer(t, c)
			requireProblem(t, w, body, 503, "busy")
			require.Equal(t, 200, serve(d.Webhooks(), signed("/webhooks/acme", goodBody)).Code, "the usual size needs no room")

			full.Release(size)
			require.Equal(t, 200, serve(d.Webhooks(), signed("/webhooks/acme", padded)).Code, "room again, service again")
			requireAllGivenBack(t, d.room, arrivingRoom, wholeRoom)
		})
	}
}

func TestRoomIsWaitedForAndKeptUntilTheAnswer(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	inside, leave := make(chan struct{}), make(chan struct{})
	d.accept = func(context.Context, *event.Event) (event.Outcome, error) {
		inside <- struct{}{}
		<-leave
		return event.Accepted, nil
	}
	require.True(t, d.room.whole.TryAcquire(wholeRoom))
	answered := make(chan int)
	d.room.patience = time.Minute
	go func() { answered <- serve(d.Webhooks(), signed("/webhooks/acme", padded)).Code }()
	// Not even nothing can be had while somebody waits in front.
	require.Eventually(t, func() bool { return !d.room.whole.TryAcquire(0) }, time.Minute, time.Millisecond)
	d.room.whole.Release(wholeRoom)
	<-inside
	require.False(t, d.room.whole.TryAcquire(wholeRoom), "the body is still held")
	require.True(t, d.room.arriving.TryAcquire(arrivingRoom), "its pieces are not")
	d.room.arriving.Release(arrivingRoom)
	close(leave)
	require.Equal(t, 200, <-answered)
	requireAllGivenBack(t, d.room, arrivingRoom, wholeRoom)
}

// While we have no room, the sender cannot write: its pace is measured anew afterwards.
func TestSendersAreNotBlamedForOurWait(t *testing.T) {
	t.Parallel()
	w := &dripped{ResponseRecorder: *httptest.NewRecorder()}
	h := hold{room: newRoom(3*pieceSize, 3*pieceSize)}
	h.room.patience = time.Minute
	require.True(t, h.room.arriving.TryAcquire(2*pieceSize))
	r := httptest.NewRequest("POST", "/", strings.NewReader(strings.Repeat("x", pieceSize+10)))
	r.ContentLength = -1
	read := make(chan error)
	go func() {
		_, err := h.read(w, r, 2*pieceSize)
		read <- err
	}()
	require.Eventually(t, func() bool { return !h.room.arriving.TryAcquire(0) }, time.Minute, time.Millisecond)
	h.room.arriving.Release(2 * pieceSize)
	require.NoError(t, <-read)
	require.Positive(t, h.waited)
	require.Equal(t, 2, w.deadlines, "at the start, and again after the wait")
}

func TestSlowBodyIsCut(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]string{
		"nothing":    head("Content-Length: 60000\r\n"),
		"some bytes": head("Content-Length: 60000\r\n") + "abc",
		"a stall":    head("Content-Length: 60000\r\n") + strings.Repeat("x", 50_000),
		"chunked":    head("Transfer-Encoding: chunked\r\n") + "5\r\nabcde\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDoor(t)
			d.room.window = 50 * time.Millisecond
			c := dial(t, listen(t, d.Webhooks()))
			_, err := io.WriteString(c, start)
			require.NoError(t, err)
			w, body := readAnswer(t, c)
			requireProblem(t, w, body, 408, "body_too_slow")
			require.True(t, w.Close)
			_, err = c.Read(make([]byte, 1))
			require.Error(t, err, "the connection is closed")
			require.Empty(t, d.events())
			requireAllGivenBack(t, d.room, arrivingRoom, wholeRoom)
		})
	}
}

func TestProductionPaceIsTheContracts(t *testing.T) {
	t.Parallel()
	r := newRoom(arrivingRoom, wholeRoom)
	require.Equal(t, 5*time.Second, r.window)
	require.Equal(t, 1024.0, float64(r.pace)/r.window.Seconds())
	require.Equal(t, 2*time.Second, r.patience)
	require.Less(t, MaxConnections*pieceSize, arrivingRoom*5/6, "promises alone cannot fill the room")
	require.LessOrEqual(t, largestBody, wholeRoom)
	require.LessOrEqual(t, largeFrom+pieceSize, arrivingRoom)
}

// dripped sends a body a piece at a time and notes the deadlines that the reader sets.
type dripped struct {
	httptest.ResponseRecorder
	deadlines int
}

func (d *dripped) SetReadDeadline(at time.Time) error {
	if !at.IsZero() {
		d.deadlines++
	}
	return nil
}

func TestDeadlineMovesWithTheBytes(t *testing.T) {
	t.Parallel()
	w := &dripped{ResponseRecorder: *httptest.NewRecorder()}
	r := httptest.NewRequest("POST", "/", iotest.OneByteReader(strings.NewReader(strings.Repeat("x", 20<<10))))
	h := hold{room: newRoom(1<<20, 1<<20)}
	_, err := h.read(w, r, 1<<20)
	require.NoError(t, err)
	require.Equal(t, 1+20/5, w.deadlines, "once at the start and once for each 5 KiB, not once for each byte")
}

func TestChunkedBodyIsVerified(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	arrived := make(chan struct{})
	d.accept = func(ctx context.Context, _ *event.Event) (event.Outcome, error) {
		close(arrived)
		return event.Accepted, ctx.Err()
	}
	c := dial(t, listen(t, d.Webhooks()))
	body := fmt.Sprintf(`{"id":"evt_2","type":"t","pad":%q}`, strings.Repeat("p", 30_000))
	_, err := fmt.Fprint(c, head("Transfer-Encoding: chunked\r\nX-Signature: "+acmeSignature(testURL+"/webhooks/acme", []byte(body))+"\r\n"))
	require.NoError(t, err)
	for piece := range chunks(body, 700) {
		_, err := fmt.Fprintf(c, "%x\r\n%s\r\n", len(piece), piece)
		require.NoError(t, err)
	}
	_, err = fmt.Fprint(c, "0\r\n\r\n")
	require.NoError(t, err)
	<-arrived
	w, _ := readAnswer(t, c)
	require.Equal(t, 200, w.StatusCode)
}

func chunks(s string, n int) func(func(string) bool) {
	return func(yield func(string) bool) {
		for len(s) > 0 {
			piece := s[:min(n, len(s))]
			s = s[len(piece):]
			if !yield(piece) {
				return
			}
		}
	}
}

// The read deadline of the body must not outlive it: net/http would take it for a sender that hung up.
func TestHandlerMayTakeLongerThanTheBody(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.room.window = 30 * time.Millisecond
	var cancelled bool
	watched := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.accept = func(context.Context, *event.Event) (event.Outcome, error) {
			select {
			case <-r.Context().Done():
				cancelled = true
			case <-time.After(5 * d.room.window):
			}
			return event.Accepted, nil
		}
		d.Webhooks().ServeHTTP(w, r)
	})
	c := dial(t, listen(t, watched))
	_, err := fmt.Fprint(c, head(fmt.Sprintf("Content-Length: %d\r\nX-Signature: %s\r\n", len(goodBody),
		acmeSignature(testURL+"/webhooks/acme", []byte(goodBody))))+goodBody)
	require.NoError(t, err)
	w, _ := readAnswer(t, c)
	require.Equal(t, 200, w.StatusCode)
	require.False(t, cancelled)
}

func TestShortAndBrokenBodiesAreNotStored(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"short":             head("Content-Length: 50\r\n") + "{}",
		"chunk cut off":     head("Transfer-Encoding: chunked\r\n") + "50\r\n{}",
		"no last chunk":     head("Transfer-Encoding: chunked\r\n") + "2\r\n{}\r\n",
		"bad chunk size":    head("Transfer-Encoding: chunked\r\n") + "zz\r\n{}\r\n",
		"negative chunk":    head("Transfer-Encoding: chunked\r\n") + "-2\r\n{}\r\n0\r\n\r\n",
		"huge chunk size":   head("Transfer-Encoding: chunked\r\n") + "fffffffffffffffff\r\n{}",
		"chunk overrun":     head("Transfer-Encoding: chunked\r\n") + "1\r\n{}\r\n0\r\n\r\n",
		"line ends missing": head("Transfer-Encoding: chunked\r\n") + "2{}0",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDoor(t)
			c := dial(t, listen(t, d.Webhooks()))
			_, err := io.WriteString(c, text)
			require.NoError(t, err)
			require.NoError(t, c.CloseWrite())
			w, body := readAnswer(t, c)
			requireProblem(t, w, body, 400, "body_incomplete")
			require.True(t, w.Close)
			require.Empty(t, d.events())
		})
	}
}

func TestResetSenderLeavesNothing(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	c := dial(t, listen(t, d.Webhooks()))
	_, err := io.WriteString(c, head("Content-Length: 50000\r\n")+strings.Repeat("x", 20_000))
	require.NoError(t, err)
	require.NoError(t, c.SetLinger(0))
	require.NoError(t, c.Close())
	require.Eventually(t, func() bool { return len(d.counted()) == 1 }, time.Minute, time.Millisecond)
	require.Equal(t, []string{"acme body_incomplete"}, d.counted())
	requireAllGivenBack(t, d.room, arrivingRoom, wholeRoom)
	require.Empty(t, d.events())
}

// Senders that write everything before they read anything must still see why they were refused.
func TestRefusalIsSeenByASenderThatStillWrites(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", 300<<10)
	for name, test := range map[string]struct {
		text   string
		status int
		code   string
	}{
		"promised":         {head(fmt.Sprintf("Content-Length: %d\r\n", len(large))) + large, 413, "body_too_large"},
		"chunked":          {head("Transfer-Encoding: chunked\r\n") + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(large), large), 413, "body_too_large"},
		"encoded":          {head(fmt.Sprintf("Content-Encoding: gzip\r\nContent-Length: %d\r\n", len(large))) + large, 415, "content_encoding_unsupported"},
		"another provider": {strings.Replace(head(fmt.Sprintf("Content-Length: %d\r\n", len(large))), "acme", "nobody", 1) + large, 404, "provider_unknown"},
		"another method":   {strings.Replace(head(fmt.Sprintf("Content-Length: %d\r\n", len(large))), "POST", "PUT", 1) + large, 405, "method_not_allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, listen(t, newDoor(t).Webhooks()))
			_, err := io.WriteString(c, test.text)
			require.NoError(t, err)
			w, body := readAnswer(t, c)
			requireProblem(t, w, body, test.status, test.code)
			require.True(t, w.Close)
		})
	}
}

func TestRealClientSeesA413(t *testing.T) {
	t.Parallel()
	addr := listen(t, newDoor(t).Webhooks())
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, body := range []io.Reader{strings.NewReader(strings.Repeat("x", 4<<20)), io.LimitReader(zeros{}, 4<<20)} {
		w, err := client.Post("http://"+addr+"/webhooks/acme", "application/json", body)
		require.NoError(t, err)
		require.Equal(t, 413, w.StatusCode)
		require.NoError(t, w.Body.Close())
	}
}

// A body that is a little over the cap is taken from its sender whole, and kept nowhere, however large the cap is.
func TestASenderThatWritesALittleTooMuchSeesA413(t *testing.T) {
	t.Parallel()
	const limit = 10 << 20
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _ := gin.CreateTestContext(w)
		c.Request = r
		writeProblem(c, tooLarge(limit))
	}))
	t.Cleanup(server.Close)
	c := dial(t, server.Listener.Addr().String())
	_, err := io.WriteString(c, head(fmt.Sprintf("Content-Length: %d\r\n", limit+1)))
	require.NoError(t, err)
	_, err = io.Copy(c, io.LimitReader(zeros{}, limit+1))
	require.NoError(t, err, "the connection was reset")
	w, _ := readAnswer(t, c)
	require.Equal(t, 413, w.StatusCode)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestExpectContinue(t *testing.T) {
	t.Parallel()
	signature := "X-Signature: " + acmeSignature(testURL+"/webhooks/acme", []byte(goodBody)) + "\r\n"
	t.Run("asked for", func(t *testing.T) {
		t.Parallel()
		c := dial(t, listen(t, newDoor(t).Webhooks()))
		_, err := io.WriteString(c, head(signature+fmt.Sprintf("Expect: 100-continue\r\nContent-Length: %d\r\n", len(goodBody))))
		require.NoError(t, err)
		answers := bufio.NewReader(c)
		line, err := answers.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, "HTTP/1.1 100 Continue\r\n", line)
		_, err = io.WriteString(c, goodBody)
		require.NoError(t, err)
		_, _ = answers.ReadString('\n')
		w, err := http.ReadResponse(answers, nil)
		require.NoError(t, err)
		require.Equal(t, 200, w.StatusCode)
	})
	for name, test := range map[string]struct {
		extra  string
		status int
	}{
		"too large":  {"Content-Length: 999999\r\n", 413},
		"encoded":    {"Content-Length: 10\r\nContent-Encoding: br\r\n", 415},
		"impossible": {"Content-Length: 10\r\nExpect: tea\r\n", 417},
	} {
		t.Run("refused without the body: "+name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, listen(t, newDoor(t).Webhooks()))
			extra := test.extra
			if !strings.Contains(extra, "Expect") {
				extra += "Expect: 100-continue\r\n"
			}
			_, err := io.WriteString(c, head(extra))
			require.NoError(t, err)
			w, _ := readAnswer(t, c)
			require.Equal(t, test.status, w.StatusCode, "the first line is the refusal, not 100 Continue")
		})
	}
}

func TestPipelinedRequestsAreAnsweredInTurn(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	c := dial(t, listen(t, d.Webhooks()))
	one := head(fmt.Sprintf("Content-Length: %d\r\nX-Signature: %s\r\n", len(goodBody),
		acmeSignature(testURL+"/webhooks/acme", []byte(goodBody)))) + goodBody
	_, err := io.WriteString(c, one+one+one)
	require.NoError(t, err)
	answers := bufio.NewReader(c)
	for range 3 {
		w, err := http.ReadResponse(answers, nil)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, w.Body)
		require.NoError(t, err)
		require.Equal(t, 200, w.StatusCode)
	}
	require.Len(t, d.events(), 3)
}

var _ net.Conn = (*limitedConn)(nil)
