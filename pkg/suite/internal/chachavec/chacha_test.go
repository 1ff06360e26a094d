package chachavec

import (
	"bytes"
	"crypto/cipher"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"unsafe"
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
		check(t, "section "+v.section, ours(t, unhex(v.key)), unhex(v.nonce), unhex(v.additional), []byte(v.text), unhex(v.sealed))
	}
}

// TestRFC8439Encryption is section 2.4.2: the cipher alone, whose counter begins at 1, as that of the text does.
func TestRFC8439Encryption(t *testing.T) {
	aead := ours(t, unhex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"))
	want := unhex("6e2e359a2568f98041ba0728dd0d6981e97e7aec1d4360c20a27afccfd9fae0bf91b65c5524733ab8f593dabcd62b3571639d624e65152ab8f530c359f0861d8" +
		"07ca0dbf500d6a6156a38e088a22b65e52bc514d16ccf806818ce91ab77937365af90bbf74a35be6b40b8eedf2785e42874d")
	if got := aead.Seal(nil, unhex("000000000000004a00000000"), []byte(sunscreen), nil); !bytes.Equal(got[:len(sunscreen)], want) {
		t.Errorf("%x", got)
	}
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// check seals, from buffer to buffer and in place, opens both ways, and appends.
func check(t *testing.T, name string, aead cipher.AEAD, nonce, additional, text, sealed []byte) {
	t.Helper()
	if got := aead.Seal(nil, nonce, text, additional); !bytes.Equal(got, sealed) {
		t.Fatalf("%s: sealed to %x, not %x", name, got, sealed)
	}
	if got := aead.Seal([]byte("prefix"), nonce, text, additional); !bytes.Equal(got, append([]byte("prefix"), sealed...)) {
		t.Fatalf("%s: appended %x", name, got)
	}
	buf := append(make([]byte, 0, len(sealed)), text...)
	if got := aead.Seal(buf[:0], nonce, buf, additional); !bytes.Equal(got, sealed) {
		t.Fatalf("%s: sealed in place to %x, not %x", name, got, sealed)
	}
	got, err := aead.Open(nil, nonce, sealed, additional)
	if err != nil || !bytes.Equal(got, text) {
		t.Fatalf("%s: opened %x, %v, not %x", name, got, err, text)
	}
	got, err = aead.Open(buf[:0], nonce, buf[:len(sealed)], additional)
	if err != nil || !bytes.Equal(got, text) {
		t.Fatalf("%s: opened in place %x, %v, not %x", name, got, err, text)
	}
}

// TestForgeries changes each bit of tag, additional data, nonce and ciphertext, of long ones some: nothing is opened, nothing is left in the
// place of the plaintext, and nothing else is changed.
func TestForgeries(t *testing.T) {
	aead := ours(t, pattern(keySize, 1))
	for _, n := range []int{0, 1, 15, 16, 63, 64, 100, 192, 193, 224, 225, 257, 449, 500, 961, 1420, 1473, 3000} {
		nonce, additional := pattern(12, 2), pattern(12, 3)
		sealed := aead.Seal(nil, nonce, pattern(n, 4), additional)
		refuse := func(what string, bit int) {
			t.Helper()
			for _, inPlace := range []bool{false, true} {
				buf, out := bytes.Clone(sealed), bytes.Repeat([]byte{0xA5}, n+32)
				dst := out[:16]
				if inPlace {
					dst, out = buf[:0], buf
				}
				got, err := aead.Open(dst, nonce, buf, additional)
				if err == nil || got != nil {
					t.Fatalf("%d bytes with bit %d of the %s changed: opened", n, bit, what)
				}
				text := out[len(dst):][:n]
				if !bytes.Equal(text, make([]byte, n)) {
					t.Fatalf("%d bytes with bit %d of the %s changed: %x is left", n, bit, what, text)
				}
				if inPlace && !bytes.Equal(buf[n:], sealed[n:]) || !inPlace && !bytes.Equal(append(out[:16:16], out[16+n:]...), bytes.Repeat([]byte{0xA5}, 32)) {
					t.Fatalf("%d bytes with bit %d of the %s changed: written beyond the text", n, bit, what)
				}
			}
		}
		flip := func(what string, b []byte, bit int) {
			b[bit/8] ^= 1 << (bit % 8)
			refuse(what, bit)
			b[bit/8] ^= 1 << (bit % 8)
		}
		for bit := range 8 * tagSize {
			flip("tag", sealed[n:], bit)
		}
		for bit := range 8 * len(additional) {
			flip("additional data", additional, bit)
			flip("nonce", nonce, bit)
		}
		for bit := 0; bit < 8*n; bit += 1 + n/500*13 {
			flip("ciphertext", sealed[:n], bit)
		}
		for _, cut := range []int{1, tagSize, len(sealed)} {
			if _, err := aead.Open(nil, nonce, sealed[:max(0, len(sealed)-cut)], additional); err == nil {
				t.Fatalf("%d bytes without the last %d: opened", n, cut)
			}
		}
	}
}

func TestPanics(t *testing.T) {
	aead := ours(t, pattern(keySize, 1))
	buf := make([]byte, 300)
	nonce := make([]byte, 12)
	sealed := aead.Seal(nil, nonce, buf[:100], nil)
	for name, run := range map[string]func(){
		"short nonce, Seal":                 func() { aead.Seal(nil, nonce[:11], nil, nil) },
		"long nonce, Seal":                  func() { aead.Seal(nil, buf[:13], nil, nil) },
		"short nonce, Open":                 func() { aead.Open(nil, nonce[:11], sealed, nil) },
		"short nonce and nothing, Open":     func() { aead.Open(nil, nil, nil, nil) },
		"overlap by one, Seal":              func() { aead.Seal(buf[1:1], nonce, buf[:100], nil) },
		"overlap from behind, Seal":         func() { aead.Seal(buf[:0], nonce, buf[1:100], nil) },
		"tag over the text, Seal":           func() { aead.Seal(buf[:0], nonce, buf[115:120], nil); aead.Seal(buf[:0], nonce, buf[10:15], nil) },
		"overlap by one, Open":              func() { aead.Open(buf[1:1], nonce, buf[:100], nil) },
		"overlap with the tag, Open":        func() { aead.Open(buf[99:99], nonce, buf[:100], nil) },
		"additional data overwritten, Seal": func() { aead.Seal(buf[:0], nonce, buf[:100], buf[99:107]) },
		"additional data overwritten, Open": func() { aead.Open(buf[:0], nonce, buf[:100], buf[80:88]) },
	} {
		func() {
			defer func() {
				if text, ok := recover().(string); !ok || !strings.HasPrefix(text, "chachavec: ") {
					t.Errorf("%s: no panic of ours: %q", name, text)
				}
			}()
			run()
		}()
	}
	// Neighbours are no overlap.
	aead.Seal(buf[100:100], nonce, buf[:100], buf[216:224])
	aead.Seal(buf[:0], nonce, buf[:100], buf[116:124])
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
	key := pattern(keySize, 1)
	aead := ours(t, key)
	want := library(t, key).Seal(nil, make([]byte, nonceSize), key, nil)
	clear(key)
	if got := aead.Seal(nil, make([]byte, nonceSize), pattern(keySize, 1), nil); !bytes.Equal(got, want) {
		t.Error("the key was kept by reference")
	}
}

// TestSizes: a key is 32 bytes, and a packet allocates nothing.
func TestSizes(t *testing.T) {
	if size := unsafe.Sizeof(chacha{}); size != keySize {
		t.Errorf("%d bytes", size)
	}
	key, nonce, additional := pattern(keySize, 1), pattern(nonceSize, 2), pattern(40, 3)
	aead := ours(t, key)
	if n := testing.AllocsPerRun(100, func() { New(key) }); n != 1 {
		t.Errorf("%v allocations for a key", n)
	}
	buf := make([]byte, 1420, 1440)
	if n := testing.AllocsPerRun(100, func() {
		for _, length := range []int{0, 12, 40} {
			sealed := aead.Seal(buf[:0], nonce, buf, additional[:length])
			if _, err := aead.Open(buf[:0], nonce, sealed, additional[:length]); err != nil {
				t.Fatal(err)
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations for three packets", n)
	}
}

// TestConcurrency uses one key from several tests at a time.
func TestConcurrency(t *testing.T) {
	key := pattern(32, 1)
	aead, other := ours(t, key), library(t, key)
	for n := range 4 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			nonce, text := pattern(12, n), pattern(500*n, n)
			want := other.Seal(nil, nonce, text, nonce)
			for range 200 {
				check(t, "at the same time", aead, nonce, nonce, text, want)
			}
		})
	}
}
