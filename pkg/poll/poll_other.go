//go:build !linux

package poll

import (
	"errors"
	"time"
)

// Poller waits for files. There is none here.
type Poller struct{}

// New says that there is none: errors.ErrUnsupported.
func New() (*Poller, error) { return nil, errors.ErrUnsupported }

// Wait does nothing.
func (*Poller) Wait([]Files, []bool, time.Duration) (bool, error) {
	return false, errors.ErrUnsupported
}

// Kick does nothing.
func (*Poller) Kick() {}

// Close does nothing.
func (*Poller) Close() error { return nil }
