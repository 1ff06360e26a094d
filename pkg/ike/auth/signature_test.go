package auth_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"testing"

	"github.com/goipsec/goipsec/pkg/ike/auth"
	"github.com/goipsec/goipsec/pkg/suite"
	"github.com/goipsec/goipsec/pkg/testpki"
)

func keysOfAllKinds(t *testing.T) []crypto.Signer {
	t.Helper()
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return []crypto.Signer{testpki.RSA(t, 2048, 0), testpki.ECDSA(t), testpki.ECDSAOn(t, elliptic.P384()), testpki.ECDSAOn(t, elliptic.P521()), testpki.ECDSAOn(t, elliptic.P224()), ed}
}

// TestRFC2409Section5_1RSABlock takes a signature apart: a PKCS #1 block of type 1 around the bare hash, without the identifier of an algorithm.
func TestRFC2409Section5_1RSABlock(t *testing.T) {
	key := testpki.RSA(t, 2048, 0)
	hash := []byte("twenty bytes of hash")
	sig, err := auth.Sign(rand.Reader, key, hash)
	if err != nil {
		t.Fatal(err)
	}
	block := new(big.Int).Exp(new(big.Int).SetBytes(sig), big.NewInt(int64(key.E)), key.N).FillBytes(make([]byte, 256))
	want := append(append([]byte{0, 1}, bytes.Repeat([]byte{0xff}, 256-3-len(hash))...), 0)
	if want = append(want, hash...); !bytes.Equal(block, want) {
		t.Errorf("%x", block)
	}
	// A block with the identifier is a signature of something else, and so is one that ends early (Bleichenbacher's forgery with a small exponent).
	for what, sign := range map[string]func() ([]byte, error){
		"with an identifier": func() ([]byte, error) { return rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA1, hash) },
		"of a longer hash":   func() ([]byte, error) { return rsa.SignPKCS1v15(rand.Reader, key, 0, append([]byte{0}, hash...)) },
		"of a shorter hash":  func() ([]byte, error) { return rsa.SignPKCS1v15(rand.Reader, key, 0, hash[:19]) },
	} {
		bad, err := sign()
		if err != nil {
			t.Fatal(err)
		}
		if auth.VerifySignature(key.Public(), hash, bad) == nil {
			t.Errorf("a signature %s counts", what)
		}
	}
}

// TestRFC4754ConcatenatedSignature: r and s, each as long as the order of the curve, zeros in front kept.
func TestRFC4754ConcatenatedSignature(t *testing.T) {
	for i, want := range map[int]int{1: 64, 2: 96, 3: 132} {
		key := keysOfAllKinds(t)[i]
		for n := range 300 { // one in 256 has a zero in front
			hash := bytes.Repeat([]byte{byte(n)}, 32)
			sig, err := auth.Sign(rand.Reader, key, hash)
			if err != nil {
				t.Fatal(err)
			}
			if len(sig) != want || auth.VerifySignature(key.Public(), hash, sig) != nil {
				t.Fatalf("%d bytes", len(sig))
			}
		}
	}
}

// TestSKEYIDSignatureBinds: the root key changes with each part.
func TestSKEYIDSignatureBinds(t *testing.T) {
	a := auth.SKEYIDSignature(suite.SHA256, []byte("ni"), []byte("nr"), []byte("gxy"))
	for _, b := range [][]byte{auth.SKEYIDSignature(suite.SHA256, []byte("nj"), []byte("nr"), []byte("gxy")), auth.SKEYIDSignature(suite.SHA256, []byte("ni"), []byte("ns"), []byte("gxy")),
		auth.SKEYIDSignature(suite.SHA256, []byte("ni"), []byte("nr"), []byte("gxz"))} {
		if bytes.Equal(a, b) {
			t.Error("a part does not matter")
		}
	}
}

// TestP23HugeRSAKey: a key so large that one verification would take long is refused before it.
func TestP23HugeRSAKey(t *testing.T) {
	n := new(big.Int).SetBit(big.NewInt(1), 16383, 1)
	err := auth.VerifySignature(&rsa.PublicKey{N: n, E: 65537}, make([]byte, 32), make([]byte, 2048))
	if err == nil || !bytes.Contains([]byte(err.Error()), []byte("16384 bits")) {
		t.Errorf("%v", err)
	}
}
