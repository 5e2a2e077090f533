package e2e_test

import (
	"bufio"
	"bytes"
	"strconv"
	"strings"

	"github.com/stretchr/testify/require"
)

// gauge is the value of a metric without labels.
func (s *server) gauge(name string) float64 { return s.labelled(name, "") }

// labelled is the sum of a metric's values whose labels hold a word; 0 for one that was never set.
func (s *server) labelled(name, word string) float64 {
	s.t.Helper()
	sum := 0.0
	lines := bufio.NewScanner(bytes.NewReader(s.get("/metrics").body))
	for lines.Scan() {
		series, value, _ := strings.Cut(lines.Text(), " ")
		if base, labels, _ := strings.Cut(series, "{"); base != name || !strings.Contains(labels, word) {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		require.NoError(s.t, err)
		sum += v
	}
	return sum
}
