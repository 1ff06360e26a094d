package suite

import (
	"bytes"
	"crypto/aes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
)

// hexBytes are bytes that JSON files hold as hexadecimal digits.
type hexBytes []byte

func (b *hexBytes) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	var err error
	*b, err = hex.DecodeString(s)
	return err
}

func readJSON(t *testing.T, path string, v any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// TestRFCVectors checks every vector that the RFCs of our algorithms print. The file belongs to this package, so that a clone
// proves them without any other data.
func TestRFCVectors(t *testing.T) {
	var file struct {
		Vectors []struct {
			Name, Kind, Alg                  string
			Key, IV, AAD, Plain, Out, Public hexBytes
		}
	}
	readJSON(t, "testdata/rfc.json", &file)
	if len(file.Vectors) < 100 {
		t.Fatalf("only %d vectors in the file", len(file.Vectors))
	}
	for _, v := range file.Vectors {
		t.Run(v.Name, func(t *testing.T) {
			switch v.Kind {
			case "cipher":
				checkCipher(t, parseEncr(t, v.Alg), v.Key, v.IV, v.Plain, v.Out)
			case "aead":
				checkAEAD(t, parseEncr(t, v.Alg), v.Key, v.IV, v.AAD, v.Plain, v.Out)
			case "ccm": // RFC 3610 has nonces of 13 bytes, ESP of 11
				block, err := aes.NewCipher(v.Key)
				if err != nil {
					t.Fatal(err)
				}
				checkSealer(t, &ccm{block: block, tag: 8, nonce: len(v.IV)}, v.IV, v.AAD, v.Plain, v.Out)
			case "mac":
				i, err := ParseInteg(v.Alg)
				if err != nil {
					t.Fatal(err)
				}
				checkMAC(t, i, v.Key, v.Plain, v.Out)
			case "prf":
				h, err := ParseHash(v.Alg)
				if err != nil {
					t.Fatal(err)
				}
				checkPRF(t, h, v.Key, v.Plain, v.Out)
			case "group":
				g, err := ParseGroup(v.Alg)
				if err != nil {
					t.Fatal(err)
				}
				pair := keyPair(t, g, v.Key)
				equal(t, "public value", pair.Public(), v.Public)
				z, err := pair.Shared(v.Plain)
				if err != nil {
					t.Fatal(err)
				}
				equal(t, "shared secret", z, v.Out)
			default:
				t.Fatalf("unknown kind %q", v.Kind)
			}
		})
	}
}

func equal(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got %x, want %x", what, got, want)
	}
}

func parseEncr(t *testing.T, name string) Encr {
	t.Helper()
	e, _, err := ParseEncr(name)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func keyPair(t testing.TB, g Group, secret []byte) KeyExchange {
	t.Helper()
	pair, err := g.row().method.keyPair(secret)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// checkCipher encrypts and decrypts, into another buffer and in place. It takes weak keys too, which known answers like.
func checkCipher(t *testing.T, e Encr, keymat, iv, plain, want []byte) {
	t.Helper()
	c, err := newCipher(e, keymat, bothWays)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, len(plain))
	c.Encrypt(out, plain, iv)
	equal(t, "encrypt", out, want)
	c.Decrypt(out, out, iv)
	equal(t, "decrypt in place", out, plain)
	c.Encrypt(out, out, iv)
	equal(t, "encrypt in place", out, want)
	back := make([]byte, len(out))
	c.Decrypt(back, out, iv)
	equal(t, "decrypt", back, plain)
}

func checkAEAD(t *testing.T, e Encr, key, nonce, aad, plain, want []byte) {
	t.Helper()
	a, err := NewAEAD(e, key)
	if err != nil {
		t.Fatal(err)
	}
	checkSealer(t, a, nonce, aad, plain, want)
}

// sealer is the part of cipher.AEAD that the checks use.
type sealer interface {
	NonceSize() int
	Overhead() int
	Seal(dst, nonce, plaintext, additional []byte) []byte
	Open(dst, nonce, sealed, additional []byte) ([]byte, error)
}

// checkSealer seals and opens, into another buffer, behind a header and in place, and refuses a change of any part.
func checkSealer(t *testing.T, a sealer, nonce, aad, plain, want []byte) {
	t.Helper()
	equal(t, "seal", a.Seal(nil, nonce, plain, aad), want)
	head := []byte("header")
	equal(t, "seal behind a header", a.Seal(bytes.Clone(head), nonce, plain, aad), append(bytes.Clone(head), want...))
	buf := append(make([]byte, 0, len(want)), plain...)
	equal(t, "seal in place", a.Seal(buf[:0], nonce, buf, aad), want)
	equal(t, "the buffer that was sealed in place", buf[:len(want)], want)
	got, err := a.Open(buf[:0], nonce, buf[:len(want)], aad)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	equal(t, "open in place", got, plain)
	checkRefusals(t, a, nonce, aad, want)
}

// checkRefusals flips a bit in each part and cuts the packet short.
func checkRefusals(t *testing.T, a sealer, nonce, aad, sealed []byte) {
	t.Helper()
	for _, at := range []int{0, len(sealed) / 2, len(sealed) - a.Overhead(), len(sealed) - 1} {
		s := bytes.Clone(sealed)
		s[at] ^= 0x10
		if out, err := a.Open(nil, nonce, s, aad); err == nil || out != nil {
			t.Errorf("packet changed at %d was opened", at)
		}
	}
	n := bytes.Clone(nonce)
	n[len(n)-1] ^= 1
	if _, err := a.Open(nil, n, sealed, aad); err == nil {
		t.Error("opened with another nonce")
	}
	if _, err := a.Open(nil, nonce, sealed, append(bytes.Clone(aad), 0)); err == nil {
		t.Error("opened with more additional data")
	}
	for _, short := range []int{0, a.Overhead() - 1, len(sealed) - 1} {
		if _, err := a.Open(nil, nonce, sealed[:short], aad); err == nil {
			t.Errorf("opened when cut to %d bytes", short)
		}
	}
}

func checkMAC(t *testing.T, i Integ, key, message, want []byte) {
	t.Helper()
	mac, err := NewMAC(i, key)
	if err != nil {
		t.Fatal(err)
	}
	mac.Write(message)
	equal(t, "ICV", mac.Sum(nil), want)
	mac.Reset()
	for at := range message {
		mac.Write(message[at : at+1])
	}
	equal(t, "ICV byte by byte", mac.Sum([]byte("x")), append([]byte("x"), want...))
	if mac.Size() != len(want) {
		t.Errorf("Size is %d, the ICV has %d bytes", mac.Size(), len(want))
	}
}

// checkPRF compares the first bytes, as many as want has.
func checkPRF(t *testing.T, h Hash, key, message, want []byte) {
	t.Helper()
	prf := h.PRF(key)
	prf.Write(message)
	equal(t, "PRF", prf.Sum(nil)[:len(want)], want)
	prf.Reset()
	prf.Write(message)
	equal(t, "PRF after Reset", prf.Sum(nil)[:len(want)], want)
}
