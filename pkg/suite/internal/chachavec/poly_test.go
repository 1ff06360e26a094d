package chachavec

import (
	"encoding/binary"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/crypto/chacha20"
)

// p is 2^130 - 5.
var p = new(big.Int).Sub(power(130), big.NewInt(5))

func power(n uint) *big.Int { return new(big.Int).Lsh(big.NewInt(1), n) }

// number reads little endian.
func number(b []byte) *big.Int {
	b = slices.Clone(b)
	slices.Reverse(b)
	return new(big.Int).SetBytes(b)
}

// oneTimeKey is RFC 8439 §2.6.
func oneTimeKey(t *testing.T, key, nonce []byte) (r, s *big.Int) {
	t.Helper()
	stream, err := chacha20.NewUnauthenticatedCipher(key, nonce)
	if err != nil {
		t.Fatal(err)
	}
	var b [32]byte
	stream.XORKeyStream(b[:], b[:])
	for _, i := range []int{3, 7, 11, 15} {
		b[i] &= 15
	}
	for _, i := range []int{4, 8, 12} {
		b[i] &= 252
	}
	return number(b[:16]), number(b[16:])
}

// sum is Poly1305's of whole blocks, or with zeros behind them (RFC 8439 §2.8), onto what there is.
func sum(h, r *big.Int, data []byte) *big.Int {
	for ; len(data) > 0; data = data[min(16, len(data)):] {
		h = new(big.Int).Add(h, number(data[:min(16, len(data))]))
		h.Add(h, power(128))
		h.Mul(h, r).Mod(h, p)
	}
	return h
}

func lengthBlock(additional, n int) []byte {
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, uint64(additional)), uint64(n))
}

// tagOf is what the assembly wants of a sender's tag.
func tagOf(key, nonce, additional, ciphertext []byte) []byte {
	tag, out := new([tagSize]byte), make([]byte, len(ciphertext)+1)
	crypt((*[keySize]byte)(key), &out[0], unsafe.SliceData(ciphertext), len(ciphertext), &nonce[0], unsafe.SliceData(additional), len(additional), tag, 1)
	return tag[:]
}

// littleEndian writes the lower 128 bits.
func littleEndian(n *big.Int) []byte {
	b := make([]byte, 17)
	new(big.Int).Mod(n, power(128)).FillBytes(b)
	slices.Reverse(b)
	return b[:16]
}

// TestSumsOnTheEdge chooses ciphertexts whose sum, before s is added, is a number next to 0, to 2^130 - 5, or to a limit of words and limbs:
// what is left to carry or to reduce at the end shows there. The last block of the text makes up for all that is before it.
func TestSumsOnTheEdge(t *testing.T) {
	ours(t, make([]byte, keySize))
	var targets []*big.Int
	for d := int64(-6); d <= 6; d++ {
		for _, base := range []*big.Int{p, power(44), power(64), power(88), power(128), power(129)} {
			n := new(big.Int).Add(base, big.NewInt(d))
			targets = append(targets, n.Mod(n, p))
		}
	}
	random := rand.NewChaCha8([32]byte{1})
	for _, n := range []int{16, 32, 96, 192, 208, 224, 240, 256, 352, 480, 496, 512, 960, 1008, 1424, 1472, 1488, 2048, 4000} {
		for _, target := range targets {
			key, nonce, additional := make([]byte, keySize), make([]byte, nonceSize), make([]byte, 12)
			random.Read(key)
			random.Read(nonce)
			random.Read(additional)
			r, s := oneTimeKey(t, key, nonce)
			inverse := new(big.Int).ModInverse(r, p)
			ciphertext := make([]byte, n)
			block := new(big.Int)
			for block.BitLen() != 129 { // a quarter of all numbers are blocks
				random.Read(additional)
				random.Read(ciphertext[:n-16])
				before := sum(sum(new(big.Int), r, additional), r, ciphertext[:n-16])
				block.Mul(target, inverse)
				block.Sub(block, number(lengthBlock(12, n))).Sub(block, power(128))
				block.Mul(block, inverse).Sub(block, before).Mod(block, p)
			}
			copy(ciphertext[n-16:], littleEndian(block))
			whole := sum(sum(sum(new(big.Int), r, additional), r, ciphertext), r, lengthBlock(12, n))
			if whole.Cmp(target) != 0 {
				t.Fatalf("%d bytes: the sum is %x, not %x", n, whole, target)
			}
			want := littleEndian(whole.Add(whole, s))
			if got := tagOf(key, nonce, additional, ciphertext); !slices.Equal(got, want) {
				t.Fatalf("%d bytes whose sum is %x: tag %x, not %x", n, target, got, want)
			}
		}
	}
}

// TestLargestBlocks hashes ciphertexts of ones, of zeros, and of both by turns, with many keys: no sum of limbs is larger than these make.
func TestLargestBlocks(t *testing.T) {
	ours(t, make([]byte, keySize))
	random := rand.NewChaCha8([32]byte{2})
	patterns := map[string]func(i int) byte{
		"ones":           func(int) byte { return 0xFF },
		"zeros":          func(int) byte { return 0 },
		"every other":    func(i int) byte { return byte(-(i >> 4 & 1)) },
		"every eighth":   func(i int) byte { return byte(-(i >> 7 & 1)) },
		"one at the end": func(i int) byte { return byte(-(i & 15 / 15)) },
	}
	for name, pattern := range patterns {
		text := make([]byte, 2000)
		for i := range text {
			text[i] = pattern(i)
		}
		for i := range 1500 {
			key, nonce := make([]byte, keySize), make([]byte, nonceSize)
			random.Read(key)
			ciphertext, additional := text[:100+i], text[:i%33]
			r, s := oneTimeKey(t, key, nonce)
			h := sum(sum(sum(new(big.Int), r, additional), r, ciphertext), r, lengthBlock(len(additional), len(ciphertext)))
			if got := tagOf(key, nonce, additional, ciphertext); !slices.Equal(got, littleEndian(h.Add(h, s))) {
				t.Fatal(fmt.Sprint(name, ", ", len(ciphertext), " bytes: the tag is wrong"))
			}
		}
	}
}
