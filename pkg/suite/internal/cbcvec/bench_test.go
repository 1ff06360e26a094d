package cbcvec

import (
	"crypto/cipher"
	"fmt"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/suite/internal/aeadtest"
)

// fixed is a mode whose IV is always the same, because AEADs are given a nonce of 12 bytes.
type fixed struct {
	mode
	iv []byte
}

func (f fixed) Seal(dst, _, text, _ []byte) []byte { return f.mode.Seal(dst, f.iv, text, nil) }
func (f fixed) Open(dst, _, sealed, _ []byte) ([]byte, error) {
	return f.mode.Open(dst, f.iv, sealed, nil)
}

// BenchmarkCBC sets this package beside the standard library: encrypted in place, decrypted from buffer to buffer. The two take turns every
// 64 packets, so that whatever else the machine does meets both alike; what is told are the medians and their ratio. 1424 bytes are 1420
// with their padding.
func BenchmarkCBC(b *testing.B) {
	for _, bits := range []int{128, 192, 256} {
		key, iv := aeadtest.Pattern(bits/8, 3), aeadtest.Pattern(blockSize, 1)
		pair := [2]cipher.AEAD{fixed{ours(b, key), iv}, fixed{standard(b, key), iv}}
		for _, n := range []int{64, 512, 1424, 9008} {
			b.Run(fmt.Sprintf("encrypt/%d/%d", bits, n), func(b *testing.B) { aeadtest.Beside(b, pair, aeadtest.Sealing(n, time.Now)) })
			b.Run(fmt.Sprintf("decrypt/%d/%d", bits, n), func(b *testing.B) { aeadtest.Beside(b, pair, aeadtest.Opening(b, n, pair[1], time.Now)) })
		}
	}
}

// BenchmarkNew is what a new SA pays.
func BenchmarkNew(b *testing.B) {
	key := aeadtest.Pattern(blockSize, 3)
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ours(b, key)
		}
	})
	b.Run("standard", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			standard(b, key)
		}
	})
}
