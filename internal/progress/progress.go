// Package progress reports how far a long step of the two commands is: a bar on a terminal, a line now and then elsewhere.
// It imports the standard library only, so that it is compiled before everything whose compilation it reports.
package progress

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// Report is one sentence. A passing one is replaced by the next.
type Report struct {
	Text        string
	Passing     bool
	Done, Total int // of a passing report; Total 0 draws no bar
}

// Func receives reports; nil drops them.
type Func func(Report)

// Say reports a sentence that stays.
func (f Func) Say(format string, args ...any) {
	if f != nil {
		f(Report{Text: fmt.Sprintf(format, args...)})
	}
}

// How often a passing report is written: where the next one replaces it, and where each is a line of its own.
const (
	onTerminal = time.Second / 4
	inLog      = 15 * time.Second
)

// barWidth is the width of a bar in characters.
const barWidth = 24

// New returns a Func that writes to w, each line behind prefix. On a terminal passing reports share one line, elsewhere one
// is written every 15 s.
func New(w io.Writer, prefix string, terminal bool, now func() time.Time) Func {
	p := &printer{w: w, prefix: prefix, terminal: terminal, now: now, last: now()}
	return p.print
}

type printer struct {
	w        io.Writer
	prefix   string
	terminal bool
	now      func() time.Time

	mu   sync.Mutex
	last time.Time // of the last passing report
	open bool      // the cursor stands behind a passing report
}

func (p *printer) print(r Report) {
	p.mu.Lock()
	defer p.mu.Unlock()
	every := inLog
	if p.terminal {
		every = onTerminal
	}
	if now := p.now(); r.Passing {
		if now.Sub(p.last) < every {
			return
		}
		p.last = now
	}
	begin, end := "", "\n"
	if p.open {
		begin = "\r\x1b[K" // clears the passing report (ECMA-48 EL)
	}
	text := r.Text
	if p.open = p.terminal && r.Passing; p.open {
		end = ""
		text = bar(r) + text
	}
	_, _ = io.WriteString(p.w, begin+p.prefix+text+end)
}

func bar(r Report) string {
	if r.Total == 0 {
		return ""
	}
	full := min(r.Done*barWidth/r.Total, barWidth)
	return "[" + strings.Repeat("=", full) + strings.Repeat(" ", barWidth-full) + "] "
}

// IsTerminal reports whether somebody sees w as it is written. /dev/null passes for a terminal, which does no harm.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}
