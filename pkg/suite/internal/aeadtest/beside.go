package aeadtest

import (
	"crypto/cipher"
	"encoding/binary"
	"slices"
	"testing"
	"time"
)

// slots are as many packets as a batch has: one packet over and over would wait for its own stores.
const slots = 64

// Beside measures batches in turns.
func Beside(b *testing.B, pair [2]cipher.AEAD, batch func(cipher.AEAD) time.Duration) {
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

// Sealing seals a batch in place.
func Sealing(n int, now func() time.Time) func(cipher.AEAD) time.Duration {
	batch, nonce, additional := packets(n), Pattern(12, 1), Pattern(8, 2)
	return func(aead cipher.AEAD) time.Duration {
		start := now()
		for i, buf := range batch {
			binary.BigEndian.PutUint64(nonce[4:], uint64(i))
			aead.Seal(buf[:0], nonce, buf[:n], additional)
		}
		return now().Sub(start)
	}
}

// Opening opens a batch from buffer to buffer that was sealed by another.
func Opening(b *testing.B, n int, sealer cipher.AEAD, now func() time.Time) func(cipher.AEAD) time.Duration {
	batch, out, nonce, additional := packets(n), packets(n), Pattern(12, 1), Pattern(8, 2)
	for i, buf := range batch {
		binary.BigEndian.PutUint64(nonce[4:], uint64(i))
		sealer.Seal(buf[:0], nonce, buf[:n], additional)
	}
	return func(aead cipher.AEAD) time.Duration {
		start := now()
		for i, buf := range batch {
			binary.BigEndian.PutUint64(nonce[4:], uint64(i))
			if _, err := aead.Open(out[i][:0], nonce, buf, additional); err != nil {
				b.Fatal(err)
			}
		}
		return now().Sub(start)
	}
}
