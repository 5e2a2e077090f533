package routing

import (
	"strings"
	"unicode/utf8"
)

// maxGlob bounds a glob's bytes. Matching takes at most as many steps as glob and type have bytes, multiplied, so a
// bounded glob makes it linear in the type.
const maxGlob = 256

// globMatch reports whether the whole of s matches glob: * is any run of characters, also an empty one, ? exactly one
// character, everything else itself. Only the last * is ever widened: what an earlier one took is the shortest run
// that works, and a longer one could not help.
func globMatch(glob, s string) bool {
	g, i := 0, 0
	star, resume := -1, 0 // the last * seen, and where in s it stops so far
	for i < len(s) {
		_, width := utf8.DecodeRuneInString(s[i:])
		switch {
		case g < len(glob) && glob[g] == '*':
			star, resume = g, i
			g++
		case g < len(glob) && glob[g] == '?':
			g++
			i += width
		case g < len(glob) && glob[g] == s[i]:
			g++
			i++
		case star >= 0:
			_, width = utf8.DecodeRuneInString(s[resume:])
			resume += width
			g, i = star+1, resume
		default:
			return false
		}
	}
	return strings.Trim(glob[g:], "*") == ""
}

// globCovers reports whether every string that matches narrow also matches wide. It reads narrow as a text in which ?
// stands for some character that nobody wrote and * for a run of those, which only a * of wide can take.
func globCovers(wide, narrow string) bool {
	n := []rune(orderWildcards(narrow))
	// reach[j]: the glob so far covers the first j characters of narrow.
	reach := make([]bool, len(n)+1)
	reach[0] = true
	for _, c := range orderWildcards(wide) {
		next := make([]bool, len(n)+1)
		for j := range reach {
			switch {
			case c == '*':
				next[j] = reach[j] || j > 0 && next[j-1]
			case j > 0 && reach[j-1]:
				next[j] = n[j-1] == c || c == '?' && n[j-1] != '*'
			}
		}
		reach = next
	}
	return reach[len(n)]
}

// globsMeet reports whether some string matches both globs.
func globsMeet(a, b string) bool {
	x, y := []rune(a), []rune(b)
	// meet[j]: what of a is read so far and the first j characters of b have a string in common.
	meet := make([]bool, len(y)+1)
	for i := range len(x) + 1 {
		next := make([]bool, len(y)+1)
		for j := range next {
			switch {
			case i == 0 && j == 0:
				next[j] = true
			case i > 0 && x[i-1] == '*' && meet[j], j > 0 && y[j-1] == '*' && next[j-1]:
				next[j] = true // the * is an empty run
			case i > 0 && j > 0 && x[i-1] == '*':
				next[j] = next[j-1] // or takes one more character
			case i > 0 && j > 0 && y[j-1] == '*':
				next[j] = meet[j]
			case i > 0 && j > 0 && meet[j-1]:
				next[j] = x[i-1] == y[j-1] || x[i-1] == '?' || y[j-1] == '?'
			}
		}
		meet = next
	}
	return meet[len(y)]
}

// orderWildcards writes each run of wildcards with its ? first and at most one *, which means the same: "*?" is "?*".
func orderWildcards(glob string) string {
	var b strings.Builder
	star := false
	for _, c := range glob {
		if c == '*' {
			star = true
			continue
		}
		if c != '?' && star {
			b.WriteByte('*')
			star = false
		}
		b.WriteRune(c)
	}
	if star {
		b.WriteByte('*')
	}
	return b.String()
}
