//go:build race

package netio

// raceDetector: under the race detector a sync.Pool forgets some of what it is given, on purpose.
const raceDetector = true
