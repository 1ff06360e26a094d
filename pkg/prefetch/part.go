package prefetch

import "unsafe"

// Part is a piece of memory that will be needed as a whole. The zero Part is nothing. It keeps what it is of alive.
type Part struct {
	at    unsafe.Pointer
	lines int
}

const line = 64 // bytes of a cache line

// Of is what p points to.
func Of[T any](p *T) Part { return Part{unsafe.Pointer(p), int(unsafe.Sizeof(*p)+line-1) / line} }

// Slice is the memory of s.
func Slice[T any](s []T) Part {
	var x T
	return Part{unsafe.Pointer(unsafe.SliceData(s)), (len(s)*int(unsafe.Sizeof(x)) + line - 1) / line}
}

// Value is what the pointer in an interface points to, reckoned at so many bytes. What is no pointer lies somewhere too.
func Value(x any, bytes int) Part {
	return Part{(*[2]unsafe.Pointer)(unsafe.Pointer(&x))[1], (bytes + line - 1) / line}
}

// Ask asks for all lines of the part.
func (p Part) Ask() { Span(p.at, p.lines) }
