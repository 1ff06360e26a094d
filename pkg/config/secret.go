package config

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/goipsec/goipsec/pkg/policy"
)

// maxKey bounds a key and the file that holds it, in bytes.
const maxKey = 4096

// readKeyFile reads a key file, no more of it than a key may have.
func readKeyFile(name string) ([]byte, os.FileMode, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, errors.New("it is not a regular file")
	}
	data, err := io.ReadAll(io.LimitReader(f, maxKey+8))
	return data, info.Mode(), err
}

// keyFile reads the key file that n names.
func (r *reader) keyFile(n *node, what string) policy.Secret {
	name, ok := r.str(n, what)
	if !ok {
		return policy.Secret{}
	}
	if name == "" {
		r.fail(n, "", "%s is empty", what)
		return policy.Secret{}
	}
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(r.name), path)
	}
	read := r.opts.ReadKey
	if read == nil {
		read = readKeyFile
	}
	data, mode, err := read(path)
	if err != nil {
		var pathErr *fs.PathError
		if errors.As(err, &pathErr) {
			err = pathErr.Err
		}
		r.fail(n, "names are relative to the directory of the policy file", "cannot read the key file %q: %v", shorten(path), err)
		return policy.Secret{}
	}
	if keyModeMatters && mode.Perm()&0o077 != 0 {
		message := fmt.Sprintf("the key file %q can be read by others (mode %04o)", shorten(path), mode.Perm())
		if r.opts.StrictKeyFiles {
			r.fail(n, "chmod 600 "+path, "%s", message)
			return policy.Secret{}
		}
		r.warn(n, "%s: chmod 600 it, or up will refuse it", message)
	}
	// An editor leaves one line end behind the key, and some put a mark in front; neither was meant as part of it.
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	data = bytes.TrimSuffix(bytes.TrimSuffix(data, []byte("\n")), []byte("\r"))
	return r.secret(n, what, string(data))
}

// secret turns what a person wrote into key bytes: 0x and hexadecimal digits, or the text itself.
func (r *reader) secret(n *node, what, s string) policy.Secret {
	key := []byte(s)
	if digits, ok := strings.CutPrefix(s, "0x"); ok {
		var err error
		if key, err = hex.DecodeString(digits); err != nil {
			r.fail(n, "behind 0x stands an even number of digits 0-9 and a-f", "%s is not hexadecimal", what)
			return policy.Secret{}
		}
	}
	switch {
	case len(key) == 0:
		r.fail(n, "make one with: goipsec psk", "%s is empty", what)
	case len(key) > maxKey:
		r.fail(n, "", "%s is longer than %d bytes", what, maxKey)
	default:
		return policy.NewSecret(key)
	}
	return policy.Secret{}
}

// inline reads a secret that stands in the policy file itself.
func (r *reader) inline(n *node, what string) policy.Secret {
	s, ok := r.text(n, what)
	if !ok {
		return policy.Secret{}
	}
	if n.ShortTag() != "!!str" && !strings.HasPrefix(s, "0x") {
		r.fail(n, "put it in quotes to make it text", "%s must be text", what)
		return policy.Secret{}
	}
	return r.secret(n, what, s)
}
