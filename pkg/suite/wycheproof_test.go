package suite

import (
	"bytes"
	"crypto/aes"
	"slices"
	"testing"
)

// wycheproofTest is one test of any file of Project Wycheproof, with the sizes of its group in bits.
type wycheproofTest struct {
	ID                         int `json:"tcId"`
	Comment                    string
	Flags                      []string
	Key, IV, AAD, Msg, CT, Tag hexBytes
	Public, Private, Shared    hexBytes
	Result                     string
	KeySize, IVSize, TagSize   int `json:"-"`
}

func readWycheproof(t *testing.T, path string) []wycheproofTest {
	t.Helper()
	var file struct {
		NumberOfTests int
		TestGroups    []struct {
			KeySize, IVSize, TagSize int
			Tests                    []wycheproofTest
		}
	}
	readJSON(t, path, &file)
	var all []wycheproofTest
	for _, g := range file.TestGroups {
		for _, v := range g.Tests {
			v.KeySize, v.IVSize, v.TagSize = g.KeySize, g.IVSize, g.TagSize
			all = append(all, v)
		}
	}
	if len(all) != file.NumberOfTests {
		t.Fatalf("read %d tests of %d", len(all), file.NumberOfTests)
	}
	return all
}

// sealOrRefuse checks one AEAD test: a valid one seals to its answer and opens, an invalid one is refused.
func sealOrRefuse(t *testing.T, a sealer, v wycheproofTest) {
	t.Helper()
	sealed := append(bytes.Clone(v.CT), v.Tag...)
	if v.Result == "valid" {
		checkSealer(t, a, v.IV, v.AAD, v.Msg, sealed)
	} else if _, err := a.Open(nil, v.IV, sealed, v.AAD); err == nil {
		t.Errorf("test %d (%s %v) was opened", v.ID, v.Comment, v.Flags)
	}
}

// wycheproofGCM runs AES-GCM with whole ICVs, and the valid tests with ICVs cut to 12 and 8 bytes too, as SP 800-38D §5.2.1.2 cuts them.
func wycheproofGCM(t *testing.T, path string) (used, left int) {
	for _, v := range readWycheproof(t, path) {
		if v.IVSize != 96 {
			left++
			continue
		}
		used++
		for e, n := range map[Encr]int{AESGCM16: 16, AESGCM12: 12, AESGCM8: 8} {
			if n < 16 && v.Result != "valid" {
				continue // what was changed may lie in the part that is cut off
			}
			a, err := NewAEAD(e, v.Key)
			if err != nil {
				t.Fatal(err)
			}
			cut := v
			cut.Tag = v.Tag[:n]
			sealOrRefuse(t, a, cut)
		}
	}
	return used, left
}

// wycheproofCCM runs all that CCM has and ESP could have: the code takes any nonce from 7 to 13 bytes, though RFC 4309 knows 11 only.
func wycheproofCCM(t *testing.T, path string) (used, left int) {
	for _, v := range readWycheproof(t, path) {
		if v.IVSize < 56 || v.IVSize > 104 || !slices.Contains([]int{64, 96, 128}, v.TagSize) {
			left++
			continue
		}
		used++
		block, err := aes.NewCipher(v.Key)
		if err != nil {
			t.Fatal(err)
		}
		sealOrRefuse(t, &ccm{block: block, tag: v.TagSize / 8, nonce: v.IVSize / 8}, v)
	}
	return used, left
}

func wycheproofChaCha(t *testing.T, path string) (used, left int) {
	for _, v := range readWycheproof(t, path) {
		if v.IVSize != 96 {
			left++
			continue
		}
		used++
		a, err := NewAEAD(ChaCha20Poly1305, v.Key)
		if err != nil {
			t.Fatal(err)
		}
		sealOrRefuse(t, a, v)
	}
	return used, left
}

func wycheproofGMAC(t *testing.T, path string) (used, left int) {
	for _, v := range readWycheproof(t, path) {
		if v.IVSize != 96 {
			left++
			continue
		}
		used++
		a, err := NewAEAD(NullGMAC, v.Key)
		if err != nil {
			t.Fatal(err)
		}
		v.AAD, v.Msg = v.Msg, nil
		sealOrRefuse(t, a, v)
	}
	return used, left
}

