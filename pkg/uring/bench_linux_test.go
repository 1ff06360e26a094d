package uring

import (
	"testing"

	"golang.org/x/sys/unix"
)

// BenchmarkTryRead reads 64 octets at a time: one of 64 reads of a system call, and by a system call each.
func BenchmarkTryRead(b *testing.B) {
	fd, err := unix.Open("/dev/zero", unix.O_RDONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer unix.Close(fd)
	buf := make([]byte, 64)
	b.Run("ring", func(b *testing.B) {
		r, err := New(64)
		if err != nil {
			b.Skip(err)
		}
		defer r.Close()
		for done := 0; done < b.N; done += r.Size() {
			for i := range r.Size() {
				r.TryRead(fd, buf, uint64(i))
			}
			if err := r.Enter(r.Size()); err != nil {
				b.Fatal(err)
			}
			for _, ok := r.Next(); ok; _, ok = r.Next() {
			}
		}
	})
	b.Run("read", func(b *testing.B) {
		for range b.N {
			if _, err := unix.Read(fd, buf); err != nil {
				b.Fatal(err)
			}
		}
	})
}
