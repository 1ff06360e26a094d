package revocation

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goipsec/goipsec/pkg/pki"
)

// A file of the cache has three lines before what was fetched: what it is, where it came from, when it expires.
const (
	magic     = "goipsec revocation 1"
	extension = ".cached"
	maxHead   = 8 << 10
)

// entry is a file of the cache.
type entry struct {
	id      string
	expires time.Time
	data    []byte
}

var errDamaged = errors.New("it is damaged")

func (e entry) encode() []byte {
	head := magic + "\n" + e.id + "\n" + e.expires.UTC().Format(time.RFC3339) + "\n"
	return append([]byte(head), e.data...)
}

func decodeEntry(file []byte) (entry, error) {
	parts := bytes.SplitN(file, []byte("\n"), 4)
	if len(parts) != 4 || string(parts[0]) != magic || len(parts[1]) == 0 || len(parts[3]) == 0 {
		return entry{}, errDamaged
	}
	expires, err := time.Parse(time.RFC3339, string(parts[2]))
	if err != nil {
		return entry{}, errDamaged
	}
	return entry{string(parts[1]), expires, parts[3]}, nil
}

func readEntry(path string) (entry, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return entry{}, err
	}
	if !info.Mode().IsRegular() || info.Size() > MaxBytes+maxHead {
		return entry{}, errDamaged
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return entry{}, err
	}
	e, err := decodeEntry(data)
	if err == nil && fileName(e.id) != filepath.Base(path) {
		err = errDamaged // somebody renamed it
	}
	return e, err
}

// fileName is where something is kept: what it is called may come from a certificate.
func fileName(id string) string { return fmt.Sprintf("%x", identify([]byte(id))) + extension }

func (c *cache) path(id string) string { return filepath.Join(c.dir, fileName(id)) }

// load reads the directory. What has expired long ago goes.
func (c *cache) load(now time.Time) {
	entries, err := readDir(c.dir)
	if err != nil {
		c.fault("cannot be read", err)
		return
	}
	for _, f := range entries {
		path := filepath.Join(c.dir, f)
		e, err := readEntry(path)
		switch {
		case errors.Is(err, errDamaged):
			c.log.Warn("a file of the cache of revocation lists is damaged and left out", "file", path)
			os.Remove(path)
		case err != nil:
			c.fault("cannot be read", err)
		case now.After(e.expires.Add(keepExpired)):
			os.Remove(path)
		case len(c.entries) < maxCached && c.bytes+len(e.data) <= maxCachedBytes:
			c.add(e.id, e.data, e.expires, pki.StampOf(path))
		}
	}
}

// keepExpired is how long an expired list is kept: it still proves what it says is revoked.
const keepExpired = 30 * 24 * time.Hour

// readDir lists the files of the cache; a directory that is not there has none.
func readDir(dir string) (names []string, err error) {
	if dir == "" {
		return nil, nil
	}
	list, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, f := range list {
		if strings.HasSuffix(f.Name(), extension) && len(names) < 2*maxCached {
			names = append(names, f.Name())
		}
	}
	return names, err
}

// write puts an entry into the directory, whole or not at all. The zero Stamp says that it stands in memory only.
func (c *cache) write(id string, data []byte, expires time.Time) pki.Stamp {
	if c.dir == "" || strings.ContainsAny(id, "\r\n") || len(id) > maxHead/2 {
		return pki.Stamp{}
	}
	if err := writeFile(c.dir, fileName(id), entry{id, expires, data}.encode()); err != nil {
		c.fault("cannot be written", err)
		return pki.Stamp{}
	}
	return pki.StampOf(c.path(id))
}

func writeFile(dir, name string, data []byte) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".new-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, name))
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// remove deletes an entry's file.
func (c *cache) remove(id string) {
	if c.dir != "" {
		os.Remove(c.path(id))
	}
}

// fault says once that the directory is of no use. Checks go on without it.
func (c *cache) fault(what string, err error) {
	if !c.broken {
		c.broken = true
		c.log.Warn("the cache of revocation lists "+what+"; lists are fetched again after a restart", "directory", c.dir, "error", err)
	}
}

// Entry is something in a cache, for people.
type Entry struct {
	URL     string    `json:"url"`
	Kind    string    `json:"kind"` // "crl", "delta crl" or "ocsp"
	Issuer  string    `json:"issuer,omitempty"`
	Expires time.Time `json:"expires"`
	Revoked int       `json:"revoked"` // entries of a list
	Bytes   int       `json:"bytes"`
	Damaged bool      `json:"damaged,omitempty"`
}

// List shows what a directory holds, by what expires first.
func List(dir string) ([]Entry, error) {
	names, err := readDir(dir)
	if err != nil {
		return nil, err
	}
	var out []Entry
	for _, name := range names {
		e, err := readEntry(filepath.Join(dir, name))
		if errors.Is(err, errDamaged) {
			out = append(out, Entry{URL: name, Damaged: true})
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, describe(e))
	}
	slices.SortStableFunc(out, func(a, b Entry) int { return a.Expires.Compare(b.Expires) })
	return out, nil
}

func describe(e entry) Entry {
	x := Entry{URL: e.id, Kind: "crl", Expires: e.expires, Bytes: len(e.data)}
	if rest, ok := strings.CutPrefix(e.id, "ocsp "); ok {
		x.Kind = "ocsp"
		x.URL, _, _ = strings.Cut(rest, " ")
		return x
	}
	l, err := parseList(e.data, MaxBytes)
	if err != nil {
		x.Damaged = true
		return x
	}
	if l.delta {
		x.Kind = "delta crl"
	}
	x.Issuer, x.Revoked = pki.FormatDN(l.issuer), len(l.revoked)
	return x
}

// Flush empties a directory and returns how many entries it had. Nothing but files of the cache is touched.
func Flush(dir string) (n int, err error) {
	names, err := readDir(dir)
	for _, name := range names {
		if e := os.Remove(filepath.Join(dir, name)); e != nil {
			err = errors.Join(err, e)
			continue
		}
		n++
	}
	return n, err
}
