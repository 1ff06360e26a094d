package pki

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/ecdsa"
	"crypto/pbkdf2"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"hash"
)

// errWrongPassphrase does not tell a wrong passphrase from a damaged file: they look the same.
var errWrongPassphrase = errors.New("the passphrase does not open it")

// parseKey reads a private key: PKCS#8 (RFC 5958), encrypted PKCS#8, PKCS#1 (RFC 8017 A.1.2) or SEC 1 (RFC 5915).
func parseKey(der []byte, pass passphrase) (crypto.Signer, error) {
	if k, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return usable(k)
	}
	if k, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return usable(k)
	}
	if k, err := x509.ParseECPrivateKey(der); err == nil {
		return usable(k)
	}
	var sealed encryptedPrivateKeyInfo
	if rest, err := asn1.Unmarshal(der, &sealed); err != nil || len(rest) != 0 {
		return nil, errors.New("it is neither a certificate nor a private key in a form that is known (PEM or DER; PKCS#8, PKCS#1, SEC 1, PKCS#12)")
	}
	if err := sealed.supported(); err != nil {
		return nil, err
	}
	word, err := pass()
	if err != nil {
		return nil, err
	}
	plain, err := sealed.open(word)
	if err != nil {
		return nil, err
	}
	k, err := x509.ParsePKCS8PrivateKey(plain)
	if err != nil {
		return nil, errWrongPassphrase
	}
	return usable(k)
}

// usable says whether IKE can sign with a key.
func usable(k any) (crypto.Signer, error) {
	switch k := k.(type) {
	case *rsa.PrivateKey:
		return k, nil
	case *ecdsa.PrivateKey:
		return k, nil
	}
	return nil, fmt.Errorf("a key of type %T cannot sign in IKE: RSA and ECDSA keys can", k)
}

// encryptedPrivateKeyInfo is RFC 5958 §3.
type encryptedPrivateKeyInfo struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

type pbes2Params struct { // RFC 8018 A.4
	KDF, Cipher pkix.AlgorithmIdentifier
}

type pbkdf2Params struct { // RFC 8018 A.2
	Salt       []byte
	Iterations int
	KeyLength  int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

var (
	oidPBES2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
)

// maxIterations bounds the work of one passphrase: some seconds.
const maxIterations = 20_000_000

var prfs = []struct {
	oid asn1.ObjectIdentifier
	new func() hash.Hash
}{
	{nil, sha1.New}, // RFC 8018 A.2: the default
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 7}, sha1.New},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}, sha256.New},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 10}, sha512.New384},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 11}, sha512.New},
}

var pbeCiphers = []struct {
	oid asn1.ObjectIdentifier
	key int // bytes
	new func(key []byte) (cipher.Block, error)
}{
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 2}, 16, aes.NewCipher},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 22}, 24, aes.NewCipher},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}, 32, aes.NewCipher},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 3, 7}, 24, des.NewTripleDESCipher},
}

// supported says, before anybody is asked for a passphrase, whether it would help.
func (e *encryptedPrivateKeyInfo) supported() error {
	_, err := e.scheme()
	return err
}

// scheme reads the parameters of the encryption and returns what makes a decrypter of a passphrase.
func (e *encryptedPrivateKeyInfo) scheme() (func(word []byte) (cipher.BlockMode, error), error) {
	var outer pbes2Params
	var p pbkdf2Params
	convert := errors.New("the key is encrypted in a way that is not supported: convert it with openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD -out NEW")
	if !e.Algorithm.Algorithm.Equal(oidPBES2) || !decodeAll(e.Algorithm.Parameters.FullBytes, &outer) ||
		!outer.KDF.Algorithm.Equal(oidPBKDF2) || !decodeAll(outer.KDF.Parameters.FullBytes, &p) {
		return nil, convert
	}
	var prf func() hash.Hash
	for _, x := range prfs {
		if x.oid.Equal(p.PRF.Algorithm) {
			prf = x.new
		}
	}
	var iv []byte
	if prf == nil || !decodeAll(outer.Cipher.Parameters.FullBytes, &iv) || p.Iterations < 1 || p.Iterations > maxIterations {
		return nil, convert
	}
	for _, c := range pbeCiphers {
		if !c.oid.Equal(outer.Cipher.Algorithm) || p.KeyLength != 0 && p.KeyLength != c.key {
			continue
		}
		return func(word []byte) (cipher.BlockMode, error) {
			k, err := pbkdf2.Key(prf, string(word), p.Salt, p.Iterations, c.key)
			if err != nil {
				return nil, err
			}
			block, err := c.new(k)
			if err != nil || len(iv) != block.BlockSize() {
				return nil, errors.New("the parameters of the key's encryption are malformed")
			}
			return cipher.NewCBCDecrypter(block, iv), nil
		}, nil
	}
	return nil, convert
}

func decodeAll(der []byte, into any) bool {
	rest, err := asn1.Unmarshal(der, into)
	return err == nil && len(rest) == 0
}

// open decrypts the key (RFC 8018 §6.2.2).
func (e *encryptedPrivateKeyInfo) open(word []byte) ([]byte, error) {
	decrypter, err := e.scheme()
	if err != nil {
		return nil, err
	}
	mode, err := decrypter(word)
	if err != nil {
		return nil, err
	}
	n := mode.BlockSize()
	if len(e.Data) == 0 || len(e.Data)%n != 0 {
		return nil, errors.New("the encrypted key is cut off")
	}
	plain := make([]byte, len(e.Data))
	mode.CryptBlocks(plain, e.Data)
	pad := int(plain[len(plain)-1])
	if pad == 0 || pad > n {
		return nil, errWrongPassphrase
	}
	for _, b := range plain[len(plain)-pad:] {
		if int(b) != pad {
			return nil, errWrongPassphrase
		}
	}
	return plain[:len(plain)-pad], nil
}
