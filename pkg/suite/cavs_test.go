package suite

import (
	"bytes"
	"crypto/des"
	"encoding/hex"
	"strconv"
	"strings"
	"testing"

	"filippo.io/bigmod"
	"github.com/goipsec/goipsec/pkg/suite/internal/aeadtest"
)

func fromHex(t testing.TB, s string) []byte {
	t.Helper()
	if len(s)%2 == 1 {
		s = "0" + s
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// padded reads digits to which NIST's tool adds leading zeros here and leaves them out there.
func padded(t testing.TB, s string, size int) []byte {
	b := bytes.TrimLeft(fromHex(t, s), "\x00")
	if len(b) > size {
		t.Fatalf("%d bytes where %d fit", len(b), size)
	}
	return append(make([]byte, size-len(b)), b...)
}

func cavsAESCBC(t *testing.T, path string) (used, left int) {
	readRSP(t, path, func(section, r map[string]string) {
		used++
		checkCipher(t, AESCBC, fromHex(t, r["KEY"]), fromHex(t, r["IV"]), fromHex(t, r["PLAINTEXT"]), fromHex(t, r["CIPHERTEXT"]))
	})
	return used, left
}

// cavsAESMonteCarlo runs the Monte Carlo test of the AES Algorithm Validation Suite §6.4.2.
func cavsAESMonteCarlo(t *testing.T, path string) (used, left int) {
	readRSP(t, path, func(section, r map[string]string) {
		used++
		c, err := NewCipher(AESCBC, fromHex(t, r["KEY"]))
		if err != nil {
			t.Fatal(err)
		}
		op, from, to := c.Encrypt, r["PLAINTEXT"], r["CIPHERTEXT"]
		_, decrypt := section["DECRYPT"]
		if decrypt {
			op, from, to = c.Decrypt, to, from
		}
		out := aeadtest.MonteCarlo(op, decrypt, fromHex(t, r["IV"]), fromHex(t, from))
		equal(t, "COUNT "+r["COUNT"], out, fromHex(t, to))
	})
	return used, left
}

// tdesKey returns the three keys one after the other, and whether all are equal, which is DES.
func tdesKey(t *testing.T, r map[string]string) (key []byte, single bool) {
	if all := r["KEYs"]; all != "" {
		return fromHex(t, all+all+all), true
	}
	return fromHex(t, r["KEY1"]+r["KEY2"]+r["KEY3"]), r["KEY1"] == r["KEY2"] && r["KEY2"] == r["KEY3"]
}

func cavsTDES(t *testing.T, path string) (used, left int) {
	readRSP(t, path, func(section, r map[string]string) {
		if r["IV"] == "" {
			return // the number of keys at the head of a file
		}
		used++
		key, single := tdesKey(t, r)
		iv, plain, want := fromHex(t, r["IV"]), fromHex(t, r["PLAINTEXT"]), fromHex(t, r["CIPHERTEXT"])
		checkCipher(t, TripleDES, key, iv, plain, want)
		if single {
			checkCipher(t, DES, key[:8], iv, plain, want)
		}
	})
	return used, left
}

// cavsTDESMonteCarlo runs the Monte Carlo test of SP 800-20 for CBC: ten thousand operations a record. It takes every fourth record.
func cavsTDESMonteCarlo(t *testing.T, path string) (used, left int) {
	readRSP(t, path, func(section, r map[string]string) {
		if r["IV"] == "" {
			return
		}
		count, err := strconv.Atoi(r["COUNT"])
		if err != nil {
			t.Fatal(err)
		}
		if count%4 != 0 || raceDetector && count%40 != 0 {
			left++
			return
		}
		used++
		key, _ := tdesKey(t, r)
		c, err := newCipher(TripleDES, key, bothWays)
		if err != nil {
			t.Fatal(err)
		}
		iv := fromHex(t, r["IV"])
		out := make([]byte, des.BlockSize)
		if _, decrypt := section["DECRYPT"]; decrypt {
			in := fromHex(t, r["CIPHERTEXT"])
			for range 10000 {
				c.Decrypt(out, in, iv)
				iv, in = bytes.Clone(in), bytes.Clone(out)
			}
			equal(t, "COUNT "+r["COUNT"], out, fromHex(t, r["PLAINTEXT"]))
			return
		}
		in, previous := fromHex(t, r["PLAINTEXT"]), fromHex(t, r["IV"])
		for range 10000 {
			c.Encrypt(out, in, iv)
			in, previous = previous, bytes.Clone(out)
			iv = previous
		}
		equal(t, "COUNT "+r["COUNT"], out, fromHex(t, r["CIPHERTEXT"]))
	})
	return used, left
}

func cavsGCM(t *testing.T, path string) (used, left int) {
	readRSP(t, path, func(section, r map[string]string) {
		if section["IVlen"] != "96" {
			left++
			return
		}
		used++
		e := map[string]Encr{"128": AESGCM16, "96": AESGCM12}[section["Taglen"]]
		a, err := NewAEAD(e, fromHex(t, r["Key"]))
		if err != nil {
			t.Fatal(err)
		}
		iv, aad, sealed := fromHex(t, r["IV"]), fromHex(t, r["AAD"]), fromHex(t, r["CT"]+r["Tag"])
		if _, fail := r["FAIL"]; fail {
			if _, err := a.Open(nil, iv, sealed, aad); err == nil {
				t.Errorf("Count %s was opened", r["Count"])
			}
			return
		}
		checkSealer(t, a, iv, aad, fromHex(t, r["PT"]), sealed)
		short, err := NewAEAD(AESGCM8, fromHex(t, r["Key"]))
		if err != nil {
			t.Fatal(err)
		}
		checkSealer(t, short, iv, aad, fromHex(t, r["PT"]), sealed[:len(sealed)-a.Overhead()+8])
	})
	return used, left
}

func cavsHMAC(t *testing.T, path string) (used, left int) {
	readRSP(t, path, func(section, r map[string]string) {
		h, ok := map[string]Hash{"20": SHA1, "32": SHA256, "48": SHA384, "64": SHA512}[section["L"]]
		if !ok {
			left++
			return
		}
		used++
		n, err := strconv.Atoi(r["Tlen"])
		if err != nil || n != len(r["Mac"])/2 {
			t.Fatalf("Tlen %q", r["Tlen"])
		}
		checkPRF(t, h, fromHex(t, r["Key"]), fromHex(t, r["Msg"]), fromHex(t, r["Mac"]))
	})
	return used, left
}

// cavsECC checks Z by its hash. Where the answer is F, either a public value is refused, or our own is another than the file's,
// or the hash differs.
func cavsECC(t *testing.T, path string) (used, left int) {
	groups := map[string]Group{"EC - SHA256": ECP256, "ED - SHA384": ECP384, "EE - SHA512": ECP521}
	hashes := map[Group]Hash{ECP256: SHA256, ECP384: SHA384, ECP521: SHA512}
	var g Group
	seen := map[string]bool{}
	readRSP(t, path, func(section, r map[string]string) {
		for name, group := range groups { // sections follow each other; the newest one counts
			if _, ok := section[name]; ok && !seen[name] {
				seen[name], g = true, group
			}
		}
		used++
		size := g.PublicLen() / 2
		point := func(x, y string) []byte { return append(padded(t, x, size), padded(t, y, size)...) }
		good := func() bool {
			pair, err := g.row().method.keyPair(padded(t, r["deIUT"], size))
			if err != nil || !bytes.Equal(pair.Public(), point(r["QeIUTx"], r["QeIUTy"])) {
				return false
			}
			z, err := pair.Shared(point(r["QeCAVSx"], r["QeCAVSy"]))
			if err != nil {
				return false
			}
			hash := hashes[g].New()
			hash.Write(z)
			return bytes.Equal(hash.Sum(nil), padded(t, r["CAVSHashZZ"], hash.Size()))
		}()
		if want := strings.HasPrefix(r["Result"], "P"); good != want {
			t.Errorf("%v COUNT %s: %v, want %v", g, r["COUNT"], good, want)
		}
	})
	if len(seen) != len(groups) {
		t.Errorf("only the sections %v were seen", seen)
	}
	return used, left
}

// cavsFFC runs our exponentiation in the groups of the file, which are not ours, and checks Z by its hash. Of the validity tests those
// that pass are used: what fails there is a check that groups with small subgroups need.
func cavsFFC(t *testing.T, path string) (used, left int) {
	var group *modp
	var generator []byte
	readRSP(t, path, func(section, r map[string]string) {
		if p := r["P"]; p != "" {
			m, err := bigmod.NewModulus(fromHex(t, p))
			if err != nil {
				t.Fatal(err)
			}
			group = &modp{p: fromHex(t, p), modulus: func() *bigmod.Modulus { return m }}
			generator = padded(t, r["G"], len(group.p))
			return
		}
		if strings.HasPrefix(r["Result"], "F") {
			left++
			return
		}
		used++
		x := fromHex(t, r["XephemIUT"])
		public, err := group.power(generator, x)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "public value", public, padded(t, r["YephemIUT"], len(group.p)))
		pair := &modpPair{group: group, secret: x, public: public}
		z, err := pair.Shared(padded(t, r["YephemCAVS"], len(group.p)))
		if err != nil {
			t.Fatal(err)
		}
		want := r["HashZZ"]
		if want == "" {
			want = r["CAVSHashZZ"]
		}
		hash := SHA256.New()
		hash.Write(z)
		equal(t, "hash of Z", hash.Sum(nil), padded(t, want, hash.Size()))
	})
	return used, left
}
