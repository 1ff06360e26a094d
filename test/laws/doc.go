// Package laws holds the tests that keep the laws of the house (docs/architecture.md): who may import whom, where goroutines start,
// where the clock is read. They read the syntax of every file, of every platform, and need nothing to be built.
package laws
