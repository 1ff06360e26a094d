package chachavec

import (
	"bytes"
	"fmt"
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A guarded is some pages between two that cannot be touched.
type guarded []byte

func newGuarded(t *testing.T, n int) guarded {
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

// place puts data at the beginning or at the end.
func (g guarded) place(data []byte, end bool) []byte {
	at := 0
	if end {
		at = len(g) - len(data)
	}
	copy(g[at:], data)
	return g[at:][:len(data):len(data)]
}

// TestGuardPages has every buffer begin right after a page that cannot be touched, or end right before one: one byte read or written too
// far ends the test with a fault.
func TestGuardPages(t *testing.T) {
	key := pattern(keySize, 1)
	aead, other := ours(t, key), library(t, key)
	source, target, first, second := newGuarded(t, 9100), newGuarded(t, 9100), newGuarded(t, 700), newGuarded(t, 12)
	lengths := []int{1408, 1419, 1420, 1424, 1500, 2048, 8999, 9000}
	for n := range 1100 {
		lengths = append(lengths, n)
	}
	for i, n := range lengths {
		text, seed, salt := pattern(n, i), pattern([]int{8, 12, 0, 16, 17, 300, 1}[i%7], n), pattern(12, n)
		want := other.Seal(nil, salt, text, seed)
		for _, end := range []bool{false, true} {
			name := fmt.Sprintf("%d bytes, at the end %v", n, end)
			nonce, additional := second.place(salt, end), first.place(seed, end)
			if got := aead.Seal(target.place(want, end)[:0], nonce, source.place(text, end), additional); !bytes.Equal(got, want) {
				t.Fatalf("%s: sealed wrongly", name)
			}
			got, err := aead.Open(source.place(text, end)[:0], nonce, target.place(want, end), additional)
			if err != nil || !bytes.Equal(got, text) {
				t.Fatalf("%s: opened wrongly: %v", name, err)
			}
			buf := target.place(want, end)
			if got, err = aead.Open(buf[:0], nonce, buf, additional); err != nil || !bytes.Equal(got, text) {
				t.Fatalf("%s: opened wrongly in place: %v", name, err)
			}
			if got = aead.Seal(buf[:0], nonce, buf[:n], additional); !bytes.Equal(got, want) {
				t.Fatalf("%s: sealed wrongly in place", name)
			}
		}
	}
}

// TestGuardedKey does the same with the key.
func TestGuardedKey(t *testing.T) {
	key := pattern(keySize, 1)
	ours(t, key)
	room, other := newGuarded(t, 1), library(t, key)
	for _, end := range []bool{false, true} {
		c := (*chacha)(unsafe.Pointer(unsafe.SliceData(room.place(key, end))))
		for n := range 800 {
			nonce, text, additional := pattern(nonceSize, n), pattern(n, 1), pattern(3*n%700, 2)
			check(t, fmt.Sprint(n, " bytes"), c, nonce, additional, text, other.Seal(nil, nonce, text, additional))
		}
	}
}

// TestTooLong: a text that the counter is too small for is refused before a byte of it is touched, as none of these can be.
func TestTooLong(t *testing.T) {
	aead := ours(t, pattern(keySize, 1))
	n := uint64(maxText)
	if n != 1<<38-64 {
		t.Fatalf("the limit is %d bytes", n)
	}
	long, err := unix.Mmap(-1, 0, int(n+1+tagSize), unix.PROT_NONE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_NORESERVE)
	if err != nil {
		t.Skipf("no room for addresses of 256 GiB: %v", err)
	}
	defer unix.Munmap(long)
	if _, err := aead.Open(nil, make([]byte, nonceSize), long, nil); err == nil {
		t.Error("opened")
	}
	defer func() {
		if text := recover(); text != panicLength {
			t.Errorf("Seal: %v", text)
		}
	}()
	aead.Seal(nil, make([]byte, nonceSize), long[:n+1], nil)
}
