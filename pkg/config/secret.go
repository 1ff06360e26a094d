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

// readKeyFile reads a file with something secret, no more of it than limit and a little.
func readKeyFile(name string, limit int64) ([]byte, os.FileMode, error) {
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
	data, err := io.ReadAll(io.LimitReader(f, limit+8))
	return data, info.Mode(), err
}

// keyFile reads the key file that n names.
func (r *reader) keyFile(n *node, what string) policy.Secret {
	data, ok := r.secretFile(n, what, maxKey)
	if !ok {
		return policy.Secret{}
	}
	return r.secret(n, what, string(data))
}

// secretFile reads the file that n names, which only its owner may read. One line end at its end, and a mark of its encoding in front, do not count.
func (r *reader) secretFile(n *node, what string, limit int64) (data []byte, ok bool) {
	name, ok := r.str(n, what)
	if !ok {
		return nil, false
	}
	if name == "" {
		r.fail(n, "", "%s is empty", what)
		return nil, false
	}
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(r.name), path)
	}
	read := r.opts.ReadKey
	if read == nil {
		read = func(name string) ([]byte, os.FileMode, error) { return readKeyFile(name, limit) }
	}
	data, mode, err := read(path)
	if err != nil {
		var pathErr *fs.PathError
		if errors.As(err, &pathErr) {
			err = pathErr.Err
		}
		r.fail(n, "names are relative to the directory of the policy file", "cannot read the key file %q: %v", shorten(path), err)
		return nil, false
	}
	if keyModeMatters && mode.Perm()&0o077 != 0 {
		message := fmt.Sprintf("the key file %q can be read by others (mode %04o)", shorten(path), mode.Perm())
		if r.opts.StrictKeyFiles {
			r.fail(n, "chmod 600 "+path, "%s", message)
			return nil, false
		}
		r.warn(n, "%s: chmod 600 it, or up will refuse it", message)
	}
	// An editor leaves one line end behind the key, and some put a mark in front; neither was meant as part of it.
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	data = bytes.TrimSuffix(bytes.TrimSuffix(data, []byte("\n")), []byte("\r"))
	if int64(len(data)) > limit {
		r.fail(n, "", "the file %q is longer than %d bytes", shorten(path), limit)
		return nil, false
	}
	return data, true
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
