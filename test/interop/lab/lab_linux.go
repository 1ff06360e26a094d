package lab

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A Lab is the hosts, links and processes of one test.
type Lab struct {
	t   testing.TB
	dir string
	id  int64
	n   int // names given out
	// IO is how each goipsec up that the lab starts from now on moves packets: one of Ways. At first it is what GOIPSEC_TEST_IO says in the environment.
	IO string
}

// Ways are the ways in which goipsec up can move packets, with the flags that each takes.
var Ways = map[string][]string{
	"":           nil, // as it chooses itself
	"no-ring":    {"--no-io-uring"},
	"no-offload": {"--no-offload"},
	"queues":     {"--queues", "2"},
	"plain":      {"--no-io-uring", "--no-offload"},
	"direct":     {"--direct-esp"},
}

var labs atomic.Int64

// New makes an empty lab, or skips the test where none can be had.
func New(t testing.TB) *Lab {
	t.Helper()
	if skipReason != "" {
		t.Skip("needs hosts of its own: ", skipReason)
	}
	dir, err := os.MkdirTemp("", "lab") // t.TempDir has the test's name in it, and a socket's path may have 103 bytes only
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return &Lab{t: t, dir: dir, id: labs.Add(1), IO: os.Getenv("GOIPSEC_TEST_IO")}
}

// Dir is the lab's directory, removed with it.
func (l *Lab) Dir() string { return l.dir }

// Subdir makes a directory in the lab's.
func (l *Lab) Subdir(name string) string {
	l.t.Helper()
	dir, err := os.MkdirTemp(l.dir, name+"-")
	if err != nil {
		l.t.Fatal(err)
	}
	return dir
}

// WriteFile writes a file into the lab's directory, with mode 0600, and returns its path.
func (l *Lab) WriteFile(name, text string) string {
	l.t.Helper()
	path := l.dir + "/" + name
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
	return path
}

// ReadFile reads a file that a peer wrote; "" while it is not there.
func (l *Lab) ReadFile(path string) string {
	text, _ := os.ReadFile(path)
	return string(text)
}

// unique names a link or namespace; links may have 15 bytes.
func (l *Lab) unique(prefix string) string {
	l.n++
	return fmt.Sprintf("%s%d-%d", prefix, l.id, l.n)
}

// command runs a program of the lab itself, outside its hosts.
func (l *Lab) command(args ...string) {
	l.t.Helper()
	if text, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		l.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, text)
	}
}

// commandLimit bounds every command that is expected to end by itself.
const commandLimit = 60 * time.Second
