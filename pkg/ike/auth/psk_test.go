package auth_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/goipsec/goipsec/pkg/ike/auth"
	"github.com/goipsec/goipsec/pkg/suite"
)

// Both ends compute the same root key from the pre-shared key and both nonces.
func Example() {
	ni, nr := []byte("nonce of the initiator"), []byte("nonce of the responder")
	a := auth.SKEYID(suite.SHA256, []byte("throw-away"), ni, nr)
	b := auth.SKEYID(suite.SHA256, []byte("throw-away"), ni, nr)
	fmt.Println(len(a), auth.Equal(a, b))
	// Output: 32 true
}

// TestRFC2409Section5PreSharedKey takes the first vector of NIST's CAVS 17.3 for IKEv1 with pre-shared keys.
func TestRFC2409Section5PreSharedKey(t *testing.T) {
	raw := func(s string) []byte { b, _ := hex.DecodeString(s); return b }
	got := auth.SKEYID(suite.SHA1, raw("75"), raw("b9a2d0e922dc66dd"), raw("2130166863b5ddef"))
	if hex.EncodeToString(got) != "62b04d112877e442fc3282fc37c076997718a0b9" {
		t.Errorf("%x", got)
	}
}

func TestP22EmptyProof(t *testing.T) {
	if auth.Equal(nil, nil) || auth.Equal([]byte{}, []byte{}) || auth.Equal(make([]byte, 20), make([]byte, 16)) || !auth.Equal([]byte{1}, []byte{1}) {
		t.Error("Equal")
	}
}

// TestProofBindsEverything: each part of a proof changes it, and the two roles' proofs differ.
func TestProofBindsEverything(t *testing.T) {
	parts := [][]byte{[]byte("skeyid"), []byte("public i"), []byte("public r"), []byte("cookie i"), []byte("cookie r"), []byte("SAi_b"), []byte("ID_b")}
	proof := func(p [][]byte) []byte { return auth.Proof(suite.SHA256, p[0], p[1], p[2], p[3], p[4], p[5], p[6]) }
	whole := proof(parts)
	for i := range parts {
		changed := append([][]byte(nil), parts...)
		changed[i] = append(bytes.Clone(parts[i]), 1)
		if auth.Equal(whole, proof(changed)) {
			t.Errorf("part %d does not matter", i)
		}
	}
	parts[1], parts[2], parts[3], parts[4] = parts[2], parts[1], parts[4], parts[3]
	if auth.Equal(whole, proof(parts)) {
		t.Error("a reflected proof is accepted")
	}
}
