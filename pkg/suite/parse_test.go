package suite

import (
	"fmt"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"
)

// TestParseEncr reads the spellings that users of other implementations know.
func TestParseEncr(t *testing.T) {
	for name, want := range map[string]sized{
		"aes-gcm-16": {AESGCM16, 0}, "aes-gcm-16-128": {AESGCM16, 128}, "aes-gcm-16-256": {AESGCM16, 256},
		"aes256-gcm-16": {AESGCM16, 256}, "aes256gcm16": {AESGCM16, 256}, "aes128-gcm": {AESGCM16, 128}, "aes-gcm": {AESGCM16, 0},
		"AES_GCM_16_192": {AESGCM16, 192}, "aes128gcm128": {AESGCM16, 128}, "aes-128-gcm-16": {AESGCM16, 128},
		"aes-gcm-128": {AESGCM16, 128}, "aes gcm 16 (256)": {0xffff, 0},
		"aes-gcm-12": {AESGCM12, 0}, "aes192gcm96": {AESGCM12, 192}, "aes-gcm-8-256": {AESGCM8, 256}, "aes256gcm64": {AESGCM8, 256},
		"aes-ccm-16": {AESCCM16, 0}, "aes256-ccm16": {AESCCM16, 256}, "aes128ccm64": {AESCCM8, 128}, "aes-ccm-12-192": {AESCCM12, 192},
		"aes": {AESCBC, 0}, "aes128": {AESCBC, 128}, "aes-256": {AESCBC, 256}, "aes128-cbc": {AESCBC, 128}, "aes-cbc-192": {AESCBC, 192},
		"aes128-ctr": {AESCTR, 128}, "aes-ctr": {AESCTR, 0}, "aes256ctr": {AESCTR, 256},
		"3des": {TripleDES, 0}, "3DES-CBC": {TripleDES, 0}, "des": {DES, 0}, "des-cbc": {DES, 0}, "null": {Null, 0},
		"chacha20-poly1305": {ChaCha20Poly1305, 0}, "chacha20poly1305": {ChaCha20Poly1305, 0},
		"aes-gmac": {NullGMAC, 0}, "aes256-gmac": {NullGMAC, 256}, "null-auth-aes-gmac-128": {NullGMAC, 128}, "none": {EncrNone, 0},
	} {
		e, bits, err := ParseEncr(name)
		if want.encr == 0xffff {
			if err == nil {
				t.Errorf("%q was read as %v", name, e)
			}
		} else if err != nil || e != want.encr || bits != want.bits {
			t.Errorf("%q: %v, %d bits, %v", name, e, bits, err)
		}
	}
}

func TestParseOthers(t *testing.T) {
	for name, want := range map[string]Integ{
		"md5": HMACMD5_96, "hmac-md5-96": HMACMD5_96, "sha": HMACSHA1_96, "SHA1": HMACSHA1_96, "hmac-sha1-96": HMACSHA1_96,
		"sha256": HMACSHA256_128, "sha2-256": HMACSHA256_128, "sha2_256": HMACSHA256_128, "hmac-sha2-256-128": HMACSHA256_128,
		"sha384": HMACSHA384_192, "hmac-sha384-192": HMACSHA384_192, "sha512": HMACSHA512_256,
		"aes-xcbc": AESXCBC96, "aesxcbc96": AESXCBC96, "aes-cmac": AESCMAC96,
		"aes128-gmac": AES128GMAC, "aes-gmac": AES128GMAC, "aes192gmac": AES192GMAC, "aes-gmac-256": AES256GMAC, "none": IntegNone,
	} {
		if i, err := ParseInteg(name); err != nil || i != want {
			t.Errorf("%q: %v, %v", name, i, err)
		}
	}
	for name, want := range map[string]Hash{"md5": MD5, "sha": SHA1, "SHA-1": SHA1, "sha256": SHA256, "sha2-384": SHA384, "sha512": SHA512} {
		if h, err := ParseHash(name); err != nil || h != want {
			t.Errorf("%q: %v, %v", name, h, err)
		}
	}
	for name, want := range map[string]Group{
		"modp2048": MODP2048, "group14": MODP2048, "dh14": MODP2048, "14": MODP2048, "DH-Group 14": MODP2048, "modp-1024": MODP1024,
		"ecp256": ECP256, "p-256": ECP256, "nistp384": ECP384, "secp521r1": ECP521, "secp256r1": ECP256, "group21": ECP521,
		"curve25519": Curve25519, "x25519": Curve25519, "group31": Curve25519, "modp768": MODP768, "dh1": MODP768, "none": GroupNone,
	} {
		if g, err := ParseGroup(name); err != nil || g != want {
			t.Errorf("%q: %v, %v", name, g, err)
		}
	}
	if _, err := ParseHash("none"); err == nil {
		t.Error("there is a hash called none")
	}
	// What old drafts truncated otherwise must not be taken for what RFC 4868 says.
	for _, name := range []string{"sha256-96", "hmac-sha2-256-96", "sha1-160", "sha384-128"} {
		if i, err := ParseInteg(name); err == nil {
			t.Errorf("%q was read as %v", name, i)
		}
	}
}

