package suite

import (
	"crypto/cipher"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/testdata"
)

// vectorised lists what there is code on vectors for.
var vectorised = []Encr{AESGCM16, AESGCM12, NullGMAC, AESCBC, ChaCha20Poly1305}

const noVectors = "this processor, or its operating system, has no vectors of 512 bits that are of use"

// onVectors says whether a cipher is one of those.
func onVectors(a any) bool {
	name := fmt.Sprintf("%T", a)
	return strings.Contains(name, "vec.") || strings.Contains(name, "OnVectors")
}

// newOf makes a cipher with a key of the default size.
func newOf(e Encr) (any, error) {
	key := make([]byte, e.info().KeyBits[0]/8)
	if e.info().Combined {
		return NewAEAD(e, key)
	}
	return NewCipher(e, key)
}

// vectorsAvailable says whether there is anything to test.
func vectorsAvailable() bool {
	return vectorGCM.available() || vectorCBC.available() || vectorChaCha.available()
}

// TestBothWays runs the known answers of GCM, GMAC, CBC and ChaCha20-Poly1305 on vectors, where the processor can, and in Go's libraries.
func TestBothWays(t *testing.T) {
	defer UseVectors(true)
	for _, use := range []bool{false, true} {
		t.Run(fmt.Sprint("vectors ", use), func(t *testing.T) {
			UseVectors(use)
			for _, e := range vectorised {
				want := use && inVectors(e).available()
				if VectorsInUse(e) != want {
					t.Fatalf("%v in use: %v", e, !want)
				}
				if a, err := newOf(e); err != nil || onVectors(a) != want {
					t.Fatalf("%v is a %T, %v", e, a, err)
				}
			}
			if VectorsInUse(AESCCM16) || VectorsInUse(AESGCM8) || VectorsInUse(AESCTR) || VectorsInUse(TripleDES) || VectorsInUse(Null) {
				t.Error("in use for what they do not do")
			}
			if use && !vectorsAvailable() {
				t.Skip(noVectors)
			}
			for _, err := range SelfTest() {
				t.Error(err)
			}
			for pattern, run := range map[string]func(*testing.T, string) (int, int){
				"public/wycheproof/aes_gcm_test.json":           wycheproofGCM,
				"public/wycheproof/aes_gmac_test.json":          wycheproofGMAC,
				"public/nist_cavs/gcm/*.rsp":                    cavsGCM,
				"public/strongswan/aes_gcm.json":                strongswan,
				"public/strongswan/chacha20poly1305.json":       strongswan,
				"public/wycheproof/chacha20_poly1305_test.json": wycheproofChaCha,
				"rfc/rfc7634_chacha20poly1305.json":             rfc7634File,
				"public/libreswan/encrypt_gcm.json":             libreswan,
				"rfc/draft-mcgrew-gcm-test-01_esp.json":         mcgrewFile,
				"public/wycheproof/aes_cbc_pkcs5_test.json":     wycheproofCBC,
				"public/nist_cavs/aes_cbc/CBC[GK]*.rsp":         cavsAESCBC,
				"public/nist_cavs/aes_cbc/CBCMMT*.rsp":          cavsAESCBC,
				"public/nist_cavs/aes_cbc/CBCMCT*.rsp":          cavsAESMonteCarlo,
				"public/strongswan/aes_cbc.json":                strongswan,
				"public/libreswan/encrypt_cbc.json":             libreswan,
				"rfc/rfc3602_aes_cbc_esp.json":                  rfc3602File,
			} {
				t.Run(pattern, func(t *testing.T) {
					names, err := filepath.Glob(filepath.Join(testdata.Dir(t, "vectors"), pattern))
					if err != nil || len(names) == 0 {
						t.Fatalf("no files: %v", err)
					}
					for _, name := range names {
						if used, _ := run(t, name); used == 0 {
							t.Errorf("%s: not one vector was used", name)
						}
					}
				})
			}
		})
	}
}

// TestO3WrongVectorsAreNotUsed: if only the vectors answer wrongly, the algorithm goes on without them, and others with theirs.
func TestO3WrongVectorsAreNotUsed(t *testing.T) {
	if !vectorsAvailable() {
		t.Skip(noVectors)
	}
	defer SelfTest()
	for row := range kats {
		by := kats[row].by
		if !by.available() {
			continue
		}
		table := brokenTable(AESGCM16, func() error { return nil })
		table[row].vector = func() error { return errAnswer }
		errs := selfTest(table)
		if len(errs) != 1 || !strings.Contains(errs[0].Error(), by.String()) || !strings.Contains(errs[0].Error(), "self-test") {
			t.Fatalf("%v", errs)
		}
		for _, e := range vectorised {
			want := inVectors(e) != by && inVectors(e).available()
			if VectorsInUse(e) != want {
				t.Errorf("%v wrong: vectors in use for %v: %v", by, e, !want)
			}
			if info, listed, made := available(e); !info || !listed || !made {
				t.Errorf("%v is gone", e)
			}
			if a, err := newOf(e); err != nil || onVectors(a) != want {
				t.Errorf("%v is a %T", e, a)
			}
		}
		table[row].vector = func() error { panic("illegal instruction") }
		if errs := selfTest(table); len(errs) != 1 || works(by) == nil {
			t.Errorf("%v", errs)
		}
	}
	if errs := SelfTest(); len(errs) != 0 {
		t.Errorf("%v", errs)
	}
	for _, e := range vectorised {
		if VectorsInUse(e) != inVectors(e).available() {
			t.Errorf("those for %v do not come back", e)
		}
	}
}

