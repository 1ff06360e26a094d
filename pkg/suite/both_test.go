package suite

import (
	"bytes"
	"crypto/cipher"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/suite/internal/gcmvec"
	"github.com/goipsec/goipsec/pkg/testdata"
)

// TestBothGCMs runs the known answers of GCM and GMAC on vectors, where the processor can, and in the standard library.
func TestBothGCMs(t *testing.T) {
	defer UseVectors(true)
	for _, use := range []bool{false, true} {
		t.Run(fmt.Sprint("vectors ", use), func(t *testing.T) {
			UseVectors(use)
			if VectorsInUse() != (use && gcmvec.Available()) {
				t.Fatalf("in use: %v", VectorsInUse())
			}
			if use && !VectorsInUse() {
				t.Skip("this processor, or its operating system, has no AES on vectors of 512 bits")
			}
			for _, e := range []Encr{AESGCM16, AESGCM12, NullGMAC} {
				a, err := NewAEAD(e, make([]byte, 16))
				if err != nil {
					t.Fatal(err)
				}
				if ours := strings.Contains(fmt.Sprintf("%T", a), "gcmvec"); ours != use {
					t.Errorf("%v is a %T", e, a)
				}
			}
			for _, err := range SelfTest() {
				t.Error(err)
			}
			for pattern, run := range map[string]func(*testing.T, string) (int, int){
				"public/wycheproof/aes_gcm_test.json":   wycheproofGCM,
				"public/wycheproof/aes_gmac_test.json":  wycheproofGMAC,
				"public/nist_cavs/gcm/*.rsp":            cavsGCM,
				"public/strongswan/aes_gcm.json":        strongswan,
				"public/libreswan/encrypt_gcm.json":     libreswan,
				"rfc/draft-mcgrew-gcm-test-01_esp.json": mcgrewFile,
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

// TestO3WrongVectorsAreNotUsed: if only the vectors answer wrongly, GCM goes on without them.
func TestO3WrongVectorsAreNotUsed(t *testing.T) {
	if !gcmvec.Available() {
		t.Skip("this processor, or its operating system, has no AES on vectors of 512 bits")
	}
	defer SelfTest()
	for row := range kats {
		if kats[row].vector == nil {
			continue
		}
		table := brokenTable(AESGCM16, func() error { return nil })
		table[row].vector = func() error { return errAnswer }
		errs := selfTest(table)
		if len(errs) != 1 || !strings.Contains(errs[0].Error(), "vectors") || !strings.Contains(errs[0].Error(), "self-test") {
			t.Fatalf("%v", errs)
		}
		if VectorsInUse() {
			t.Error("still in use")
		}
		for _, e := range []Encr{AESGCM16, AESGCM12, NullGMAC} {
			if info, listed, made := available(e); !info || !listed || !made {
				t.Errorf("%v is gone", e)
			}
			if a, err := NewAEAD(e, make([]byte, 16)); err != nil || strings.Contains(fmt.Sprintf("%T", a), "gcmvec") {
				t.Errorf("%v is a %T", e, a)
			}
		}
		table[row].vector = func() error { panic("illegal instruction") }
		if errs := selfTest(table); len(errs) != 1 || VectorsInUse() {
			t.Errorf("%v", errs)
		}
	}
	if errs := SelfTest(); len(errs) != 0 || !VectorsInUse() {
		t.Errorf("they do not come back: %v", errs)
	}
}

// wrongGCM is wrong in one thing at one length.
type wrongGCM struct {
	cipher.AEAD
	length int
	what   string
}

func (w wrongGCM) Seal(dst, nonce, plaintext, additional []byte) []byte {
	sealed := w.AEAD.Seal(dst, nonce, plaintext, additional)
	if w.what == "seal" && len(plaintext) == w.length {
		sealed[len(sealed)-1] ^= 0x80
	}
	return sealed
}

func (w wrongGCM) Open(dst, nonce, sealed, additional []byte) ([]byte, error) {
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
	if err := compareVectors(newScalarAEAD); err != nil {
		t.Errorf("the standard library differs from itself: %v", err)
	}
	for _, what := range []string{"seal", "accept", "refuse", "plaintext"} {
		for _, bits := range []int{128, 192, 256} {
			for _, length := range []int{40, 540, 1500} {
				err := compareVectors(func(e Encr, key []byte) (cipher.AEAD, error) {
					a, err := newScalarAEAD(e, key)
					if len(key) == bits/8 {
						a = wrongGCM{a, length, what}
					}
					return a, err
				})
				if err == nil {
					t.Errorf("%s with %d bytes and %d bits is not seen", what, length, bits)
				}
			}
		}
	}
	key := bytes.Repeat([]byte{7}, 16)
	if _, err := newVectorAEAD(AESGCM16, key); (err == nil) != gcmvec.Available() {
		t.Error(err)
	}
}
