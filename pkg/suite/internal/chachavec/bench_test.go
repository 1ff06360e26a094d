package chachavec

import (
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"
)

// BenchmarkChaCha sets this package beside golang.org/x/crypto, as ESP does it: sealed in place, opened from buffer to buffer, with 8 bytes
// of additional data and IVs that are written as 8 bytes. The two take turns every 64 packets, so that whatever else the machine does meets
// both alike; what is told are the medians and their ratio.
func BenchmarkChaCha(b *testing.B) {
	key := pattern(keySize, 3)
	pair := [2]cipher.AEAD{ours(b, key), library(b, key)}
	for _, n := range []int{64, 100, 256, 512, 1420, 9000} {
		b.Run(fmt.Sprint("seal/", n), func(b *testing.B) { beside(b, pair, sealing(n)) })
		b.Run(fmt.Sprint("open/", n), func(b *testing.B) { beside(b, pair, opening(b, n, pair[1])) })
	}
}

// slots are as many packets as a batch has: one packet over and over would wait for its own stores.
const slots = 64

// beside measures batches in turns.
func beside(b *testing.B, pair [2]cipher.AEAD, batch func(cipher.AEAD) time.Duration) {
	var taken [2][]time.Duration
	for b.Loop() {
		for i, aead := range pair {
			taken[i] = append(taken[i], batch(aead))
		}
	}
	var medians [2]float64
	for i := range taken {
		slices.Sort(taken[i])
		medians[i] = float64(taken[i][len(taken[i])/2]) / slots
	}
	b.ReportMetric(0, "ns/op") // of both together: it says nothing
	b.ReportMetric(medians[0], "ns/ours")
	b.ReportMetric(medians[1], "ns/library")
	b.ReportMetric(medians[0]/medians[1], "ratio")
}

// packets makes room for a batch, each packet behind 36 bytes of headers.
func packets(n int) [][]byte {
	batch := make([][]byte, slots)
	room := (36 + n + 16 + 7) / 8 * 8
	arena := make([]byte, slots*room)
	for i := range batch {
		batch[i] = arena[i*room+36:][:n+16]
	}
	return batch
}

func sealing(n int) func(cipher.AEAD) time.Duration {
	batch, nonce, additional := packets(n), pattern(12, 1), pattern(8, 2)
	return func(aead cipher.AEAD) time.Duration {
		start := time.Now()
		for i, buf := range batch {
			binary.BigEndian.PutUint64(nonce[4:], uint64(i))
			aead.Seal(buf[:0], nonce, buf[:n], additional)
		}
		return time.Since(start)
	}
}

func opening(b *testing.B, n int, sealer cipher.AEAD) func(cipher.AEAD) time.Duration {
	batch, out, nonce, additional := packets(n), packets(n), pattern(12, 1), pattern(8, 2)
	for i, buf := range batch {
		binary.BigEndian.PutUint64(nonce[4:], uint64(i))
		sealer.Seal(buf[:0], nonce, buf[:n], additional)
	}
	return func(aead cipher.AEAD) time.Duration {
		start := time.Now()
		for i, buf := range batch {
			binary.BigEndian.PutUint64(nonce[4:], uint64(i))
			if _, err := aead.Open(out[i][:0], nonce, buf, additional); err != nil {
				b.Fatal(err)
			}
		}
		return time.Since(start)
	}
}