// wrongAEAD is wrong in one thing at one length.
type wrongAEAD struct {
	cipher.AEAD
	length int
	what   string
}

func (w wrongAEAD) Seal(dst, nonce, plaintext, additional []byte) []byte {
	sealed := w.AEAD.Seal(dst, nonce, plaintext, additional)
	if w.what == "seal" && len(plaintext) == w.length {
		sealed[len(sealed)-1] ^= 0x80
	}
	return sealed
}

func (w wrongAEAD) Open(dst, nonce, sealed, additional []byte) ([]byte, error) {
	plain, err := w.AEAD.Open(dst, nonce, sealed, additional)
	if len(sealed)-16 == w.length {
		switch {
		case w.what == "accept":
			return plain, nil
		case w.what == "refuse":
			return nil, errOpen
		case w.what == "plaintext" && err == nil:
			plain[0]++
		}
	}
	return plain, err
}

// TestCompareVectors changes what the comparison of the start must see.
func TestCompareVectors(t *testing.T) {
	for _, e := range compared {
		if !e.info().Combined {
			continue // see TestCompareCiphers
		}
		if err := compareAEADs(e, newScalarAEAD); err != nil {
			t.Errorf("%v of Go's libraries differs from itself: %v", e, err)
		}
		for _, what := range []string{"seal", "accept", "refuse", "plaintext"} {
			for _, bits := range e.info().KeyBits {
				for _, length := range []int{40, 540, 900, 1500, 2272, 17000} {
					err := compareAEADs(e, func(e Encr, key []byte) (cipher.AEAD, error) {
						a, err := newScalarAEAD(e, key)
						if len(key) == bits/8 {
							a = wrongAEAD{a, length, what}
						}
						return a, err
					})
					if err == nil {
						t.Errorf("%s with %d bytes and %v of %d bits is not seen", what, length, e, bits)
					}
				}
			}
		}
		if _, err := newVectorAEAD(e, make([]byte, e.info().KeyBits[0]/8)); (err == nil) != inVectors(e).available() {
			t.Error(err)
		}
	}
}

// wrongCipher is wrong in one direction, in one byte, at one length.
type wrongCipher struct {
	Cipher
	length, at int
	w          ways
}

func (c wrongCipher) Encrypt(dst, src, iv []byte) {
	c.Cipher.Encrypt(dst, src, iv)
	c.spoil(dst, src, encrypts)
}

func (c wrongCipher) Decrypt(dst, src, iv []byte) {
	c.Cipher.Decrypt(dst, src, iv)
	c.spoil(dst, src, decrypts)
}

func (c wrongCipher) spoil(dst, src []byte, w ways) {
	if c.w&w != 0 && len(src) == c.length {
		dst[c.at] ^= 1
	}
}

// TestCompareCiphers does to CBC what TestCompareVectors does to AEADs: each direction, size of key and way through the vectors, in the first
// byte and the last.
func TestCompareCiphers(t *testing.T) {
	if err := compareCiphers(AESCBC, newScalarCipher); err != nil {
		t.Errorf("CBC of Go's libraries differs from itself: %v", err)
	}
	for _, bits := range AESCBC.info().KeyBits {
		for _, w := range []ways{encrypts, decrypts} {
			for _, length := range []int{16, 48, 64, 80, 240, 256, 272, 512, 1424, 9008} {
				for _, at := range []int{0, length - 1} {
					err := compareCiphers(AESCBC, func(e Encr, key []byte, which ways) (Cipher, error) {
						c, err := newScalarCipher(e, key, which)
						if len(key) == bits/8 {
							c = wrongCipher{c, length, at, w}
						}
						return c, err
					})
					if err == nil {
						t.Errorf("byte %d of %d, direction %d, with a key of %d bits, is not seen", at, length, w, bits)
					}
				}
			}
		}
	}
	for _, w := range []ways{encrypts, decrypts, bothWays} {
		if _, err := newVectorCipher(AESCBC, make([]byte, 16), w); (err == nil) != vectorCBC.available() {
			t.Error(err)
		}
		if _, err := newVectorCipher(AESCBC, make([]byte, 17), w); err == nil {
			t.Error("a key of 17 bytes was taken")
		}
	}
}
