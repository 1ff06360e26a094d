package suite

import (
	"bytes"
	"crypto/aes"
	"encoding/hex"
	"encoding/json"
	"hash"
	"strconv"
	"strings"
	"testing"
)

// strongswanVector is one vector of strongSwan's test suite: of all kinds in one.
type strongswanVector struct {
	Name, Type, Alg, Method            string
	KeySize                            int `json:"key_size"`
	SaltSize                           int `json:"salt_size"`
	Key, IV, AData, Plain, Cipher      hexBytes
	Data, Mac, Seed, Out, Hash, Shared hexBytes
	PubI                               hexBytes `json:"pub_i"`
	PubR                               hexBytes `json:"pub_r"`
}

// strongswanEncr, and the like, are the names that strongSwan's vectors use.
var (
	strongswanEncr = map[string]Encr{
		"ENCR_AES_CBC": AESCBC, "ENCR_AES_CTR": AESCTR, "ENCR_3DES": TripleDES, "ENCR_DES": DES, "ENCR_NULL": Null,
		"ENCR_AES_GCM_ICV8": AESGCM8, "ENCR_AES_GCM_ICV12": AESGCM12, "ENCR_AES_GCM_ICV16": AESGCM16,
		"ENCR_AES_CCM_ICV8": AESCCM8, "ENCR_AES_CCM_ICV12": AESCCM12, "ENCR_AES_CCM_ICV16": AESCCM16,
		"ENCR_CHACHA20_POLY1305": ChaCha20Poly1305,
	}
	strongswanInteg = map[string]Integ{
		"AUTH_HMAC_MD5_96": HMACMD5_96, "AUTH_HMAC_SHA1_96": HMACSHA1_96, "AUTH_HMAC_SHA2_256_128": HMACSHA256_128,
		"AUTH_HMAC_SHA2_384_192": HMACSHA384_192, "AUTH_HMAC_SHA2_512_256": HMACSHA512_256,
		"AUTH_AES_XCBC_96": AESXCBC96, "AUTH_AES_CMAC_96": AESCMAC96,
	}
	strongswanHash = map[string]Hash{
		"PRF_HMAC_MD5": MD5, "PRF_HMAC_SHA1": SHA1, "PRF_HMAC_SHA2_256": SHA256, "PRF_HMAC_SHA2_384": SHA384, "PRF_HMAC_SHA2_512": SHA512,
		"AUTH_HMAC_MD5_128": MD5, "AUTH_HMAC_SHA1_128": SHA1, "AUTH_HMAC_SHA1_160": SHA1,
		"HASH_MD5": MD5, "HASH_SHA1": SHA1, "HASH_SHA256": SHA256, "HASH_SHA384": SHA384, "HASH_SHA512": SHA512,
	}
	strongswanGroup = map[string]Group{
		"MODP_768_BIT": MODP768, "MODP_1024_BIT": MODP1024, "MODP_1536_BIT": MODP1536, "MODP_2048_BIT": MODP2048,
		"MODP_3072_BIT": MODP3072, "MODP_4096_BIT": MODP4096,
		"ECP_256_BIT": ECP256, "ECP_384_BIT": ECP384, "ECP_521_BIT": ECP521, "CURVE_25519": Curve25519,
	}
)

func strongswan(t *testing.T, path string) (used, left int) {
	var file struct{ Vectors []strongswanVector }
	readJSON(t, path, &file)
	for _, v := range file.Vectors {
		t.Run(v.Name, func(t *testing.T) {
			if checkStrongswan(t, v) {
				used++
			} else {
				left++
			}
		})
	}
	return used, left
}

// checkStrongswan checks one vector, or returns false for what we do not have.
func checkStrongswan(t *testing.T, v strongswanVector) bool {
	encr, isEncr := strongswanEncr[v.Alg]
	integ, isInteg := strongswanInteg[v.Alg]
	h, isHash := strongswanHash[v.Alg]
	group, isGroup := strongswanGroup[v.Method]
	switch {
	case isEncr && v.Type == "aead":
		split := len(v.Key) - v.SaltSize
		checkAEAD(t, encr, v.Key[:split], append(bytes.Clone(v.Key[split:]), v.IV...), v.AData, v.Plain, v.Cipher)
	case isEncr && v.Type == "crypter":
		checkCipher(t, encr, v.Key, v.IV, v.Plain, v.Cipher)
	case isInteg && v.Type == "signer":
		checkMAC(t, integ, v.Key, v.Data, v.Mac)
	case isHash && v.Type == "signer": // a truncation that IPsec does not have
		checkPRF(t, h, v.Key, v.Data, v.Mac)
	case isHash && v.Type == "prf":
		checkPRF(t, h, v.Key, v.Seed, v.Out)
	case isHash && v.Type == "hasher":
		hash := h.New()
		hash.Write(v.Data)
		equal(t, "hash", hash.Sum(nil), v.Hash)
	case isGroup && v.Type == "ke":
		checkStrongswanGroup(t, group, v)
	case len(v.Key) == aes.BlockSize && (v.Alg == "PRF_AES128_XCBC" || v.Alg == "PRF_AES128_CMAC"):
		mac := fullMAC(t, v.Alg == "PRF_AES128_XCBC", v.Key)
		mac.Write(v.Seed)
		equal(t, "whole MAC", mac.Sum(nil), v.Out)
	default:
		return false
	}
	return true
}

