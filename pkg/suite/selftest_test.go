package suite

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestSelfTest runs the test of the start: everything works, and everything has a known answer.
func TestSelfTest(t *testing.T) {
	for _, err := range SelfTest() {
		t.Error(err)
	}
	if len(Encrs()) != 13 || len(Integs()) != 10 || len(Hashes()) != 5 || len(Groups()) != 10 {
		t.Errorf("%v %v %v %v", Encrs(), Integs(), Hashes(), Groups())
	}
}

// brokenTable returns a table in which one algorithm answers as run says, as a broken build's would, and all others well. (That they do
// so in truth is TestSelfTest's; here it would take seconds.)
func brokenTable(id fmt.Stringer, run func() error) []kat {
	table := append([]kat(nil), kats...)
	for i := range table {
		table[i].run = func() error { return nil }
		if table[i].id == id {
			table[i].run = run
		}
	}
	return table
}

// available says whether the algorithm can be had: by its Info, in its list, and from its constructor.
func available(id fmt.Stringer) (info, listed, made bool) {
	var err error
	switch id := id.(type) {
	case Encr:
		var row EncrInfo
		row, info = id.Info()
		listed = contains(Encrs(), id)
		keymat := make([]byte, id.KeyMatLen(0))
		rand.Read(keymat)
		if row.Combined {
			_, err = NewAEAD(id, keymat[:len(keymat)-row.SaltLen])
		} else {
			_, err = NewCipher(id, keymat)
		}
	case Integ:
		_, info = id.Info()
		listed = contains(Integs(), id)
		if !id.IsGMAC() { // which NewAEAD makes
			_, err = NewMAC(id, make([]byte, id.KeyMatLen()))
		} else if !info {
			err = errors.New("not to be had")
		}
	case Hash:
		_, _, info = id.Info()
		listed = contains(Hashes(), id)
		if id.New() == nil {
			err = errors.New("no hash")
		}
	case Group:
		_, _, info = id.Info()
		listed = contains(Groups(), id)
		_, err = NewKeyExchange(id, rand.Reader)
	}
	return info, listed, err == nil
}

func contains[T comparable](list []T, item T) bool {
	for _, i := range list {
		if i == item {
			return true
		}
	}
	return false
}

// TestO3BrokenAlgorithmIsDisabled is row O3 (and P7: only tested algorithms are listed to be proposed): for every algorithm, a wrong answer
// or a panic disables it and nothing else, the reason names it, and a later good test brings it back.
func TestO3BrokenAlgorithmIsDisabled(t *testing.T) {
	defer SelfTest()
	for _, id := range algorithms() {
		wrong := brokenTable(id, func() error { return errAnswer })
		if f, ok := id.(Group); ok && f == MODP2048 {
			wrong = brokenTable(id, func() error { panic("index out of range") })
		}
		errs := selfTest(wrong)
		if len(errs) != 1 || !strings.Contains(errs[0].Error(), id.String()) {
			t.Errorf("%v: %v", id, errs)
		}
		info, listed, made := available(id)
		if _, isHash := id.(Hash); isHash {
			made = false // a hash has no error to return: its Info is what is asked
		}
		if info || listed || made {
			t.Errorf("%v can be had though its self-test failed: Info %v, listed %v, constructor %v", id, info, listed, made)
		}
		for _, other := range algorithms() {
			if info, listed, made := available(other); other != id && !(info && listed && made) {
				t.Errorf("%v is gone because %v failed", other, id)
			}
		}
		if !strings.Contains(errs[0].Error(), "self-test") {
			t.Errorf("%v", errs[0])
		}
		if id.String() == "" || strings.Contains(id.String(), "algorithm ") {
			t.Errorf("a disabled algorithm has lost its name: %v", id)
		}
	}
	if errs := selfTest(kats); len(errs) != 0 {
		t.Errorf("%v", errs)
	}
	if info, listed, made := available(AESGCM16); !info || !listed || !made {
		t.Error("aes-gcm-16 does not come back")
	}
}

