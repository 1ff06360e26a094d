package config

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/goipsec/goipsec/pkg/pki"
	"github.com/goipsec/goipsec/pkg/policy"
)

// certificateAuth reads an authentication by certificates.
func (r *reader) certificateAuth(at map[string]*node) policy.AuthMethod {
	c := &policy.CertAuth{Source: r.position(at["certificate"])}
	a := policy.AuthMethod{Kind: policy.Certificate, Cert: c}
	a.LocalID, c.Local = r.certificateName(at["local_id"], "local_id")
	a.RemoteID, c.Remote = r.certificateName(at["remote_id"], "remote_id")
	c.Credentials = r.credentials(at)
	if v := at["ca"]; v != nil {
		c.CAs = r.authorities(v)
	} else {
		r.fail(at["certificate"], "add ca: [FILE] with the root certificates of those who may vouch for the peer", "the authentication by certificate names no authority")
	}
	if c.Credentials != nil && at["local_id"] != nil {
		r.checkLocalName(at["local_id"], c)
	}
	return a
}

// certificateName reads an identity that a certificate is to prove.
func (r *reader) certificateName(n *node, what string) (string, pki.Name) {
	if n == nil {
		return "", pki.Name{}
	}
	s, ok := r.str(n, what)
	if !ok {
		return "", pki.Name{}
	}
	name, err := pki.ParseName(s)
	if err != nil || name.IsZero() {
		if err == nil {
			err = errors.New("it is empty")
		}
		r.fail(n, "write an address, a name such as gw.example.com, user@example.com, or a distinguished name such as \"C=CH, O=Lab, CN=*\"", "%s: %v", what, err)
		return "", pki.Name{}
	}
	return s, name
}

// checkLocalName refuses a local_id that no certificate of this host proves.
func (r *reader) checkLocalName(n *node, c *policy.CertAuth) {
	var held []string
	for _, x := range c.Current() {
		if c.Local.In(x.Leaf()) {
			return
		}
		held = append(held, pki.Identities(x.Leaf())...)
	}
	if len(held) == 0 {
		return
	}
	r.fail(n, "write one of: "+strings.Join(held[:min(len(held), 8)], "; "), "the certificate does not prove local_id %q: every peer would refuse it", shorten(c.Local.String()))
}

// names reads one file name, or a list of them, as absolute or relative to the policy file's directory.
func (r *reader) names(n *node, what string) (paths []string, nodes []*node) {
	nodes = []*node{n}
	if isSequence(n) {
		if nodes = r.list(n, what); len(nodes) == 0 {
			r.fail(n, "name at least one", "the list of %s is empty", what)
		}
	}
	for _, e := range nodes {
		if path, ok := r.fileName(e, what); ok {
			paths = append(paths, path)
		}
	}
	if len(paths) != len(nodes) {
		return nil, nil
	}
	return paths, nodes
}

func (r *reader) fileName(n *node, what string) (string, bool) {
	s, ok := r.str(n, what)
	if !ok {
		return "", false
	}
	if s == "" || len(s) > 4096 || strings.Contains(s, "\x00") {
		r.fail(n, "write the name of a file", "%s is no name of a file", what)
		return "", false
	}
	if !filepath.IsAbs(s) {
		s = filepath.Join(filepath.Dir(r.name), s)
	}
	return s, true
}

// credentials opens the host's own certificates and keys. Rules that name the same files share them.
func (r *reader) credentials(at map[string]*node) *pki.Store {
	files, nodes := r.names(at["certificate"], "certificate")
	if files == nil {
		return nil
	}
	where := map[string]*node{}
	for i, f := range files {
		where[f] = nodes[i]
	}
	s := pki.Source{Certificates: files, Read: r.opts.ReadKey}
	if v := at["key"]; v != nil {
		path, ok := r.fileName(v, "key")
		if !ok {
			return nil
		}
		s.Key, where[path] = path, v
	}
	word := ""
	if v := at["passphrase_file"]; v != nil {
		path, ok := r.fileName(v, "passphrase_file")
		if !ok {
			return nil
		}
		word, where[path] = path, v
	}
	id := strings.Join(append([]string{s.Key, word}, files...), "\x00")
	if st, ok := r.stores[id]; ok {
		return st
	}
	modes := &keyModes{strict: r.opts.StrictKeyFiles}
	s.CheckKeyFile = modes.check
	s.Passphrase = (&passphrases{file: word, read: r.opts.ReadKey, ask: r.opts.AskPassphrase, check: modes.check}).get
	st, err := pki.OpenStore(s)
	if err != nil {
		r.failFile(at["certificate"], where, err)
		return nil
	}
	for _, f := range modes.open {
		n := where[f]
		if n == nil {
			n = at["certificate"]
		}
		r.warn(n, "the key file %q can be read by others: chmod 600 it, or up will refuse it", shorten(f))
	}
	modes.open = nil
	r.stores[id] = st
	return st
}

// failFile notes a fault at the place where its file is named.
func (r *reader) failFile(otherwise *node, where map[string]*node, err error) {
	var f *pki.FileError
	if !errors.As(err, &f) {
		r.fail(otherwise, "", "%v", err)
		return
	}
	n := where[f.File]
	if n == nil {
		n = otherwise
	}
	r.fail(n, f.Hint, "%q: %v", shorten(f.File), f.Err)
}

// authorities reads the files of root certificates, in order.
func (r *reader) authorities(n *node) []*x509.Certificate {
	files, nodes := r.names(n, "ca")
	var list []*x509.Certificate
	for i, f := range files {
		cas, ok := r.cas[f]
		if !ok {
			var err error
			if cas, err = pki.LoadCertificates(f, r.opts.ReadKey); err != nil {
				r.failFile(nodes[i], nil, err)
				continue
			}
			r.cas[f] = cas
		}
		list = append(list, cas...)
	}
	return list
}

// keyModes checks that files with private keys are open to their owner only.
type keyModes struct {
	strict bool
	open   []string // files that are open to others, if that is no error
}

func (k *keyModes) check(file string, mode os.FileMode) error {
	if !keyModeMatters || mode.Perm()&0o077 == 0 {
		return nil
	}
	if k.strict {
		return &pki.FileError{File: file, Err: fmt.Errorf("the key file can be read by others (mode %04o)", mode.Perm()), Hint: "chmod 600 " + file}
	}
	k.open = append(k.open, file)
	return nil
}