// wycheproofCMAC runs CMAC with whole values and all key sizes, and AES-CMAC-96 with the keys that it takes; it refuses the others.
func wycheproofCMAC(t *testing.T, path string) (used, left int) {
	for _, v := range readWycheproof(t, path) {
		used++
		mac, err := NewMAC(AESCMAC96, v.Key)
		if (err == nil) != (v.KeySize == 128) {
			t.Errorf("test %d: a key of %d bits gave the error %v", v.ID, v.KeySize, err)
		}
		block, err := aes.NewCipher(v.Key)
		if err != nil {
			if v.Result == "valid" {
				t.Errorf("test %d: %v", v.ID, err)
			}
			continue
		}
		full := newCMAC(block)
		full.Write(v.Msg)
		if got := bytes.Equal(full.Sum(nil), v.Tag); got != (v.Result == "valid") {
			t.Errorf("test %d (%s): the tag compares %v", v.ID, v.Comment, got)
		}
		if mac != nil {
			mac.Write(v.Msg)
			equal(t, "AES-CMAC-96", mac.Sum(nil), full.Sum(nil)[:12])
		}
	}
	return used, left
}

func wycheproofHMAC(h Hash) func(t *testing.T, path string) (used, left int) {
	return func(t *testing.T, path string) (used, left int) {
		for _, v := range readWycheproof(t, path) {
			used++
			prf := h.PRF(v.Key)
			prf.Write(v.Msg)
			if got := bytes.Equal(prf.Sum(nil)[:v.TagSize/8], v.Tag); got != (v.Result == "valid") {
				t.Errorf("test %d (%s): the tag compares %v", v.ID, v.Comment, got)
			}
		}
		return used, left
	}
}

// wycheproofCBC pads as PKCS #5 does, which ESP does not: what CBC decrypts to must have wrong padding where the test says so.
func wycheproofCBC(t *testing.T, path string) (used, left int) {
	for _, v := range readWycheproof(t, path) {
		used++
		pad := aes.BlockSize - len(v.Msg)%aes.BlockSize
		plain := append(bytes.Clone(v.Msg), bytes.Repeat([]byte{byte(pad)}, pad)...)
		if v.Result == "valid" {
			checkCipher(t, AESCBC, v.Key, v.IV, plain, v.CT)
			continue
		}
		if len(v.CT)%aes.BlockSize != 0 || len(v.CT) == 0 {
			continue
		}
		c, err := NewCipher(AESCBC, v.Key)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(v.CT))
		c.Decrypt(got, v.CT, v.IV)
		if pkcs5(got) {
			t.Errorf("test %d (%s): the padding is right", v.ID, v.Comment)
		}
	}
	return used, left
}

func pkcs5(data []byte) bool {
	n := int(data[len(data)-1])
	return n > 0 && n <= aes.BlockSize && bytes.Equal(data[len(data)-n:], bytes.Repeat([]byte{byte(n)}, n))
}

// wycheproofX25519 refuses every value that makes the secret zero (RFC 8031 §5) and computes all others, odd ones too.
func wycheproofX25519(t *testing.T, path string) (used, left int) {
	zero := make([]byte, 32)
	for _, v := range readWycheproof(t, path) {
		used++
		z, err := keyPair(t, Curve25519, v.Private).Shared(v.Public)
		switch {
		case bytes.Equal(v.Shared, zero):
			if err == nil {
				t.Errorf("test %d (%s): a zero secret was accepted", v.ID, v.Comment)
			}
		case err != nil:
			t.Errorf("test %d (%s): %v", v.ID, v.Comment, err)
		default:
			equal(t, v.Comment, z, v.Shared)
		}
	}
	return used, left
}

// wycheproofECDH takes the prefix off the points. Compressed points and wrong lengths are refused as IKE would refuse them.
func wycheproofECDH(g Group) func(t *testing.T, path string) (used, left int) {
	return func(t *testing.T, path string) (used, left int) {
		size := g.PublicLen() / 2
		for _, v := range readWycheproof(t, path) {
			used++
			secret := bytes.TrimLeft(v.Private, "\x00")
			pair := keyPair(t, g, append(make([]byte, size-len(secret)), secret...))
			peer := []byte(v.Public)
			if len(peer) > 0 && peer[0] == 4 {
				peer = peer[1:]
			}
			z, err := pair.Shared(peer)
			switch {
			case v.Result == "valid" && err != nil:
				t.Errorf("test %d (%s): %v", v.ID, v.Comment, err)
			case v.Result == "valid":
				equal(t, v.Comment, z, v.Shared)
			case err == nil:
				t.Errorf("test %d (%s %v) was accepted", v.ID, v.Comment, v.Flags)
			}
		}
		return used, left
	}
}
