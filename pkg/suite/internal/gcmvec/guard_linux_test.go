package gcmvec

import (
	"fmt"
	"testing"
	"unsafe"

	"github.com/goipsec/goipsec/pkg/suite/internal/aeadtest"
)

func TestGuardPages(t *testing.T) {
	key := aeadtest.Pattern(16, 1)
	aeadtest.GuardPages(t, ours(t, key, 16), standard(t, key, 16), 530)
}

// TestGuardedKey does the same with the key, of which more may be read than is needed, but nothing beyond.
func TestGuardedKey(t *testing.T) {
	for _, size := range []int{16, 24, 32} {
		key := aeadtest.Pattern(size, 1)
		ours(t, key, 16)
		room := aeadtest.NewGuarded(t, 1)
		for _, end := range []bool{false, true} {
			whole := []uintptr{unsafe.Sizeof(gcm128{}), unsafe.Sizeof(gcm192{}), unsafe.Sizeof(gcm256{})}[size/8-2]
			place := unsafe.Pointer(unsafe.SliceData(room.Place(make([]byte, whole), end)))
			var g *gcm
			switch size {
			case 16:
				k := (*gcm128)(place)
				g = k.init(k.round[:], key, 16)
			case 24:
				k := (*gcm192)(place)
				g = k.init(k.round[:], key, 16)
			case 32:
				k := (*gcm256)(place)
				g = k.init(k.round[:], key, 16)
			}
			other := standard(t, key, 16)
			for n := range 800 {
				nonce, text, additional := aeadtest.Pattern(12, n), aeadtest.Pattern(n, 1), aeadtest.Pattern(3*n%700, 2)
				aeadtest.Check(t, fmt.Sprint(n, " bytes"), g, nonce, additional, text, other.Seal(nil, nonce, text, additional))
			}
		}
	}
}
