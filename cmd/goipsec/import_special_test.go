//go:build unix

package main

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A named pipe that a source names, from which nothing comes, does not hold an import up.
func TestImportReadsRegularFilesOnly(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	opts, err := importOptions(filepath.Join(dir, "swanctl.conf"), importFiles{}, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := readWithMode(pipe); !errors.Is(err, errNoFile) {
		t.Errorf("as a key: %v", err)
	}
	if _, err := opts.ReadFile("pipe"); !errors.Is(err, errNoFile) {
		t.Errorf("as an include: %v", err)
	}
	if _, _, err := readWithMode(dir); !errors.Is(err, errNoFile) {
		t.Errorf("a directory: %v", err)
	}
	name := filepath.Join(dir, "file")
	if err := os.WriteFile(name, []byte("x"), 0o640); err != nil {
		t.Fatal(err)
	}
	if data, mode, err := readWithMode(name); string(data) != "x" || mode.Perm() != 0o640 || err != nil {
		t.Errorf("%q, %v, %v", data, mode, err)
	}
}
