//go:build !linux

package flood

import "context"

// Send sends. It needs Linux, and elsewhere it returns ErrUnsupported.
func Send(context.Context, Options) (Sent, error) { return Sent{}, ErrUnsupported }

// Sink counts. It needs Linux, and elsewhere it returns ErrUnsupported.
func Sink(context.Context, Options) (Counts, error) { return Counts{}, ErrUnsupported }
