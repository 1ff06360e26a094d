package cbcvec

import (
	"bytes"
	"fmt"
	"testing"
	"unsafe"

	"github.com/goipsec/goipsec/pkg/suite/internal/aeadtest"
)

// TestGuardPages has text, output and IV begin right after a page that cannot be touched, or end right before one: one byte read or written
// too far ends the test with a fault.
func TestGuardPages(t *testing.T) {
	for _, size := range []int{16, 24, 32} {
		key := aeadtest.Pattern(size, 1)
		m, other := ours(t, key), standard(t, key)
		source, target, third := aeadtest.NewGuarded(t, 9100), aeadtest.NewGuarded(t, 9100), aeadtest.NewGuarded(t, blockSize)
		for n := 0; n <= 9000; n += blockSize {
			seed, text := aeadtest.Pattern(blockSize, n), aeadtest.Pattern(n, n/16)
			sealed := other.Seal(nil, seed, text, nil)
			for _, end := range []bool{false, true} {
				name, iv := fmt.Sprintf("%d bytes, at the end %v", n, end), third.Place(seed, end)
				for _, way := range []struct {
					run      func(dst, src, iv []byte)
					from, to []byte
				}{{m.encrypt, text, sealed}, {m.decrypt, sealed, text}} {
					in, out := source.Place(way.from, end), target.Place(make([]byte, n), end)
					if way.run(out, in, iv); !bytes.Equal(out, way.to) {
						t.Fatalf("%s: wrong", name)
					}
					if way.run(in, in, iv); !bytes.Equal(in, way.to) {
						t.Fatalf("%s: wrong in place", name)
					}
				}
			}
		}
	}
}

// TestGuardedKey does the same with the key.
func TestGuardedKey(t *testing.T) {
	for _, size := range []int{16, 24, 32} {
		key := aeadtest.Pattern(size, 1)
		m := ours(t, key)
		encrypter, _ := NewEncrypter(key)
		decrypter, _ := NewDecrypter(key)
		whole := []uintptr{unsafe.Sizeof(schedule128{}), unsafe.Sizeof(schedule192{}), unsafe.Sizeof(schedule256{})}[size/8-2]
		room, other := aeadtest.NewGuarded(t, int(whole)), standard(t, key)
		place := func(key unsafe.Pointer, end bool) unsafe.Pointer {
			return unsafe.Pointer(unsafe.SliceData(room.Place(unsafe.Slice((*byte)(key), whole), end)))
		}
		for _, end := range []bool{false, true} {
			for n := 0; n < 800; n += blockSize {
				iv, text := aeadtest.Pattern(blockSize, n), aeadtest.Pattern(n, 1)
				sealed := other.Seal(nil, iv, text, nil)
				m.encrypt = (*Encrypter)(place(unsafe.Pointer(encrypter), end)).Encrypt
				if got := m.Seal(nil, iv, text, nil); !bytes.Equal(got, sealed) {
					t.Fatalf("%d bytes, a key of %d: encrypted wrongly", n, size)
				}
				m.decrypt = (*Decrypter)(place(unsafe.Pointer(decrypter), end)).Decrypt
				if got, _ := m.Open(nil, iv, sealed, nil); !bytes.Equal(got, text) {
					t.Fatalf("%d bytes, a key of %d: decrypted wrongly", n, size)
				}
			}
		}
	}
}
