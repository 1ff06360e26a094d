package gcmvec

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"github.com/goipsec/goipsec/pkg/suite/internal/aeadtest"
)

// These are from McGrew and Viega, "The Galois/Counter Mode of Operation (GCM)", appendix B: those with nonces of 96 bits.
const (
	key16   = "feffe9928665731c6d6a8f9467308308"
	nonce12 = "cafebabefacedbaddecaf888"
	text64  = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255"
	aad20   = "feedfacedeadbeeffeedfacedeadbeefabaddad2"
)

var specification = []struct {
	number                                            int
	key, nonce, additional, text, ciphertext, authTag string
}{
	{1, zeros(16), zeros(12), "", "", "", "58e2fccefa7e3061367f1d57a4e7455a"},
	{2, zeros(16), zeros(12), "", zeros(16), "0388dace60b6a392f328c2b971b2fe78", "ab6e47d42cec13bdf53a67b21257bddf"},
	{3, key16, nonce12, "", text64,
		"42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985",
		"4d5c2af327cd64a62cf35abd2ba6fab4"},
	{4, key16, nonce12, aad20, text64[:120],
		"42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091",
		"5bc94fbc3221a5db94fae95ae7121a47"},
	{7, zeros(24), zeros(12), "", "", "", "cd33b28ac773f74ba00ed1f312572435"},
	{8, zeros(24), zeros(12), "", zeros(16), "98e7247c07f0fe411c267e4384b0f600", "2ff58d80033927ab8ef4d4587514f0fb"},
	{9, key16 + key16[:16], nonce12, "", text64,
		"3980ca0b3c00e841eb06fac4872a2757859e1ceaa6efd984628593b40ca1e19c7d773d00c144c525ac619d18c84a3f4718e2448b2fe324d9ccda2710acade256",
		"9924a7c8587336bfb118024db8674a14"},
	{10, key16 + key16[:16], nonce12, aad20, text64[:120],
		"3980ca0b3c00e841eb06fac4872a2757859e1ceaa6efd984628593b40ca1e19c7d773d00c144c525ac619d18c84a3f4718e2448b2fe324d9ccda2710",
		"2519498e80f1478f37ba55bd6d27618c"},
	{13, zeros(32), zeros(12), "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
	{14, zeros(32), zeros(12), "", zeros(16), "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"},
	{15, key16 + key16, nonce12, "", text64,
		"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
		"b094dac5d93471bdec1a502270e3cc6c"},
	{16, key16 + key16, nonce12, aad20, text64[:120],
		"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
		"76fc6ece0f4e1768cddf8853bb2d551b"},
}

func zeros(n int) string { return strings.Repeat("00", n) }

func TestSpecification(t *testing.T) {
	for _, v := range specification {
		for _, tagSize := range []int{16, 12} { // SP 800-38D §5.2.1.2: a shorter tag is the beginning of the whole
			aeadtest.Check(t, fmt.Sprint("case ", v.number), ours(t, aeadtest.Unhex(v.key), tagSize), aeadtest.Unhex(v.nonce), aeadtest.Unhex(v.additional), aeadtest.Unhex(v.text),
				aeadtest.Unhex(v.ciphertext+v.authTag[:2*tagSize]))
		}
	}
}

// TestForgeries opens nothing that was changed, whatever the tag's length.
func TestForgeries(t *testing.T) {
	lengths := []int{0, 1, 15, 16, 47, 48, 49, 100, 112, 113, 239, 240, 241, 256, 300, 500, 1000}
	for _, tagSize := range []int{16, 12} {
		aeadtest.Forgeries(t, ours(t, aeadtest.Pattern(16, 1), tagSize), lengths, func(n int) int { return 1 + n/32 })
	}
}

func TestPanics(t *testing.T) { aeadtest.Panics(t, ours(t, aeadtest.Pattern(16, 1), 16), "gcmvec: ") }

func TestNew(t *testing.T) {
	for n := range 70 {
		for tagSize := range 20 {
			aead, err := New(make([]byte, n), tagSize)
			want := Available() && (n == 16 || n == 24 || n == 32) && (tagSize == 12 || tagSize == 16)
			if (err == nil) != want {
				t.Fatalf("a key of %d and a tag of %d bytes: %v", n, tagSize, err)
			}
			if want && (aead.NonceSize() != 12 || aead.Overhead() != tagSize) {
				t.Errorf("nonce of %d bytes, overhead of %d", aead.NonceSize(), aead.Overhead())
			}
		}
	}
}

// TestUnavailable: what this processor can do is not used where it says that it cannot.
func TestUnavailable(t *testing.T) {
	defer func(was bool) { available = was }(available)
	available = false
	if _, err := New(make([]byte, 16), 16); err == nil || Available() {
		t.Error("made without the instructions")
	}
}

// TestKeepsNothingOfTheCaller: the key may be overwritten.
func TestKeepsNothingOfTheCaller(t *testing.T) {
	key := aeadtest.Pattern(16, 1)
	aead := ours(t, key, 16)
	want := standard(t, key, 16).Seal(nil, make([]byte, 12), key, nil)
	clear(key)
	if got := aead.Seal(nil, make([]byte, 12), aeadtest.Pattern(16, 1), nil); !bytes.Equal(got, want) {
		t.Error("the key was kept by reference")
	}
}

// TestSizes: one object of a size class of the allocator for a key, and nothing for a packet.
func TestSizes(t *testing.T) {
	for size, most := range map[uintptr]uintptr{unsafe.Sizeof(gcm128{}): 480, unsafe.Sizeof(gcm192{}): 512, unsafe.Sizeof(gcm256{}): 576} {
		if size > most {
			t.Errorf("%d bytes, more than %d", size, most)
		}
	}
	key := aeadtest.Pattern(16, 1)
	for _, tagSize := range []int{16, 12} {
		aead := ours(t, key, tagSize)
		if n := testing.AllocsPerRun(100, func() { New(key, tagSize) }); n != 1 {
			t.Errorf("%v allocations for a key", n)
		}
		if n := aeadtest.Allocates(t, aead); n != 0 {
			t.Errorf("%v allocations for three packets", n)
		}
	}
}

func TestConcurrency(t *testing.T) {
	key := aeadtest.Pattern(32, 1)
	aeadtest.AtTheSameTime(t, ours(t, key, 16), standard(t, key, 16))
}
