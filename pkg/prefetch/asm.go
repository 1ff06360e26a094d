//go:build amd64 || arm64

package prefetch

import "unsafe"

// Line asks for the 64 bytes of the cache line in which p lies.
//
//go:noescape
func Line(p unsafe.Pointer)

// Lines asks for that line and the next one.
//
//go:noescape
func Lines(p unsafe.Pointer)

// Both is Lines of p and of q.
//
//go:noescape
func Both(p, q unsafe.Pointer)

// span asks for the lines of a Part.
//
//go:noescape
func span(part uint64)
