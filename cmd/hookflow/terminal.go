package main

import (
	"io"
	"os"

	"github.com/mattn/go-isatty"
)

// isTerminal reports whether somebody looks at w as it is written.
func isTerminal(w io.Writer) bool {
	if o, ok := w.(*safeOutput); ok {
		w = o.to
	}
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}
