//go:build !race

package e2e_test

// raceDetector says that this binary, and so the hookflow it builds, looks for data races.
const raceDetector = false
