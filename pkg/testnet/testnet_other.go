//go:build !linux

package testnet

import (
	"os"
	"testing"
)

// Main runs m; there are no namespaces on this system.
func Main(m *testing.M) { os.Exit(m.Run()) }

// Need skips the test on this system.
func Need(tb testing.TB) { tb.Helper(); tb.Skip("needs Linux network namespaces") }

// NeedTUN skips the test on this system.
func NeedTUN(tb testing.TB) { Need(tb) }

// Gone has nothing to wait for: Need has skipped the test.
func Gone(testing.TB, string) {}
