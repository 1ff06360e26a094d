package packet

import (
	"bytes"
	"fmt"
	"math/bits"
	"testing"
)

// same fails if the sum by vectors is not the one without. A sum of zero differs from one of 0xffff: only zeros have it.
func same(t *testing.T, b []byte, acc uint64) {
	t.Helper()
	want := acc
	for at := 0; at < len(b); at += vectorsPay - 1 { // pieces that are too short for vectors, every other at an odd place
		n := sum(b[at:min(at+vectorsPay-1, len(b))], 0)
		if at%2 == 1 {
			n = uint64(bits.ReverseBytes16(fold(n)))
		}
		want += n
	}
	if got, want := fold(sum(b, acc)), fold(want); got != want {
		t.Fatalf("%d bytes: %#x, want %#x", len(b), got, want)
	}
}

func TestVectorsSumAsWordsDo(t *testing.T) {
	const most = 1100
	for _, all := range [][]byte{pattern(most + 64), bytes.Repeat([]byte{0xff}, most+64), make([]byte, most+64)} {
		for n := range most {
			for _, from := range []int{0, 1, 2, 31, 32, 33} {
				same(t, all[from:from+n], uint64(n)*0x1234567)
			}
		}
	}
	for _, n := range []int{65535, 1 << 20} {
		same(t, bytes.Repeat([]byte{0xff}, n), 0)
		same(t, pattern(n), 1<<62)
	}
}

func FuzzVectorsSumAsWordsDo(f *testing.F) {
	f.Add(pattern(300), uint64(0), uint8(1))
	f.Add(bytes.Repeat([]byte{0xff}, 1500), uint64(0xffff), uint8(0))
	f.Fuzz(func(t *testing.T, b []byte, acc uint64, repeat uint8) {
		b = bytes.Repeat(b, int(repeat)+1)
		if len(b) > 1<<20 {
			return
		}
		same(t, b, acc>>1)
		if len(b) > 0 && Checksum(b) != slowChecksum(b) {
			t.Fatal("not the checksum of the definition")
		}
	})
}

func BenchmarkChecksum(b *testing.B) {
	for _, n := range []int{20, 64, 256, 512, 1400, 9000} {
		data := pattern(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				sum(data, 0)
			}
		})
	}
}
