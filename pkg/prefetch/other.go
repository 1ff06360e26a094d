//go:build !amd64 && !arm64

package prefetch

import "unsafe"

// Line does nothing here.
func Line(p unsafe.Pointer) {}

// Lines does nothing here.
func Lines(p unsafe.Pointer) {}

// Both does nothing here.
func Both(p, q unsafe.Pointer) {}

// span does nothing here.
func span(part uint64) {}
