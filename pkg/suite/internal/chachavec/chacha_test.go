package chachavec

import (
	"bytes"
	"testing"
	"unsafe"

	"github.com/goipsec/goipsec/pkg/suite/internal/aeadtest"
)

const sunscreen = "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it."

// rfc8439 is what RFC 8439 prints of the whole construction.
var rfc8439 = []struct{ section, key, nonce, additional, text, sealed string }{
	{"2.8.2", "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f", "070000004041424344454647", "50515253c0c1c2c3c4c5c6c7", sunscreen,
		"d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36" +
			"92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b6116" +
			"1ae10b594f09e26a7e902ecbd0600691"},
	{"A.5", "1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0", "000000000102030405060708", "f33388860000000000004e91",
		"Internet-Drafts are draft documents valid for a maximum of six months and may be updated, replaced, or obsoleted by other documents at " +
			"any time. It is inappropriate to use Internet-Drafts as reference material or to cite them other than as /\u201cwork in progress./\u201d",
		"64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb24c6cfc18755d43eea09ee94e382d26b0bdb7b73c321b0100d4f03b7f355894cf" +
			"332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c8559797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4" +
			"b9166c767b804d46a59b5216cde7a4e99040c5a40433225ee282a1b0a06c523eaf4534d7f83fa1155b0047718cbc546a0d072b04b3564eea1b422273f548271a" +
			"0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a6727627097a1049e617d91d361094fa68f0ff77987130305beaba2eda04df997b714d6c6f2c29" +
			"a6ad5cb4022b02709b" + "eead9d67890cbb22392336fea1851f38"},
}

func TestRFC8439(t *testing.T) {
	for _, v := range rfc8439 {
		aeadtest.Check(t, "section "+v.section, ours(t, aeadtest.Unhex(v.key)), aeadtest.Unhex(v.nonce), aeadtest.Unhex(v.additional), []byte(v.text), aeadtest.Unhex(v.sealed))
	}
}

// TestRFC8439Encryption is section 2.4.2: the cipher alone, whose counter begins at 1, as that of the text does.
func TestRFC8439Encryption(t *testing.T) {
	aead := ours(t, aeadtest.Unhex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"))
	want := aeadtest.Unhex("6e2e359a2568f98041ba0728dd0d6981e97e7aec1d4360c20a27afccfd9fae0bf91b65c5524733ab8f593dabcd62b3571639d624e65152ab8f530c359f0861d8" +
		"07ca0dbf500d6a6156a38e088a22b65e52bc514d16ccf806818ce91ab77937365af90bbf74a35be6b40b8eedf2785e42874d")
	if got := aead.Seal(nil, aeadtest.Unhex("000000000000004a00000000"), []byte(sunscreen), nil); !bytes.Equal(got[:len(sunscreen)], want) {
		t.Errorf("%x", got)
	}
}

// TestForgeries opens nothing that was changed. Ciphertexts of 500 bytes and more are changed at some of their bits.
func TestForgeries(t *testing.T) {
	lengths := []int{0, 1, 15, 16, 63, 64, 100, 192, 193, 224, 225, 257, 449, 500, 961, 1420, 1473, 3000}
	aeadtest.Forgeries(t, ours(t, aeadtest.Pattern(keySize, 1)), lengths, func(n int) int { return 1 + n/500*13 })
}

func TestPanics(t *testing.T) {
	aeadtest.Panics(t, ours(t, aeadtest.Pattern(keySize, 1)), "chachavec: ")
}

func TestNew(t *testing.T) {
	for n := range 70 {
		aead, err := New(make([]byte, n))
		if want := Available() && n == keySize; (err == nil) != want {
			t.Fatalf("a key of %d bytes: %v", n, err)
		} else if want && (aead.NonceSize() != 12 || aead.Overhead() != 16) {
			t.Errorf("nonce of %d bytes, overhead of %d", aead.NonceSize(), aead.Overhead())
		}
	}
}

// TestUnavailable: what this processor can do is not used where it says that it cannot.
func TestUnavailable(t *testing.T) {
	defer func(was bool) { available = was }(available)
	available = false
	if _, err := New(make([]byte, keySize)); err == nil || Available() {
		t.Error("made without the instructions")
	}
}

// TestKeepsNothingOfTheCaller: the key may be overwritten.
func TestKeepsNothingOfTheCaller(t *testing.T) {
	key := aeadtest.Pattern(keySize, 1)
	aead := ours(t, key)
	want := library(t, key).Seal(nil, make([]byte, nonceSize), key, nil)
	clear(key)
	if got := aead.Seal(nil, make([]byte, nonceSize), aeadtest.Pattern(keySize, 1), nil); !bytes.Equal(got, want) {
		t.Error("the key was kept by reference")
	}
}

// TestSizes: a key is 32 bytes, and a packet allocates nothing.
func TestSizes(t *testing.T) {
	if size := unsafe.Sizeof(chacha{}); size != keySize {
		t.Errorf("%d bytes", size)
	}
	key := aeadtest.Pattern(keySize, 1)
	aead := ours(t, key)
	if n := testing.AllocsPerRun(100, func() { New(key) }); n != 1 {
		t.Errorf("%v allocations for a key", n)
	}
	if n := aeadtest.Allocates(t, aead); n != 0 {
		t.Errorf("%v allocations for three packets", n)
	}
}

func TestConcurrency(t *testing.T) {
	key := aeadtest.Pattern(keySize, 1)
	aeadtest.AtTheSameTime(t, ours(t, key), library(t, key))
}
