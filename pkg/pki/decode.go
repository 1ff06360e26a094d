package pki

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
	pkcs12 "software.sslmate.com/src/go-pkcs12"
)

// content is what a file holds.
type content struct {
	certificates []*x509.Certificate
	keys         []crypto.Signer
}

// maxInFile bounds the certificates of one file.
const maxInFile = 2000

// passphrase asks for what opens a file's keys; it is called at most once a file, and only if needed.
type passphrase func() ([]byte, error)

// decode reads whatever certificates and keys are commonly kept in: PEM of any number of both, DER of one or more certificates or of one key, PKCS#12.
func decode(data []byte, pass passphrase) (content, error) {
	if bytes.Contains(data, []byte("-----BEGIN ")) {
		return decodePEM(data, pass)
	}
	return decodeDER(data, pass)
}

func decodePEM(data []byte, pass passphrase) (c content, err error) {
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			break
		}
		data = rest
		if err := c.addPEM(block, pass); err != nil {
			return content{}, err
		}
		if len(c.certificates) > maxInFile || len(c.keys) > maxInFile {
			return content{}, fmt.Errorf("it holds more than %d certificates or keys", maxInFile)
		}
	}
	if len(c.certificates)+len(c.keys) == 0 {
		return content{}, errors.New("it holds neither a certificate nor a key that can be read")
	}
	return c, nil
}

func (c *content) addPEM(block *pem.Block, pass passphrase) error {
	switch block.Type {
	case "CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE":
		return c.addCertificate(block.Bytes)
	case "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY":
		if block.Headers["DEK-Info"] != "" {
			return errors.New("the key is encrypted in an old way that is easy to break: convert it with openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD -out NEW")
		}
		k, err := parseKey(block.Bytes, pass)
		if err != nil {
			return err
		}
		c.keys = append(c.keys, k)
	case "EC PARAMETERS": // openssl writes them before a key, which names them again
	case "PKCS7", "CMS":
		return errors.New("it is PKCS#7, which is not read: convert it with openssl pkcs7 -print_certs -in OLD -out NEW")
	case "DSA PRIVATE KEY", "OPENSSH PRIVATE KEY":
		return fmt.Errorf("a key of the kind %q is of no use for IKE: RSA and ECDSA keys in PKCS#8, PKCS#1 and SEC 1 are", block.Type)
	}
	return nil // other things may stand beside: parameters, requests, revocation lists
}

func (c *content) addCertificate(der []byte) error {
	x, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("a certificate in it cannot be read: %s", quote(err.Error()))
	}
	c.certificates = append(c.certificates, x)
	return nil
}

func decodeDER(data []byte, pass passphrase) (c content, err error) {
	if list, err := x509.ParseCertificates(data); err == nil && len(list) > 0 && len(list) <= maxInFile {
		return content{certificates: list}, nil
	}
	if isPKCS12(data) {
		return decodePKCS12(data, pass)
	}
	k, err := parseKey(data, pass)
	if err != nil {
		return c, err
	}
	return content{keys: []crypto.Signer{k}}, nil
}

// isPKCS12 looks for the version, which is 3, at the beginning of the sequence (RFC 7292 §4).
func isPKCS12(data []byte) bool {
	input := cryptobyte.String(data)
	var seq cryptobyte.String
	var version int
	return input.ReadASN1(&seq, casn1.SEQUENCE) && seq.ReadASN1Integer(&version) && version == 3
}

func decodePKCS12(data []byte, pass passphrase) (c content, err error) {
	// Some files are protected by an empty passphrase; it is tried before anybody is asked for one.
	k, leaf, others, err := pkcs12.DecodeChain(data, "")
	if errors.Is(err, pkcs12.ErrIncorrectPassword) {
		word, ask := pass()
		if ask != nil {
			return c, ask
		}
		k, leaf, others, err = pkcs12.DecodeChain(data, string(word))
	}
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword):
		return c, errWrongPassphrase
	case err != nil:
		return c, fmt.Errorf("the PKCS#12 file cannot be read: %s", quote(err.Error()))
	}
	signer, err := usable(k)
	if err != nil {
		return c, err
	}
	return content{append([]*x509.Certificate{leaf}, others...), []crypto.Signer{signer}}, nil
}
