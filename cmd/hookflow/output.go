package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"unicode/utf8"
)

// safeOutput is where commands write. What senders, receivers and files wrote reaches it in payloads, ids, messages and names, so
// what a terminal would obey or not show is written as \uXXXX, here and nowhere else: inside a JSON text that is the same
// value. It keeps the first error, so that a command whose output was lost does not end well.
type safeOutput struct {
	to  io.Writer
	err error
}

func (o *safeOutput) Write(p []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	if _, err := o.to.Write(escapeUnprintable(p)); err != nil {
		o.err = err
		return 0, err
	}
	return len(p), nil
}

// failed returns why the output is not whole, nil where it is. A reader that has gone (head) wanted no more.
func (o *safeOutput) failed() error {
	if o.err == nil || errors.Is(o.err, syscall.EPIPE) {
		return nil
	}
	why := o.err
	if at := (*os.PathError)(nil); errors.As(o.err, &at) {
		why = at.Err
	}
	return failure("the output could not be written: %v", why)
}

// escapeUnprintable is text with what a terminal obeys or hides as \uXXXX: controls but line feed, tab and carriage return,
// DEL, C1 controls, marks of direction and of width zero, separators of lines and paragraphs, and what is not UTF-8 (as
// U+FFFD). The colours that commands set themselves stay.
func escapeUnprintable(text []byte) []byte {
	if !bytes.ContainsFunc(text, unprintable) {
		return text
	}
	out := make([]byte, 0, len(text)+len(text)/8)
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		switch {
		case r == '\x1b' && colourLength(text[i:]) > 0:
			size = colourLength(text[i:])
			out = append(out, text[i:i+size]...)
		case unprintable(r) && r > 0xffff: // none today
			out = fmt.Appendf(out, `\U%08x`, r)
		case unprintable(r):
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			out = append(out, text[i:i+size]...)
		}
		i += size
	}
	return out
}

func unprintable(r rune) bool {
	switch {
	case r == '\n', r == '\t', r == '\r':
		return false
	case r < 0x20, r >= 0x7f && r <= 0x9f, r == utf8.RuneError:
		return true
	case r < 0x61c:
		return r == 0xad // soft hyphen
	}
	return r == 0x61c || r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2060 && r <= 0x206f || r == 0xfeff ||
		r >= 0xfff9 && r <= 0xfffb
}

// colourLength is the length of a sequence that sets a colour (ECMA-48 SGR) or clears a line (EL) at the beginning of text, 0
// where there is none: commands write these, and what is printed of others has no ESC left.
func colourLength(text []byte) int {
	if !bytes.HasPrefix(text, []byte("\x1b[")) {
		return 0
	}
	end := 2
	for end < len(text) && strings.IndexByte("0123456789;", text[end]) >= 0 {
		end++
	}
	if end < len(text) && (text[end] == 'm' || text[end] == 'K') {
		return end + 1
	}
	return 0
}
