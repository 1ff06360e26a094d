package auth_test

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/goipsec/goipsec/pkg/ike/auth"
	"github.com/goipsec/goipsec/pkg/testdata"
)

// digestInfo is what stands before a hash in a PKCS #1 signature that names its algorithm (RFC 8017 §9.2). IKEv1's do not; with it in front of the hash, the vectors for
// such signatures are vectors for ours.
var digestInfo = map[string]string{"SHA-256": "3031300d060960864801650304020105000420", "SHA-384": "3041300d060960864801650304020205000430", "SHA-512": "3051300d060960864801650304020305000440"}

// TestP21WycheproofSignatures verifies every RSA PKCS #1 v1.5 and ECDSA (r | s) vector of Wycheproof. What is "acceptable" there has a key or a parameter
// that one may refuse; none of those is a forgery.
func TestP21WycheproofSignatures(t *testing.T) {
	for name, least := range map[string]int{
		"rsa_signature_2048_sha256_test": 250, "rsa_signature_2048_sha384_test": 250, "rsa_signature_2048_sha512_test": 250, "rsa_signature_3072_sha256_test": 250,
		"rsa_signature_4096_sha512_test": 250, "ecdsa_secp256r1_sha256_p1363_test": 250, "ecdsa_secp384r1_sha384_p1363_test": 250, "ecdsa_secp521r1_sha512_p1363_test": 250,
	} {
		var file struct {
			TestGroups []struct {
				PublicKeyDer, SHA string
				Tests             []struct {
					TcID             int
					Msg, Sig, Result string
					Comment          string
					Flags            []string
				}
			}
		}
		text, err := os.ReadFile(testdata.Dir(t, "vectors", "public", "wycheproof", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &file); err != nil {
			t.Fatal(err)
		}
		count := 0
		for _, g := range file.TestGroups {
			key, err := x509.ParsePKIXPublicKey(unhex(t, g.PublicKeyDer))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for _, v := range g.Tests {
				count++
				hash := sum(g.SHA, unhex(t, v.Msg))
				if auth.Method(key) == auth.RSASignature {
					hash = append(unhex(t, digestInfo[g.SHA]), hash...)
				}
				err := auth.VerifySignature(key, hash, unhex(t, v.Sig))
				if v.Result == "valid" && err != nil || v.Result == "invalid" && err == nil {
					t.Errorf("%s, test %d (%s, %v): %s, and we say %v", name, v.TcID, v.Comment, v.Flags, v.Result, err)
				}
			}
		}
		if count < least {
			t.Errorf("%s: only %d vectors", name, count)
		}
	}
}

func sum(name string, msg []byte) []byte {
	switch name {
	case "SHA-384":
		s := sha512.Sum384(msg)
		return s[:]
	case "SHA-512":
		s := sha512.Sum512(msg)
		return s[:]
	}
	s := sha256.Sum256(msg)
	return s[:]
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRFC4754MethodOfAKey: each kind of key has its number, and others have none.
func TestRFC4754MethodOfAKey(t *testing.T) {
	var all []uint16
	for _, k := range keysOfAllKinds(t) {
		all = append(all, auth.Method(k.Public()))
	}
	if want := []uint16{3, 9, 10, 11, 0, 0}; !slices.Equal(all, want) {
		t.Errorf("%v, want %v", all, want)
	}
	for _, k := range keysOfAllKinds(t)[4:] {
		sig, err := auth.Sign(rand.Reader, k, make([]byte, 32))
		if err == nil && auth.VerifySignature(k.Public(), make([]byte, 32), sig) == nil {
			t.Errorf("a signature by %T", k)
		}
	}
}
