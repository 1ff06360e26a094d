// Package aeadtest is what the tests of our own ciphers share: the same questions, asked of each AEAD, and of CBC as if it were one, beside an implementation by others. Only tests import it.
package aeadtest

import (
	"bytes"
	"crypto/cipher"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// Pattern makes n bytes that are not alike.
func Pattern(n, seed int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*13 + i>>8*7 + seed*29)
	}
	return b
}

// Stretch makes n bytes of any number of bytes.
func Stretch(b []byte, n int) []byte {
	out := Pattern(n, len(b))
	for i := range b {
		if n > 0 {
			out[i%n] ^= b[i]
		}
	}
	return out
}

// Unhex reads hexadecimal digits.
func Unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// Check seals, from buffer to buffer and in place, opens both ways, and appends.
func Check(t *testing.T, name string, aead cipher.AEAD, nonce, additional, text, sealed []byte) {
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

// Forgeries changes each bit of tag, additional data and nonce, and of ciphertexts of these lengths one in each step(length): nothing is opened, nothing is left
// in the place of the plaintext, and nothing else is changed.
func Forgeries(t *testing.T, aead cipher.AEAD, lengths []int, step func(n int) int) {
	t.Helper()
	tagSize := aead.Overhead()
	for _, n := range lengths {
		nonce, additional := Pattern(12, 2), Pattern(12, 3)
		sealed := aead.Seal(nil, nonce, Pattern(n, 4), additional)
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
		for bit := 0; bit < 8*n; bit += step(n) {
			flip("ciphertext", sealed[:n], bit)
		}
		for _, cut := range []int{1, tagSize, len(sealed)} {
			if _, err := aead.Open(nil, nonce, sealed[:max(0, len(sealed)-cut)], additional); err == nil {
				t.Fatalf("%d bytes without the last %d: opened", n, cut)
			}
		}
	}
}

// Panics misuses an AEAD with tags of 16 bytes: each misuse ends in a panic whose text begins with the prefix.
func Panics(t *testing.T, aead cipher.AEAD, prefix string) {
	t.Helper()
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
				if text, ok := recover().(string); !ok || !strings.HasPrefix(text, prefix) {
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

// Allocates tells how often three packets with little additional data, sealed and opened in place, allocate.
func Allocates(t *testing.T, aead cipher.AEAD) float64 {
	nonce, additional, buf := Pattern(12, 2), Pattern(40, 3), make([]byte, 1420, 1440)
	return testing.AllocsPerRun(100, func() {
		for _, length := range []int{0, 12, 40} {
			sealed := aead.Seal(buf[:0], nonce, buf, additional[:length])
			if _, err := aead.Open(buf[:0], nonce, sealed, additional[:length]); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// AtTheSameTime uses one key from several tests at a time, and compares with another implementation.
func AtTheSameTime(t *testing.T, aead, other cipher.AEAD) {
	for n := range 4 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			nonce, text := Pattern(12, n), Pattern(500*n, n)
			want := other.Seal(nil, nonce, text, nonce)
			for range 200 {
				Check(t, "at the same time", aead, nonce, nonce, text, want)
			}
		})
	}
}
