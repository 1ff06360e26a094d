package interchange

import (
	"bytes"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/goipsec/goipsec/pkg/pki"
)

// MaxSource bounds a file that is imported, in bytes: some fifty thousand commands.
const MaxSource = 8 << 20

// Options says how an import is done. The zero value will do.
type Options struct {
	// ReadFile gives the files that a configuration includes, by their names as written. nil: includes are listed as not carried over.
	ReadFile func(name string) ([]byte, error)
	// Glob gives the names that a pattern with * or ? stands for. nil: such includes are listed as not carried over.
	Glob func(pattern string) ([]string, error)
	// Dir is how the policy file is to name the directory of the source, whose files it may refer to. "": as the source was named.
	Dir string
	// Certificates and Key are this host's own, as the policy file is to name them, and Authorities are root certificates that a source may name by their subjects: what
	// authentication by certificates needs and a script of netsh does not have.
	Certificates []string
	Key          string // "": it stands with the certificates
	Authorities  []Authority
	// Secrets are files of secrets (ipsec.secrets) that were named beside the configuration.
	Secrets []File
}

// dirOf is the directory of the source as the policy file names it.
func (o *Options) dirOf(source string) string {
	if o.Dir != "" {
		return filepath.ToSlash(o.Dir)
	}
	return filepath.ToSlash(filepath.Dir(source))
}

// under returns the name of a file below a directory, or its own if that is absolute.
func under(base, dir, name string) string {
	if path.IsAbs(name) {
		return name
	}
	return path.Join(base, dir, name)
}

// Authority is a file with root certificates.
type Authority struct {
	Name  string // as the policy file is to name it
	Certs []*x509.Certificate
}

// authority returns the file that has a root certificate with a subject, which netsh writes in either order of its parts.
func (o *Options) authority(subject string) (name string, ok bool) {
	var patterns []pki.DNPattern
	for _, s := range []string{subject, reversedDN(subject)} {
		if p, err := pki.ParseDNPattern(s); err == nil && !p.Wild() {
			patterns = append(patterns, p)
		}
	}
	for _, a := range o.Authorities {
		for _, c := range a.Certs {
			for _, p := range patterns {
				if p.Match(c.RawSubject) {
					return a.Name, true
				}
			}
		}
	}
	return "", false
}

// reversedDN writes the parts of a name in the opposite order. Commas in quotes, or behind a backslash, are no ends of parts.
func reversedDN(s string) string {
	var parts []string
	from, in := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == '"':
			in = !in
		case s[i] == ',' && !in:
			parts = append(parts, strings.TrimSpace(s[from:i]))
			from = i + 1
		}
	}
	parts = append(parts, strings.TrimSpace(s[min(from, len(s)):]))
	slices.Reverse(parts)
	return strings.Join(parts, ", ")
}

// File is a named text.
type File struct {
	Name string
	Data []byte
}

// errBinary is the error for what is no text.
var errBinary = errors.New("it is no text: the export of a Windows policy store (.ipsec) cannot be read, only a script of commands")

// decode returns a file's text as UTF-8, whatever Windows wrote it in: UTF-16 with its mark, UTF-8 with or without. What is neither is
// taken for one byte a character, so that the names in it are at least the same everywhere.
func decode(data []byte) (string, error) {
	switch {
	case len(data) > MaxSource:
		return "", fmt.Errorf("it has %d bytes; %d can be read at most", len(data), MaxSource)
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}):
		return fromUTF16(data[2:], binary.LittleEndian), nil
	case bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		return fromUTF16(data[2:], binary.BigEndian), nil
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	switch {
	case bytes.IndexByte(data, 0) >= 0:
		return "", errBinary
	case utf8.Valid(data):
		return string(data), nil
	}
	runes := make([]rune, len(data))
	for i, b := range data {
		runes[i] = rune(b)
	}
	return string(runes), nil
}

func fromUTF16(data []byte, order binary.ByteOrder) string {
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = order.Uint16(data[2*i:])
	}
	return string(utf16.Decode(units))
}