// fullMAC makes AES-XCBC-MAC or AES-CMAC with all its 16 bytes.
func fullMAC(t *testing.T, xcbc bool, key []byte) hash.Hash {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	if !xcbc {
		return newCMAC(block)
	}
	mac, err := newXCBC(block)
	if err != nil {
		t.Fatal(err)
	}
	return mac
}

// checkStrongswanGroup computes both sides from the seed, which is one private key after the other.
func checkStrongswanGroup(t *testing.T, g Group, v strongswanVector) {
	half := len(v.Seed) / 2
	i, r := keyPair(t, g, v.Seed[:half]), keyPair(t, g, v.Seed[half:])
	equal(t, "initiator's public value", i.Public(), v.PubI)
	equal(t, "responder's public value", r.Public(), v.PubR)
	for _, side := range []struct {
		pair KeyExchange
		peer []byte
	}{{i, v.PubR}, {r, v.PubI}} {
		z, err := side.pair.Shared(side.peer)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "shared secret", z, v.Shared)
	}
}

// looseBytes are bytes as libreswan writes them: hexadecimal after 0x, with blanks, or plain text.
type looseBytes []byte

func (b *looseBytes) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	digits, isHex := strings.CutPrefix(s, "0x")
	if !isHex {
		*b = looseBytes(s)
		return nil
	}
	var err error
	*b, err = hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	return err
}

// libreswan reads the vectors of libreswan, which say by their group what they are.
func libreswan(t *testing.T, path string) (used, left int) {
	var file struct {
		Vectors []struct {
			Group, Description                           string
			Key, IV, CB, Plaintext, Ciphertext, AAD, Tag looseBytes
			SaltedIV                                     looseBytes `json:"salted_iv"`
			OutputCB                                     looseBytes `json:"output_cb"`
			Message                                      looseBytes
			PRFOutput                                    looseBytes `json:"prf_output"`
			MessageSize                                  string     `json:"message_size"`
		}
	}
	readJSON(t, path, &file)
	for _, v := range file.Vectors {
		switch {
		case v.Group == "aes_cbc_test_vectors":
			checkCipher(t, AESCBC, v.Key, v.IV, v.Plaintext, v.Ciphertext)
		case v.Group == "aes_ctr_test_vectors":
			checkCipher(t, AESCTR, append(bytes.Clone(v.Key), v.CB[:4]...), v.CB[4:12], v.Plaintext, v.Ciphertext)
		case v.Group == "aes_gcm_test_vectors":
			checkAEAD(t, AESGCM16, v.Key, v.SaltedIV, v.AAD, v.Plaintext, append(bytes.Clone(v.Ciphertext), v.Tag...))
		case v.Group == "hmac_md5_prf_tests":
			checkPRF(t, MD5, v.Key, v.Message, v.PRFOutput)
		case v.Group == "aes_xcbc_prf_tests" && len(v.Key) == aes.BlockSize:
			if n, err := strconv.Atoi(v.MessageSize); err == nil && len(v.Message) == 0 {
				v.Message = make([]byte, n) // RFC 3566 case 7: a thousand zeros
			}
			mac := fullMAC(t, true, v.Key)
			mac.Write(v.Message)
			equal(t, v.Description, mac.Sum(nil), v.PRFOutput)
		default:
			left++
			continue
		}
		used++
	}
	return used, left
}

// mcgrewFile and the functions below read files that hold what RFCs print.
func mcgrewFile(t *testing.T, path string) (used, left int) {
	var file struct {
		Vectors []struct {
			Key, Salt, IV, AAD, Ciphertext, ICV hexBytes
			Plain                               hexBytes `json:"plaintext_with_esp_trailer"`
		}
	}
	readJSON(t, path, &file)
	for _, v := range file.Vectors {
		used++
		checkAEAD(t, AESGCM16, v.Key, append(v.Salt, v.IV...), v.AAD, v.Plain, append(v.Ciphertext, v.ICV...))
	}
	return used, left
}

func rfc3602File(t *testing.T, path string) (used, left int) {
	var file struct {
		CBC []struct{ Key, IV, Plaintext, Ciphertext hexBytes }
		ESP []json.RawMessage
	}
	readJSON(t, path, &file)
	for _, v := range file.CBC {
		used++
		checkCipher(t, AESCBC, v.Key, v.IV, v.Plaintext, v.Ciphertext)
	}
	return used, len(file.ESP)
}

func rfc7634File(t *testing.T, path string) (used, left int) {
	var file struct {
		Vectors []struct{ Key, Salt, IV, AAD, Plaintext, Ciphertext, Tag hexBytes }
	}
	readJSON(t, path, &file)
	for _, v := range file.Vectors {
		used++
		checkAEAD(t, ChaCha20Poly1305, v.Key, append(v.Salt, v.IV...), v.AAD, v.Plaintext, append(v.Ciphertext, v.Tag...))
	}
	return used, left
}

func rfc8031File(t *testing.T, path string) (used, left int) {
	var data struct{ Vectors []map[string]hexBytes }
	readJSON(t, path, &data)
	for _, v := range data.Vectors {
		used++
		a, b := keyPair(t, Curve25519, v["priv_a"]), keyPair(t, Curve25519, v["priv_b"])
		equal(t, "public value", a.Public(), v["pub_a"])
		equal(t, "public value", b.Public(), v["pub_b"])
		z, err := a.Shared(b.Public())
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "shared secret", z, v["shared"])
	}
	return used, left
}
