package cbcvec

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"testing"

	"github.com/goipsec/goipsec/pkg/suite/internal/buffer"
)

// mode is both directions of CBC under one key. So that it can be asked what AEADs are asked, it is one: of no tag, with the IV for a nonce,
// and without additional data.
type mode struct{ encrypt, decrypt func(dst, src, iv []byte) }

func (mode) NonceSize() int { return blockSize }
func (mode) Overhead() int  { return 0 }

func (m mode) Seal(dst, iv, text, _ []byte) []byte {
	whole, out := buffer.Grow(dst, len(text))
	m.encrypt(out, text, iv)
	return whole
}

func (m mode) Open(dst, iv, sealed, _ []byte) ([]byte, error) {
	whole, out := buffer.Grow(dst, len(sealed))
	m.decrypt(out, sealed, iv)
	return whole, nil
}

// ours makes a cipher of this package, or skips the test.
func ours(tb testing.TB, key []byte) mode {
	tb.Helper()
	if !Available() {
		tb.Skip("this processor, or its operating system, has no AES on vectors of 512 bits: there is nothing to test")
	}
	e, err := NewEncrypter(key)
	if err != nil {
		tb.Fatal(err)
	}
	d, err := NewDecrypter(key)
	if err != nil {
		tb.Fatal(err)
	}
	return mode{e.Encrypt, d.Decrypt}
}

// standard is the standard library's CBC, which everything here is compared with.
func standard(tb testing.TB, key []byte) mode {
	tb.Helper()
	b, err := aes.NewCipher(key)
	if err != nil {
		tb.Fatal(err)
	}
	type setter interface {
		cipher.BlockMode
		SetIV([]byte)
	}
	of := func(m setter) func(dst, src, iv []byte) {
		return func(dst, src, iv []byte) {
			m.SetIV(iv)
			m.CryptBlocks(dst, src)
		}
	}
	iv := make([]byte, blockSize)
	return mode{of(cipher.NewCBCEncrypter(b, iv).(setter)), of(cipher.NewCBCDecrypter(b, iv).(setter))}
}

// check encrypts and decrypts, from buffer to buffer and in place.
func (m mode) check(t *testing.T, name string, iv, plain, sealed []byte) {
	t.Helper()
	for _, way := range []struct {
		name     string
		run      func(dst, src, iv []byte)
		from, to []byte
	}{{"encrypted", m.encrypt, plain, sealed}, {"decrypted", m.decrypt, sealed, plain}} {
		out, in := make([]byte, len(plain)), bytes.Clone(way.from)
		way.run(out, in, iv)
		if !bytes.Equal(out, way.to) || !bytes.Equal(in, way.from) {
			t.Fatalf("%s: %s to %x, not %x", name, way.name, out, way.to)
		}
		way.run(in, in, iv)
		if !bytes.Equal(in, way.to) {
			t.Fatalf("%s: %s in place to %x, not %x", name, way.name, in, way.to)
		}
	}
}
