package gcmvec

import (
	"crypto/cipher"
	"fmt"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/suite/internal/aeadtest"
)

// BenchmarkGCM sets this package beside the standard library, as ESP does it: sealed in place, opened from buffer to buffer, with 8 bytes
// of additional data and IVs that are written as 8 bytes. The two take turns every 64 packets, so that whatever else the machine does meets
// both alike; what is told are the medians and their ratio.
func BenchmarkGCM(b *testing.B) {
	for _, bits := range []int{128, 256} {
		key := aeadtest.Pattern(bits/8, 3)
		pair := [2]cipher.AEAD{ours(b, key, 16), standard(b, key, 16)}
		for _, n := range []int{64, 512, 1420, 9000} {
			b.Run(fmt.Sprintf("seal/%d/%d", bits, n), func(b *testing.B) { aeadtest.Beside(b, pair, aeadtest.Sealing(n, time.Now)) })
			b.Run(fmt.Sprintf("open/%d/%d", bits, n), func(b *testing.B) { aeadtest.Beside(b, pair, aeadtest.Opening(b, n, pair[1], time.Now)) })
		}
	}
}

// BenchmarkNew is what a new SA pays.
func BenchmarkNew(b *testing.B) {
	key := aeadtest.Pattern(16, 3)
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ours(b, key, 16)
		}
	})
	b.Run("standard", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			standard(b, key, 16)
		}
	})
}
