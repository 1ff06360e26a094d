package chachavec

import (
	"bytes"
	"crypto/cipher"
	"testing"
)

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
