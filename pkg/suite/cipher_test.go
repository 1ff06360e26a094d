package suite

import (
	"bytes"
	"crypto/aes"
	"crypto/des"
	"encoding/binary"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

// slowCBC is CBC block by block (SP 800-38A §6.2).
func slowCBC(t *rapid.T, e Encr, key, iv, plain []byte) []byte {
	block, err := newBlock(e, key)
	if err != nil {
		t.Fatal(err)
	}
	out, chain := []byte{}, bytes.Clone(iv)
	for n := block.BlockSize(); len(plain) > 0; plain = plain[n:] {
		for i := range chain {
			chain[i] ^= plain[i]
		}
		block.Encrypt(chain, chain)
		out = append(out, chain...)
	}
	return out
}

// slowCTR is RFC 3686 §2.1, byte by byte.
func slowCTR(t *rapid.T, keymat, iv, plain []byte) []byte {
	block, err := aes.NewCipher(keymat[:len(keymat)-4])
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, len(plain))
	for i := range plain {
		counter := append(append(bytes.Clone(keymat[len(keymat)-4:]), iv...), 0, 0, 0, 0)
		binary.BigEndian.PutUint32(counter[12:], uint32(1+i/16))
		block.Encrypt(counter, counter)
		out[i] = plain[i] ^ counter[i%16]
	}
	return out
}

// TestCiphersAgainstDefinition compares CBC and CTR with their definitions, with several packets through one cipher.
func TestCiphersAgainstDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := rapid.SampledFrom([]Encr{AESCBC, AESCTR, TripleDES, DES}).Draw(t, "algorithm")
		info, _ := e.Info()
		n := e.KeyMatLen(rapid.SampledFrom(info.KeyBits).Draw(t, "bits"))
		keymat := drawBytes(t, n, n, "keying material")
		c, err := NewCipher(e, keymat)
		if errors.Is(err, ErrWeakKey) {
			t.Skip("a weak key")
		}
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			iv := drawBytes(t, info.IVLen, info.IVLen, "IV")
			plain := drawBytes(t, 0, 100, "plaintext")
			plain = plain[:len(plain)/info.BlockSize*info.BlockSize]
			var want []byte
			if e == AESCTR {
				want = slowCTR(t, keymat, iv, plain)
			} else {
				want = slowCBC(t, e, keymat, iv, plain)
			}
			buf := bytes.Clone(plain)
			c.Encrypt(buf, buf, iv)
			if !bytes.Equal(buf, want) {
				t.Fatalf("%v differs from its definition", e)
			}
			c.Decrypt(buf, buf, iv)
			if !bytes.Equal(buf, plain) {
				t.Fatalf("%v does not decrypt what it encrypted", e)
			}
		}
	})
}

// TestRFC2409AppendixAWeakKeys sees that every weak key is refused whatever its parity bits are, that encrypting with one of a pair of
// them undoes the other (which is what makes them weak), and that a neighbour is taken.
func TestRFC2409AppendixAWeakKeys(t *testing.T) {
	key := func(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }
	undone := func(a, b uint64) bool {
		buf := []byte("8 bytes!")
		for _, k := range []uint64{a, b} {
			block, err := des.NewCipher(key(k))
			if err != nil {
				t.Fatal(err)
			}
			block.Encrypt(buf, buf)
		}
		return string(buf) == "8 bytes!"
	}
	for i, weak := range weakDES {
		for _, bits := range []uint64{0, parity, 0x0100000000000001} {
			if _, err := NewCipher(DES, key(weak|bits)); !errors.Is(err, ErrWeakKey) {
				t.Errorf("key %d with parity %x: %v", i, bits, err)
			}
		}
		if _, err := NewCipher(DES, key(weak^2)); err != nil {
			t.Errorf("a neighbour of key %d: %v", i, err)
		}
		partners := 0
		for _, other := range weakDES {
			if undone(weak, other) {
				partners++
			}
		}
		if partners != 1 {
			t.Errorf("key %d has %d partners", i, partners)
		}
	}
}

