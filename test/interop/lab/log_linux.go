package lab

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// A Log collects what a process prints and wakes those who wait for a text. It is safe for concurrent use.
type Log struct {
	mu     sync.Mutex
	text   bytes.Buffer
	change chan struct{} // closed and replaced at every write
	closed bool
}

func newLog() *Log { return &Log{change: make(chan struct{})} }

// Write adds to the log.
func (l *Log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(b)
	l.wake()
	return len(b), nil
}

func (l *Log) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.wake()
}

func (l *Log) wake() {
	close(l.change)
	l.change = make(chan struct{})
}

// String is everything so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Count says how often a text occurs so far.
func (l *Log) Count(text string) int { return strings.Count(l.String(), text) }

var errEnded = errors.New("it ended")

// waitFor blocks until the log contains text. It returns errEnded, wrapped, when nothing more can come.
func (l *Log) waitFor(text string, limit time.Duration) error {
	return l.waitUntil(limit, fmt.Sprintf("%q", text), func(s string) bool { return strings.Contains(s, text) })
}

func (l *Log) waitUntil(limit time.Duration, what string, ok func(string) bool) error {
	watch := StartWatch()
	for {
		l.mu.Lock()
		text, change, closed := l.text.String(), l.change, l.closed
		l.mu.Unlock()
		switch {
		case ok(text):
			return nil
		case closed:
			return fmt.Errorf("%w without printing %s", errEnded, what)
		case !wait(change, limit-watch.Elapsed()):
			return fmt.Errorf("waited %v in vain for %s", limit, what)
		}
	}
}
