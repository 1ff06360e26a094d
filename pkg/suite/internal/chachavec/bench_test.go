package chachavec

import (
	"crypto/cipher"
	"fmt"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/suite/internal/aeadtest"
)

// BenchmarkChaCha sets this package beside golang.org/x/crypto, as ESP does it: sealed in place, opened from buffer to buffer, with 8 bytes
// of additional data and IVs that are written as 8 bytes. The two take turns every 64 packets, so that whatever else the machine does meets
// both alike; what is told are the medians and their ratio.
func BenchmarkChaCha(b *testing.B) {
	key := aeadtest.Pattern(keySize, 3)
	pair := [2]cipher.AEAD{ours(b, key), library(b, key)}
	for _, n := range []int{64, 100, 256, 512, 1420, 9000} {
		b.Run(fmt.Sprint("seal/", n), func(b *testing.B) { aeadtest.Beside(b, pair, aeadtest.Sealing(n, time.Now)) })
		b.Run(fmt.Sprint("open/", n), func(b *testing.B) { aeadtest.Beside(b, pair, aeadtest.Opening(b, n, pair[1], time.Now)) })
	}
}
