package gcmvec

import (
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"testing"
)

// BenchmarkGCM sets this package beside the standard library, as ESP does it: sealed in place, opened from buffer to buffer, with 8 bytes
// of additional data and IVs that are written as 8 bytes. What is compared runs side by side.
func BenchmarkGCM(b *testing.B) {
	for _, bits := range []int{128, 256} {
		key := pattern(bits/8, 3)
		pair := []struct {
			name string
			aead cipher.AEAD
		}{{"ours", ours(b, key, 16)}, {"standard", standard(b, key, 16)}}
		for _, n := range []int{64, 512, 1420, 9000} {
			for _, p := range pair {
				b.Run(fmt.Sprintf("seal/%d/%d/%s", bits, n, p.name), func(b *testing.B) { benchmarkSeal(b, p.aead, n) })
			}
			for _, p := range pair {
				b.Run(fmt.Sprintf("open/%d/%d/%s", bits, n, p.name), func(b *testing.B) { benchmarkOpen(b, p.aead, n) })
			}
		}
	}
}

// slots are as many packets as a batch has: one packet over and over would wait for its own stores.
const slots = 32

// packets makes room for a batch, each packet behind 36 bytes of headers.
func packets(n int) (batch [slots][]byte) {
	room := (36 + n + 16 + 7) / 8 * 8
	arena := make([]byte, slots*room)
	for i := range batch {
		batch[i] = arena[i*room+36:][:n+16]
	}
	return batch
}

func benchmarkSeal(b *testing.B, aead cipher.AEAD, n int) {
	b.SetBytes(int64(n))
	batch, nonce, additional := packets(n), pattern(12, 1), pattern(8, 2)
	for i := uint64(0); b.Loop(); i++ {
		binary.BigEndian.PutUint64(nonce[4:], i)
		buf := batch[i%slots]
		aead.Seal(buf[:0], nonce, buf[:n], additional)
	}
}

func benchmarkOpen(b *testing.B, aead cipher.AEAD, n int) {
	b.SetBytes(int64(n))
	batch, out, nonce, additional := packets(n), packets(n), pattern(12, 1), pattern(8, 2)
	for i, buf := range batch {
		binary.BigEndian.PutUint64(nonce[4:], uint64(i))
		aead.Seal(buf[:0], nonce, buf[:n], additional)
	}
	for i := uint64(0); b.Loop(); i++ {
		binary.BigEndian.PutUint64(nonce[4:], i%slots)
		if _, err := aead.Open(out[i%slots][:0], nonce, batch[i%slots], additional); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkNew is what a new SA pays.
func BenchmarkNew(b *testing.B) {
	key := pattern(16, 3)
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
