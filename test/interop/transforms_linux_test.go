package interop

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/goipsec/goipsec/pkg/suite"
)

// A transform is one way to protect a packet that both the kernel and goipsec have, with its manual keys.
type transform struct {
	encr  suite.Encr // EncrNone: no ESP
	bits  int
	integ suite.Integ // ESP's own
	ah    suite.Integ // IntegNone: no AH
}

// kernelEncr and kernelInteg are the kernel's names. A number behind a name is the length of the ICV in bits.
var kernelEncr = map[suite.Encr]string{
	suite.DES:              "enc cbc(des)",
	suite.TripleDES:        "enc cbc(des3_ede)",
	suite.Null:             "enc ecb(cipher_null)",
	suite.AESCBC:           "enc cbc(aes)",
	suite.AESCTR:           "enc rfc3686(ctr(aes))",
	suite.AESCCM8:          "aead rfc4309(ccm(aes)) 64",
	suite.AESCCM12:         "aead rfc4309(ccm(aes)) 96",
	suite.AESCCM16:         "aead rfc4309(ccm(aes)) 128",
	suite.AESGCM8:          "aead rfc4106(gcm(aes)) 64",
	suite.AESGCM12:         "aead rfc4106(gcm(aes)) 96",
	suite.AESGCM16:         "aead rfc4106(gcm(aes)) 128",
	suite.NullGMAC:         "aead rfc4543(gcm(aes)) 128",
	suite.ChaCha20Poly1305: "aead rfc7539esp(chacha20,poly1305) 128",
}

var kernelInteg = map[suite.Integ]string{
	suite.HMACMD5_96:     "auth-trunc hmac(md5) 96",
	suite.HMACSHA1_96:    "auth-trunc hmac(sha1) 96",
	suite.HMACSHA256_128: "auth-trunc hmac(sha256) 128",
	suite.HMACSHA384_192: "auth-trunc hmac(sha384) 192",
	suite.HMACSHA512_256: "auth-trunc hmac(sha512) 256",
	suite.AESXCBC96:      "auth-trunc xcbc(aes) 96",
	suite.AESCMAC96:      "auth-trunc cmac(aes) 96",
}

// transforms lists what the kernel has: every cipher and key size with one MAC, every MAC with one cipher, every combined
// mode, every MAC of AH, and AH around each kind of ESP. AES-GMAC in AH the kernel has not.
func transforms() []transform {
	sha2 := suite.HMACSHA256_128
	list := []transform{
		{encr: suite.DES, integ: sha2},
		{encr: suite.TripleDES, integ: sha2},
		{encr: suite.Null, integ: sha2},
	}
	for _, bits := range []int{128, 192, 256} {
		list = append(list, transform{encr: suite.AESCBC, bits: bits, integ: sha2}, transform{encr: suite.AESCTR, bits: bits, integ: sha2})
		for _, combined := range []suite.Encr{suite.AESGCM8, suite.AESGCM12, suite.AESGCM16, suite.AESCCM8, suite.AESCCM12, suite.AESCCM16, suite.NullGMAC} {
			list = append(list, transform{encr: combined, bits: bits})
		}
	}
	list = append(list, transform{encr: suite.ChaCha20Poly1305})
	for _, integ := range []suite.Integ{suite.HMACMD5_96, suite.HMACSHA1_96, sha2, suite.HMACSHA384_192, suite.HMACSHA512_256, suite.AESXCBC96, suite.AESCMAC96} {
		if integ != sha2 {
			list = append(list, transform{encr: suite.AESCBC, bits: 128, integ: integ})
		}
		list = append(list, transform{ah: integ})
	}
	return append(list,
		transform{encr: suite.AESCBC, bits: 256, integ: sha2, ah: sha2},
		transform{encr: suite.AESGCM16, bits: 128, ah: suite.HMACSHA1_96},
		transform{encr: suite.TripleDES, integ: suite.HMACSHA1_96, ah: suite.HMACSHA512_256},
		transform{encr: suite.AESCBC, bits: 128, ah: sha2},
	)
}

// String names the transform as a policy file does: "ah hmac-sha1-96 + esp aes-gcm-16-128".
func (x transform) String() string {
	var parts []string
	if x.ah != suite.IntegNone {
		parts = append(parts, "ah "+x.ah.String())
	}
	if x.encr != suite.EncrNone {
		esp := "esp " + x.encr.Name(x.bits)
		if x.integ != suite.IntegNone {
			esp += " " + x.integ.String()
		}
		parts = append(parts, esp)
	}
	return strings.Join(parts, " + ")
}

// counter says whether manual keys need test_only, because a repeated IV under one key is fatal.
func (x transform) counter() bool {
	info, _ := x.encr.Info()
	return info.Counter
}

// Keys differ by transform, direction and use, and are the same in every run.
func (x transform) key(use, direction string, n int) []byte {
	var key []byte
	for i := 0; len(key) < n; i++ {
		block := sha256.Sum256(fmt.Appendf(nil, "%v %s %s %d", x, use, direction, i))
		key = append(key, block[:]...)
	}
	return key[:n]
}

func (x transform) encrKey(direction string) []byte {
	return x.key("encryption", direction, x.encr.KeyMatLen(x.bits))
}

func (x transform) integKey(direction string) []byte {
	return x.key("integrity", direction, x.integ.KeyMatLen())
}

func (x transform) ahKey(direction string) []byte { return x.key("ah", direction, x.ah.KeyMatLen()) }

// kernelESP and kernelAH are the algorithms of an SA as ip xfrm state takes them.
func (x transform) kernelESP(direction string) string {
	name, bits, _ := strings.Cut(strings.Replace(kernelEncr[x.encr], " ", "\x00", 1), " ")
	algorithms := fmt.Sprintf("%s %s", strings.Replace(name, "\x00", " ", 1), hexKey(x.encrKey(direction)))
	if bits != "" {
		return algorithms + " " + bits
	}
	if x.integ != suite.IntegNone {
		algorithms += " " + kernelMAC(x.integ, x.integKey(direction))
	}
	return algorithms
}

func (x transform) kernelAH(direction string) string { return kernelMAC(x.ah, x.ahKey(direction)) }

func kernelMAC(i suite.Integ, key []byte) string {
	words := strings.Fields(kernelInteg[i])
	return fmt.Sprintf("%s %s %s %s", words[0], words[1], hexKey(key), words[2])
}

func hexKey(key []byte) string {
	if len(key) == 0 {
		return `""`
	}
	return fmt.Sprintf("0x%x", key)
}