// TestRFC2451Section2_3EqualKeys: "if the first two or last two independent 64-bit keys are equal (k1 == k2 or k2 == k3), then the 3DES
// operation is simply the same as DES. Implementers MUST reject keys that exhibit this property."
func TestRFC2451Section2_3EqualKeys(t *testing.T) {
	k1, k2, k3 := []byte("onekey.."), []byte("another."), []byte("a third.")
	flipped := bytes.Clone(k1)
	for i := range flipped {
		flipped[i] ^= 1 // parity only
	}
	for name, test := range map[string]struct {
		key  []byte
		weak bool
	}{
		"three keys":             {bytes.Join([][]byte{k1, k2, k3}, nil), false},
		"first and last equal":   {bytes.Join([][]byte{k1, k2, k1}, nil), false},
		"first two equal":        {bytes.Join([][]byte{k1, k1, k3}, nil), true},
		"last two equal":         {bytes.Join([][]byte{k1, k2, k2}, nil), true},
		"all equal":              {bytes.Join([][]byte{k1, k1, k1}, nil), true},
		"equal but for parity":   {bytes.Join([][]byte{k1, flipped, k3}, nil), true},
		"last equal but for it":  {bytes.Join([][]byte{k3, flipped, k1}, nil), true},
		"a weak key among three": {bytes.Join([][]byte{make([]byte, 8), k2, k3}, nil), false},
	} {
		if _, err := NewCipher(TripleDES, test.key); errors.Is(err, ErrWeakKey) != test.weak {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRFC2410Null sees that NULL leaves the bytes alone.
func TestRFC2410Null(t *testing.T) {
	c, err := NewCipher(Null, nil)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, 5)
	c.Encrypt(out, []byte("hello"), nil)
	equal(t, "encrypted", out, []byte("hello"))
	back := make([]byte, 5)
	c.Decrypt(back, out, nil)
	equal(t, "decrypted", back, []byte("hello"))
}

// TestCTRWrongIV sees that an IV of a wrong length is a fault of the caller and does not make a wrong counter block.
func TestCTRWrongIV(t *testing.T) {
	c, err := NewCipher(AESCTR, make([]byte, 20))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 7, 9, 16} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("an IV of %d bytes was taken", n)
				}
			}()
			c.Encrypt(make([]byte, 4), make([]byte, 4), make([]byte, n))
		}()
	}
}

// TestHalfCiphers sees that a cipher for one direction does what one for both does, and nothing else, on vectors and without.
func TestHalfCiphers(t *testing.T) {
	defer UseVectors(true)
	for _, use := range []bool{true, false} {
		UseVectors(use)
		halfCiphers(t)
	}
}

func halfCiphers(t *testing.T) {
	t.Helper()
	for _, e := range []Encr{AESCBC, AESCTR, TripleDES, DES, Null} {
		info, _ := e.Info()
		keymat := make([]byte, e.KeyMatLen(0))
		for i := range keymat {
			keymat[i] = byte(3*i + 1)
		}
		both, err1 := NewCipher(e, keymat)
		seal, err2 := NewEncrypter(e, keymat)
		open, err3 := NewDecrypter(e, keymat)
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Fatal(err)
		}
		iv, plain := make([]byte, info.IVLen), bytes.Repeat([]byte{7}, 48)
		want, got, back := make([]byte, 48), make([]byte, 48), make([]byte, 48)
		both.Encrypt(want, plain, iv)
		seal.Encrypt(got, plain, iv)
		open.Decrypt(back, got, iv)
		if !bytes.Equal(got, want) || !bytes.Equal(back, plain) {
			t.Errorf("%v: the halves differ from the whole", e)
		}
		if info.BlockSize <= 1 {
			continue // streams have no halves
		}
		for _, wrong := range []func(){func() { seal.Decrypt(back, got, iv) }, func() { open.Encrypt(got, plain, iv) }} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%v: a cipher for one direction worked in the other", e)
					}
				}()
				wrong()
			}()
		}
	}
	if _, err := NewEncrypter(DES, make([]byte, 8)); !errors.Is(err, ErrWeakKey) {
		t.Errorf("a weak key: %v", err)
	}
}