// TestO3NoAnswer sees that an algorithm without a known answer is disabled: nobody can add one and forget the test.
func TestO3NoAnswer(t *testing.T) {
	defer SelfTest()
	var table []kat
	for _, k := range kats {
		if k.id != fmt.Stringer(AESCTR) {
			table = append(table, k)
		}
	}
	errs := selfTest(table)
	if len(errs) != 1 || !strings.Contains(errs[0].Error(), "aes-ctr") {
		t.Errorf("%v", errs)
	}
	if _, ok := AESCTR.Info(); ok {
		t.Error("aes-ctr works without a known answer")
	}
}

// TestO3WrongAnswersAreSeen changes each part of each kind of known answer: the test must fail, which shows that it looks.
func TestO3WrongAnswersAreSeen(t *testing.T) {
	key, nonce := strings.Repeat("00", 16), strings.Repeat("00", 12)
	const tag = "58e2fccefa7e3061367f1d57a4e7455a" // GCM test case 1
	scalar := strings.Repeat("01", 32)
	pair := keyPair(t, Curve25519, unhex(scalar))
	z, err := pair.Shared(pair.Public())
	if err != nil {
		t.Fatal(err)
	}
	public, shared := fmt.Sprintf("%x", pair.Public()), fmt.Sprintf("%x", z)
	one := strings.Repeat("01", 32)
	abc := "900150983cd24fb0d6963f7d28e17f72"
	jefe := "750c783e6ab0b503eaa86e310a5db738"
	for name, test := range map[string]struct {
		kat  kat
		good bool
	}{
		"aead":              {aeadKAT(AESGCM16, "", key, nonce, "", "", tag), true},
		"aead tag":          {aeadKAT(AESGCM16, "", key, nonce, "", "", "59"+tag[2:]), false},
		"aead key":          {aeadKAT(AESGCM16, "", "01"+key[2:], nonce, "", "", tag), false},
		"aead key length":   {aeadKAT(AESGCM16, "", key[2:], nonce, "", "", tag), false},
		"gmac":              {gmacKAT(AES128GMAC, "", key, nonce, "", tag), true},
		"gmac data":         {gmacKAT(AES128GMAC, "", key, nonce, "00", tag), false},
		"no digits":         {aeadKAT(AESGCM16, "", "zz", nonce, "", "", tag), false},
		"nonce length":      {aeadKAT(AESGCM16, "", key, "00", "", "", tag), false},
		"cipher":            {cipherKAT(Null, "", "", "", "00", "00"), true},
		"cipher text":       {cipherKAT(Null, "", "", "", "00", "01"), false},
		"cipher key length": {cipherKAT(AESCBC, "", "00", "", "00", "01"), false},
		"mac":               {macKAT(AESCMAC96, "", "2b7e151628aed2a6abf7158809cf4f3c", "", "bb1d6929e95937287fa37d12"), true},
		"mac message":       {macKAT(AESCMAC96, "", "2b7e151628aed2a6abf7158809cf4f3c", "00", "bb1d6929e95937287fa37d12"), false},
		"mac key length":    {macKAT(AESCMAC96, "", "", "", ""), false},
		"hash":              {hashKAT(MD5, "", abc, jefe), true},
		"hash value":        {hashKAT(MD5, "", jefe, jefe), false},
		"hash PRF":          {hashKAT(MD5, "", abc, abc), false},
		"group":             {groupKAT(Curve25519, "", scalar, public, public, shared), true},
		"group public":      {groupKAT(Curve25519, "", scalar, one, public, shared), false},
		"group shared":      {groupKAT(Curve25519, "", scalar, public, public, one), false},
		"group peer":        {groupKAT(Curve25519, "", scalar, public, strings.Repeat("00", 32), shared), false},
		"group secret":      {groupKAT(Curve25519, "", "00", public, public, shared), false},
		"modp public":       {modpKAT(MODP768, one, one, one), false},
		"modp secret":       {modpKAT(MODP768, "00", one, one), false},
	} {
		if err := test.kat.check(); (err == nil) != test.good {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, k := range kats { // and a modp test with a wrong secret at the end only
		if k.id == fmt.Stringer(MODP768) && k.check() != nil {
			t.Error("the good one fails")
		}
	}
}

// TestWeakMarks: what is weak says so, and what is not does not.
func TestWeakMarks(t *testing.T) {
	weak := map[fmt.Stringer]bool{
		DES: true, TripleDES: true, Null: true, NullGMAC: true, HMACMD5_96: true, HMACSHA1_96: true,
		MD5: true, SHA1: true, MODP768: true, MODP1024: true, MODP1536: true,
	}
	for _, id := range algorithms() {
		var why string
		switch id := id.(type) {
		case Encr:
			info, _ := id.Info()
			why = info.Weak
		case Integ:
			info, _ := id.Info()
			why = info.Weak
		case Hash:
			_, why, _ = id.Info()
		case Group:
			_, why, _ = id.Info()
		}
		if (why != "") != weak[id] {
			t.Errorf("%v: %q", id, why)
		}
	}
	for _, e := range []Encr{AESGCM8, AESCCM8} {
		if info, _ := e.Info(); info.Note == "" {
			t.Errorf("%v says nothing of its short ICV", e)
		}
	}
	if info, _ := TripleDES.Info(); !strings.Contains(info.Weak, "64-bit block") {
		t.Error("3des does not say that its blocks are small")
	}
}

// TestInfo holds the sizes together: those of the wire, of the AEADs and of the MACs.
func TestInfo(t *testing.T) {
	counter := map[fmt.Stringer]bool{AESGCM8: true, AESGCM12: true, AESGCM16: true, AESCCM8: true, AESCCM12: true, AESCCM16: true,
		AESCTR: true, NullGMAC: true, ChaCha20Poly1305: true, AES128GMAC: true, AES192GMAC: true, AES256GMAC: true}
	for _, e := range Encrs() {
		info, ok := e.Info()
		if !ok || info.Name == "" || info.BlockSize == 0 || info.Counter != counter[e] || info.Combined != (info.ICVLen > 0) {
			t.Errorf("%v: %+v", e, info)
		}
		if (info.SafeKilobytes > 0) != (info.SafeReason != "") {
			t.Errorf("%v: a bound without a reason, or a reason without a bound", e)
		}
		if info.BlockSize == 8 && info.SafeKilobytes != 100_000 {
			t.Errorf("%v: %d kilobytes under one key with 64-bit blocks", e, info.SafeKilobytes)
		}
		if !info.Counter && info.IVLen > 0 && info.IVLen != info.BlockSize {
			t.Errorf("%v: a CBC cipher with an IV of %d bytes", e, info.IVLen)
		}
	}
	for _, i := range Integs() {
		info, ok := i.Info()
		if !ok || info.Counter != counter[i] || info.Counter != i.IsGMAC() || info.ICVLen < 12 {
			t.Errorf("%v: %+v", i, info)
		}
		if i.IsGMAC() {
			gmac, err := NewAEAD(NullGMAC, make([]byte, info.KeyLen))
			if err != nil || gmac.NonceSize() != info.SaltLen+info.IVLen || gmac.Overhead() != info.ICVLen {
				t.Errorf("%v: %v", i, err)
			}
		}
	}
	for _, h := range Hashes() {
		if h.New().Size() != h.Size() || h.PRF([]byte("k")).Size() != h.Size() {
			t.Errorf("%v: sizes differ", h)
		}
	}
	for _, id := range []uint16{0, 1, 255, 999, 65535} {
		if _, ok := Encr(id).Info(); ok {
			t.Errorf("encryption algorithm %d is described", id)
		}
		if _, ok := Integ(id + 100).Info(); ok {
			t.Errorf("integrity algorithm %d is described", id+100)
		}
		if _, _, ok := Hash(id + 100).Info(); ok {
			t.Errorf("hash %d is described", id+100)
		}
	}
}

// TestErrorsShowNoKeys gives wrong keys and sees that no error repeats them.
func TestErrorsShowNoKeys(t *testing.T) {
	key := []byte("\x01sEcReT\x01sEcReT")
	var errs []error
	_, err := NewAEAD(AESGCM16, key)
	errs = append(errs, err)
	_, err = NewCipher(AESCBC, key)
	errs = append(errs, err)
	_, err = NewCipher(DES, bytes.Repeat([]byte{1}, 8))
	errs = append(errs, err)
	_, err = NewMAC(AESXCBC96, key)
	errs = append(errs, err)
	for _, err := range errs {
		if err == nil || strings.Contains(err.Error(), "sEcReT") || strings.Contains(err.Error(), "7345") || strings.Contains(err.Error(), "0101") {
			t.Errorf("%v", err)
		}
	}
}
