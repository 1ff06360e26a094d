package prefetch

import "unsafe"

// Part is a piece of memory that will be needed as a whole: the number of its first cache line, and in the low six bits how many lines there are.
// The zero Part is nothing. It keeps nothing alive: to ask for what has become another's costs time and no more.
type Part uint64

const (
	line     = 64 // bytes of a cache line
	maxLines = 63
)

func part(p unsafe.Pointer, bytes uintptr) Part {
	if p == nil || bytes == 0 {
		return 0
	}
	at := uintptr(p)
	lines := (at%line + bytes + line - 1) / line
	return Part(at&^(line-1)) | Part(min(lines, maxLines))
}

// Of is what p points to.
func Of[T any](p *T) Part { return part(unsafe.Pointer(p), unsafe.Sizeof(*p)) }

// Slice is the memory of s.
func Slice[T any](s []T) Part {
	var x T
	return part(unsafe.Pointer(unsafe.SliceData(s)), uintptr(len(s))*unsafe.Sizeof(x))
}

// Value is what the pointer in an interface points to, reckoned at so many bytes. What is no pointer lies somewhere too.
func Value(x any, bytes int) Part {
	return part((*[2]unsafe.Pointer)(unsafe.Pointer(&x))[1], uintptr(bytes))
}

// Ask asks for all lines of the part.
func (p Part) Ask() { span(uint64(p)) }
