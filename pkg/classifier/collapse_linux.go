package classifier

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// hugePage is the size of a huge page where pages have 4 KiB; where it is another, collapse does less or nothing.
const hugePage = 2 << 20

// collapse asks the kernel to put what lies in s into huge pages, once and now (Linux 6.1), if it fills some. A look-up in a large index else waits not only for
// memory, but before that for the place of its page as often. Nothing is lost where the kernel does not do it.
func collapse[T any](s []T) {
	from, n := uintptr(unsafe.Pointer(unsafe.SliceData(s))), uintptr(len(s))*unsafe.Sizeof(*new(T))
	first := -from & (hugePage - 1) // octets before the first huge page
	if n < first+hugePage {
		return
	}
	n = (n - first) &^ (hugePage - 1)
	_ = unix.Madvise(unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(s)), first)), n), unix.MADV_COLLAPSE)
}
