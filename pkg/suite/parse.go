package suite

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// none is how users write that there is no such algorithm: EncrNone, IntegNone, GroupNone.
const none = "none"

// plain is the form in which names are compared: small letters and digits only, so that "AES_GCM-16 128" is "aesgcm16128".
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case strings.ContainsRune("-_ ./:", r):
			return -1
		}
		return r
	}, s)
}

// unknown is the error for a name that is not known; it lists what could have been written.
func unknown[T fmt.Stringer](kind, name string, known []T) error {
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = k.String()
	}
	const longest = 40 // of what a stranger wrote, no more is repeated
	if len(name) > longest {
		name = name[:longest] + "…"
	}
	return fmt.Errorf("%s %q is not known; there are %s", kind, name, strings.Join(names, ", "))
}

// sized is an encryption algorithm with the size of its key, 0 bits if the name does not say.
type sized struct {
	encr Encr
	bits int
}

// ParseEncr reads the name of an encryption algorithm, with or without the size of its key in bits: "aes-gcm-16", "aes256-gcm-16",
// "aes-gcm-16-256", "aes256gcm16", "aes128", "3des", "null", "none". Case and punctuation do not count. The int is the size, 0 if the
// name does not give it. AES alone is AES-CBC; GCM and CCM alone have an ICV of 16 bytes.
func ParseEncr(s string) (Encr, int, error) {
	if found, ok := encrNames()[plain(s)]; ok {
		return found.encr, found.bits, nil
	}
	err := unknown("the encryption algorithm", s, Encrs())
	return EncrNone, 0, fmt.Errorf("%w (with a key size: aes-gcm-16-256 or aes256-gcm-16)", err)
}

// ParseInteg reads the name of an integrity algorithm: "hmac-sha256-128", "sha256", "aes-xcbc", "aes128-gmac", "none".
func ParseInteg(s string) (Integ, error) {
	if i, ok := integNames()[plain(s)]; ok {
		return i, nil
	}
	return IntegNone, unknown("the integrity algorithm", s, Integs())
}

// ParseHash reads the name of a hash: "sha256", "sha2-256", "sha1", "md5".
func ParseHash(s string) (Hash, error) {
	if h, ok := hashNames()[plain(s)]; ok {
		return h, nil
	}
	return 0, unknown("the hash", s, Hashes())
}

// ParseGroup reads the name of a key exchange group: "modp2048", "group14", "dh14", "14", "ecp256", "curve25519", "none".
func ParseGroup(s string) (Group, error) {
	if g, ok := groupNames()[plain(s)]; ok {
		return g, nil
	}
	return GroupNone, unknown("the key exchange group", s, Groups())
}

// encrNames holds every spelling in its plain form.
var encrNames = sync.OnceValue(func() map[string]sized {
	names := map[string]sized{none: {}}
	for e, spellings := range map[Encr]string{
		DES: "des descbc", TripleDES: "3des 3descbc des3 tripledes", Null: "null encrnull",
		ChaCha20Poly1305: "chacha20poly1305 chacha20poly1305256 chapoly chachapoly chacha20",
	} {
		for name := range strings.FieldsSeq(spellings) {
			names[name] = sized{e, 0}
		}
	}
	// The ICV of GCM and CCM is written in bytes (aes-gcm-16) or, after the key size, in bits (aes128-gcm-128).
	for e, modes := range map[Encr][2]string{
		AESCBC: {"cbc", "cbc"}, AESCTR: {"ctr", "ctr"},
		AESGCM8: {"gcm8", "gcm8 gcm64"}, AESGCM12: {"gcm12", "gcm12 gcm96"}, AESGCM16: {"gcm16 gcm", "gcm16 gcm128 gcm"},
		AESCCM8: {"ccm8", "ccm8 ccm64"}, AESCCM12: {"ccm12", "ccm12 ccm96"}, AESCCM16: {"ccm16 ccm", "ccm16 ccm128 ccm"},
		NullGMAC: {"gmac", "gmac"},
	} {
		for mode := range strings.FieldsSeq(modes[0]) {
			names["aes"+mode] = sized{e, 0}
			for _, bits := range e.info().KeyBits {
				names["aes"+mode+strconv.Itoa(bits)] = sized{e, bits}
			}
		}
		for mode := range strings.FieldsSeq(modes[1]) {
			for _, bits := range e.info().KeyBits {
				names["aes"+strconv.Itoa(bits)+mode] = sized{e, bits}
			}
		}
	}
	names["aes"], names["nullauthaesgmac"] = sized{AESCBC, 0}, sized{NullGMAC, 0}
	for _, bits := range AESCBC.info().KeyBits {
		names["aes"+strconv.Itoa(bits)] = sized{AESCBC, bits}
		names["nullauthaesgmac"+strconv.Itoa(bits)] = sized{NullGMAC, bits}
	}
	return names
})

var integNames = sync.OnceValue(func() map[string]Integ {
	names := map[string]Integ{none: IntegNone}
	for i, spellings := range map[Integ]string{
		HMACMD5_96: "md5 md596 hmacmd5 hmacmd596", HMACSHA1_96: "sha sha1 sha196 hmacsha1 hmacsha196",
		HMACSHA256_128: "sha256 sha2256 sha256128 sha2256128 hmacsha256 hmacsha2256 hmacsha256128 hmacsha2256128",
		HMACSHA384_192: "sha384 sha2384 sha384192 sha2384192 hmacsha384 hmacsha2384 hmacsha384192 hmacsha2384192",
		HMACSHA512_256: "sha512 sha2512 sha512256 sha2512256 hmacsha512 hmacsha2512 hmacsha512256 hmacsha2512256",
		AESXCBC96:      "aesxcbc aesxcbc96 aesxcbcmac aesxcbcmac96 xcbc", AESCMAC96: "aescmac aescmac96 cmac",
		AES128GMAC: "aes128gmac aesgmac128 aesgmac gmac", AES192GMAC: "aes192gmac aesgmac192", AES256GMAC: "aes256gmac aesgmac256",
	} {
		for name := range strings.FieldsSeq(spellings) {
			names[name] = i
		}
	}
	return names
})

var hashNames = sync.OnceValue(func() map[string]Hash {
	return map[string]Hash{
		"md5": MD5, "sha": SHA1, "sha1": SHA1, "sha256": SHA256, "sha2256": SHA256,
		"sha384": SHA384, "sha2384": SHA384, "sha512": SHA512, "sha2512": SHA512,
	}
})

var groupNames = sync.OnceValue(func() map[string]Group {
	names := map[string]Group{none: GroupNone, "x25519": Curve25519}
	for _, row := range groups {
		names[row.name] = row.id
		for _, prefix := range []string{"", "group", "dh", "dhgroup"} {
			names[prefix+strconv.Itoa(int(row.id))] = row.id
		}
	}
	for bits, g := range map[string]Group{"256": ECP256, "384": ECP384, "521": ECP521} {
		for _, prefix := range []string{"p", "nistp", "secp"} {
			names[prefix+bits] = g
		}
		names["secp"+bits+"r1"] = g
	}
	return names
})
