package chachavec

import (
	"fmt"
	"testing"
	"unsafe"

	"github.com/goipsec/goipsec/pkg/suite/internal/aeadtest"

	"golang.org/x/sys/unix"
)

func TestGuardPages(t *testing.T) {
	key := aeadtest.Pattern(keySize, 1)
	aeadtest.GuardPages(t, ours(t, key), library(t, key), 1100)
}

// TestGuardedKey does the same with the key.
func TestGuardedKey(t *testing.T) {
	key := aeadtest.Pattern(keySize, 1)
	ours(t, key)
	room, other := aeadtest.NewGuarded(t, 1), library(t, key)
	for _, end := range []bool{false, true} {
		c := (*chacha)(unsafe.Pointer(unsafe.SliceData(room.Place(key, end))))
		for n := range 800 {
			nonce, text, additional := aeadtest.Pattern(nonceSize, n), aeadtest.Pattern(n, 1), aeadtest.Pattern(3*n%700, 2)
			aeadtest.Check(t, fmt.Sprint(n, " bytes"), c, nonce, additional, text, other.Seal(nil, nonce, text, additional))
		}
	}
}

// TestTooLong: a text that the counter is too small for is refused before a byte of it is touched, as none of these can be.
func TestTooLong(t *testing.T) {
	aead := ours(t, aeadtest.Pattern(keySize, 1))
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
