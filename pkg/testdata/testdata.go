// Package testdata finds the shared test data: vectors, hostile packets and rule sets that are not part of this repository.
// It is imported by tests only, and no other file names the place.
package testdata

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Dir returns the path of an entry of the shared test data, or skips the test where the data is absent. The data is looked for
// in $GOIPSEC_TESTDATA, else in the directory "shared" beside the repository.
func Dir(tb testing.TB, elem ...string) string {
	tb.Helper()
	root := os.Getenv("GOIPSEC_TESTDATA")
	if root == "" {
		_, file, _, _ := runtime.Caller(0)
		root = filepath.Join(filepath.Dir(file), "..", "..", "..", "shared")
	}
	path := filepath.Join(append([]string{root}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		tb.Skipf("shared test data is not here (%s): set GOIPSEC_TESTDATA to its directory to run this test", filepath.Join(elem...))
	}
	return path
}
