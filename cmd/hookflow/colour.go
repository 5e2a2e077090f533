package main

import (
	"fmt"
	"io"

	"hookflow/event"
)

// palette says whether statuses are coloured.
type palette bool

// palette is on where somebody looks at w on a terminal that knows colours, and has not asked for none (no-color.org).
func (env environment) palette(w io.Writer) palette {
	return palette(env.getenv("NO_COLOR") == "" && env.getenv("TERM") != "dumb" && isTerminal(w))
}

// colours are the SGR parameters of ECMA-48.
var colours = map[event.Status]int{event.Pending: 36, event.Processing: 33, event.Completed: 32, event.Failed: 31}

// status writes s in at least width columns.
func (p palette) status(s event.Status, width int) string {
	padded := fmt.Sprintf("%-*s", width, s)
	if colour := colours[s]; bool(p) && colour != 0 {
		return fmt.Sprintf("\x1b[%dm%s\x1b[0m", colour, padded)
	}
	return padded
}