// TestNamesRoundTrip prints and reads every algorithm and key size, with the case and the punctuation changed.
func TestNamesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		change := func(name string) string {
			var out strings.Builder
			for _, r := range name {
				switch {
				case r == '-':
					out.WriteString(rapid.SampledFrom([]string{"-", "_", "", " ", ".", "/", ":"}).Draw(t, "mark"))
				case rapid.Bool().Draw(t, "upper"):
					out.WriteRune(unicode.ToUpper(r))
				default:
					out.WriteRune(r)
				}
			}
			return out.String()
		}
		e := rapid.SampledFrom(append(Encrs(), EncrNone)).Draw(t, "encryption")
		info, _ := e.Info()
		bits := 0
		if !info.FixedKey && len(info.KeyBits) > 0 {
			bits = rapid.SampledFrom(append([]int{0}, info.KeyBits...)).Draw(t, "bits")
		}
		if got, n, err := ParseEncr(change(e.Name(bits))); err != nil || got != e || n != bits {
			t.Fatalf("%v-%d: %v, %d, %v", e, bits, got, n, err)
		}
		i := rapid.SampledFrom(append(Integs(), IntegNone)).Draw(t, "integrity")
		if got, err := ParseInteg(change(i.String())); err != nil || got != i {
			t.Fatalf("%v: %v, %v", i, got, err)
		}
		h := rapid.SampledFrom(Hashes()).Draw(t, "hash")
		if got, err := ParseHash(change(h.String())); err != nil || got != h {
			t.Fatalf("%v: %v, %v", h, got, err)
		}
		g := rapid.SampledFrom(append(Groups(), GroupNone)).Draw(t, "group")
		if got, err := ParseGroup(change(g.String())); err != nil || got != g {
			t.Fatalf("%v: %v, %v", g, got, err)
		}
	})
}

// TestParseErrorsList sees that an error names what was written and everything that could have been.
func TestParseErrorsList(t *testing.T) {
	_, _, encr := ParseEncr("aes512")
	_, integ := ParseInteg("sha3")
	_, hash := ParseHash("md4")
	_, group := ParseGroup("modp512")
	lists := map[string][]string{}
	lists[fmt.Sprint(encr)] = append(names(Encrs()), `"aes512"`, "aes256-gcm-16")
	lists[fmt.Sprint(integ)] = append(names(Integs()), `"sha3"`)
	lists[fmt.Sprint(hash)] = append(names(Hashes()), `"md4"`)
	lists[fmt.Sprint(group)] = append(names(Groups()), `"modp512"`)
	for text, words := range lists {
		for _, word := range words {
			if !strings.Contains(text, word) {
				t.Errorf("%q does not say %s", text, word)
			}
		}
	}
}

func names[T fmt.Stringer](list []T) []string {
	var out []string
	for _, item := range list {
		out = append(out, item.String())
	}
	return out
}

// TestP20LongNames sees that an error does not repeat what a stranger wrote at length or with control characters.
func TestP20LongNames(t *testing.T) {
	_, err := ParseGroup("\x1b[31m" + strings.Repeat("x", 1<<20))
	if text := err.Error(); len(text) > 400 || strings.Contains(text, "\x1b") {
		t.Errorf("%d bytes: %.60q", len(text), text)
	}
}

// TestUnknownNumbers prints numbers that have no name without looking anywhere for one.
func TestUnknownNumbers(t *testing.T) {
	for got, want := range map[string]string{
		Encr(999).String(): "encryption algorithm 999", Encr(999).Name(128): "encryption algorithm 999", Integ(77).String(): "integrity algorithm 77",
		Hash(3).String(): "hash 3", Group(22).String(): "group 22", EncrNone.Name(128): "none", AESCBC.Name(256): "aes-cbc-256", TripleDES.Name(192): "3des",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// FuzzParseNames: what is read can be printed and read again; nothing panics.
func FuzzParseNames(f *testing.F) {
	for _, s := range []string{"", "none", "aes", "aes256gcm16", "AES-GCM-16-128", "3des", "sha2_256", "modp2048", "14", "x25519", "-_-", "\xff\xfe", "ａｅｓ"} {
		f.Add(s)
	}
	for _, id := range algorithms() {
		f.Add(id.String())
	}
	f.Fuzz(func(t *testing.T, s string) {
		if e, bits, err := ParseEncr(s); err == nil {
			if again, n, err := ParseEncr(e.Name(bits)); err != nil || again != e || n != bits {
				t.Errorf("%q: %v, %d, %v", s, again, n, err)
			}
		}
		if i, err := ParseInteg(s); err == nil {
			if again, err := ParseInteg(i.String()); err != nil || again != i {
				t.Errorf("%q: %v, %v", s, again, err)
			}
		}
		if h, err := ParseHash(s); err == nil {
			if again, err := ParseHash(h.String()); err != nil || again != h {
				t.Errorf("%q: %v, %v", s, again, err)
			}
		}
		if g, err := ParseGroup(s); err == nil {
			if again, err := ParseGroup(g.String()); err != nil || again != g {
				t.Errorf("%q: %v, %v", s, again, err)
			}
		}
	})
}
