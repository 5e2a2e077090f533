package main

// nearest returns the known word that is the fewest edits away from s, "" when none is closer than half its length.
func nearest(s string, known []string) string {
	best, fewest := "", max(len(s)/2, 1)
	for _, word := range known {
		if d := edits(s, word); d < fewest {
			best, fewest = word, d
		}
	}
	return best
}

// edits is the Levenshtein distance: insertions, deletions and substitutions that turn a into b.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		above := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			above, row[j+1] = row[j+1], min(row[j]+1, row[j+1]+1, above+cost)
		}
	}
	return row[len(b)]
}
