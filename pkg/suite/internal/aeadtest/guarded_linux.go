package aeadtest

import (
	"bytes"
	"crypto/cipher"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// A Guarded is some pages between two that cannot be touched.
type Guarded []byte

// NewGuarded makes as many pages as hold n bytes.
func NewGuarded(t *testing.T, n int) Guarded {
	t.Helper()
	page := os.Getpagesize()
	n = (n + page - 1) / page * page
	all, err := unix.Mmap(-1, 0, n+2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(all) })
	for _, guard := range [][]byte{all[:page], all[page+n:]} {
		if err := unix.Mprotect(guard, unix.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	return all[page : page+n : page+n]
}

// Place puts data at the beginning or at the end.
func (g Guarded) Place(data []byte, end bool) []byte {
	at := 0
	if end {
		at = len(g) - len(data)
	}
	copy(g[at:], data)
	return g[at:][:len(data):len(data)]
}

// GuardPages has every buffer begin right after a page that cannot be touched, or end right before one: one byte read or written too
// far ends the test with a fault. It takes all lengths below a number, and some beyond.
func GuardPages(t *testing.T, aead, other cipher.AEAD, below int) {
	t.Helper()
	source, target, first, second := NewGuarded(t, 9100), NewGuarded(t, 9100), NewGuarded(t, 700), NewGuarded(t, 12)
	lengths := []int{1408, 1419, 1420, 1424, 1500, 2048, 8999, 9000}
	for n := range below {
		lengths = append(lengths, n)
	}
	for i, n := range lengths {
		text, seed, salt := Pattern(n, i), Pattern([]int{8, 12, 0, 16, 17, 300, 1}[i%7], n), Pattern(12, n)
		want := other.Seal(nil, salt, text, seed)
		for _, end := range []bool{false, true} {
			name := fmt.Sprintf("%d bytes, at the end %v", n, end)
			nonce, additional := second.Place(salt, end), first.Place(seed, end)
			if got := aead.Seal(target.Place(want, end)[:0], nonce, source.Place(text, end), additional); !bytes.Equal(got, want) {
				t.Fatalf("%s: sealed wrongly", name)
			}
			got, err := aead.Open(source.Place(text, end)[:0], nonce, target.Place(want, end), additional)
			if err != nil || !bytes.Equal(got, text) {
				t.Fatalf("%s: opened wrongly: %v", name, err)
			}
			buf := target.Place(want, end)
			if got, err = aead.Open(buf[:0], nonce, buf, additional); err != nil || !bytes.Equal(got, text) {
				t.Fatalf("%s: opened wrongly in place: %v", name, err)
			}
			if got = aead.Seal(buf[:0], nonce, buf[:n], additional); !bytes.Equal(got, want) {
				t.Fatalf("%s: sealed wrongly in place", name)
			}
		}
	}
}
