package pki

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
)

// Source says where certificates and keys of this host come from.
type Source struct {
	Certificates []string // files: each a certificate with its chain, and its key if it is a PKCS#12 file or a PEM file with both
	Key          string   // the file with the keys, "" if they stand with the certificates
	// Passphrase returns what opens an encrypted key of a file. It is called when it is needed, once a file. nil: there is none.
	Passphrase func(file string) ([]byte, error)
	// Read reads a file. nil: the file system.
	Read ReadFunc
	// CheckKeyFile is asked about each file that holds a private key. nil: all are good.
	CheckKeyFile func(file string, mode os.FileMode) error
}

// LoadCredentials reads certificates with their keys. Each file of certificates gives one credential; a file with nothing but certificates of authorities
// completes the chains of the others. An error is a [*FileError].
func LoadCredentials(s Source) ([]Credential, error) {
	l := loader{source: s}
	if s.Key != "" {
		c, err := l.read(s.Key)
		if err != nil {
			return nil, err
		}
		if len(c.keys) == 0 {
			return nil, fileError(s.Key, errors.New("it holds no private key"), "")
		}
	}
	var files []content
	for _, name := range s.Certificates {
		c, err := l.read(name)
		if err != nil {
			return nil, err
		}
		files = append(files, c)
	}
	var list []Credential
	for i, c := range files {
		got, err := l.credential(s.Certificates[i], c)
		if err != nil {
			return nil, err
		}
		if got.Signer != nil {
			list = append(list, got)
		}
	}
	if len(list) == 0 {
		name := s.Key
		if len(s.Certificates) > 0 {
			name = s.Certificates[0]
		}
		return nil, fileError(name, errors.New("there is no certificate of this host: all are those of authorities"), "name the machine's own certificate")
	}
	return list, nil
}

// loader reads the files of a source.
type loader struct {
	source Source
	keys   []crypto.Signer
	others []*x509.Certificate // every certificate of every file, to complete chains with
}

func (l *loader) read(name string) (content, error) {
	read := l.source.Read
	if read == nil {
		read = readFile
	}
	data, mode, err := read(name)
	if err != nil {
		return content{}, fileError(name, err, "names are relative to the directory of the policy file")
	}
	c, err := decode(data, func() ([]byte, error) {
		if l.source.Passphrase == nil {
			return nil, errors.New("the key is encrypted: name the file with its passphrase as passphrase_file")
		}
		word, err := l.source.Passphrase(name)
		return word, err
	})
	if err != nil {
		return content{}, fileError(name, err, "")
	}
	if len(c.keys) > 0 && l.source.CheckKeyFile != nil {
		if err := l.source.CheckKeyFile(name, mode); err != nil {
			return content{}, err
		}
	}
	l.keys = append(l.keys, c.keys...)
	l.others = append(l.others, c.certificates...)
	return c, nil
}

// credential finds the certificate of a file that one of the keys belongs to. The zero Credential means that the file holds only authorities.
func (l *loader) credential(name string, c content) (Credential, error) {
	if len(c.certificates) == 0 {
		return Credential{}, fileError(name, errors.New("it holds no certificate"), "")
	}
	for _, leaf := range c.certificates {
		for _, k := range l.keys {
			if samePublic(k.Public(), leaf.PublicKey) {
				return Credential{l.chain(leaf, c.certificates), hide(k)}, nil
			}
		}
	}
	if !slices.ContainsFunc(c.certificates, func(x *x509.Certificate) bool { return !x.IsCA }) && len(l.source.Certificates) > 1 {
		return Credential{}, nil
	}
	if len(l.keys) == 0 {
		return Credential{}, fileError(name, fmt.Errorf("there is no key for the certificate %s", Describe(c.certificates[0])), "name its file as key")
	}
	where := l.source.Key
	if where == "" {
		where = name
	}
	return Credential{}, fileError(name, fmt.Errorf("the key in %q does not belong to the certificate %s", where, Describe(c.certificates[0])), "the two files come from different requests")
}

// chain puts the authorities that were given behind a leaf, each behind what it issued. A root is left out, for a peer that does not have it would not trust it.
func (l *loader) chain(leaf *x509.Certificate, own []*x509.Certificate) []*x509.Certificate {
	chain := []*x509.Certificate{leaf}
	for len(chain) < MaxPath {
		last := chain[len(chain)-1]
		next := issuerAmong(last, own)
		if next == nil {
			next = issuerAmong(last, l.others)
		}
		if next == nil || bytes.Equal(next.RawSubject, next.RawIssuer) || slices.ContainsFunc(chain, next.Equal) {
			break
		}
		chain = append(chain, next)
	}
	return chain
}

func issuerAmong(c *x509.Certificate, list []*x509.Certificate) *x509.Certificate {
	for _, x := range list {
		if bytes.Equal(x.RawSubject, c.RawIssuer) && verifyTBS(x.PublicKey, c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature, x) {
			return x
		}
	}
	return nil
}

// LoadCertificates reads the certificates of a file, PEM or DER, any number of them. read may be nil for the file system. An error is a [*FileError].
func LoadCertificates(name string, read ReadFunc) ([]*x509.Certificate, error) {
	if read == nil {
		read = readFile
	}
	data, _, err := read(name)
	if err != nil {
		return nil, fileError(name, err, "names are relative to the directory of the policy file")
	}
	c, err := decode(data, func() ([]byte, error) {
		return nil, errors.New("it holds an encrypted key and not certificates of authorities")
	})
	if err != nil {
		return nil, fileError(name, err, "")
	}
	if len(c.certificates) == 0 {
		return nil, fileError(name, errors.New("it holds no certificate"), "")
	}
	return c.certificates, nil
}
