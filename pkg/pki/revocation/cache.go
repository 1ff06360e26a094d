package revocation

import (
	"crypto/sha256"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/goipsec/goipsec/pkg/pki"
)

// Bounds of a cache, in memory and on disk.
const (
	maxCached      = 512
	maxCachedBytes = 32 << 20
)

// cache keeps what was fetched, in memory and in a directory. What is in the directory counts: who empties it empties the cache.
type cache struct {
	dir string
	log *slog.Logger

	mu      sync.Mutex
	entries map[string]*cached
	bytes   int
	loaded  bool
	broken  bool // the directory cannot be used; said once
}

// cached is one thing that was fetched.
type cached struct {
	data    []byte
	expires time.Time
	stamp   pki.Stamp // of its file; the zero Stamp if it has none
	list    *list     // once it was asked for
}

func newCache(dir string, log *slog.Logger) *cache {
	return &cache{dir: dir, log: log, entries: map[string]*cached{}}
}

// DefaultDir is the directory of the cache: that of the system for root, that of the user otherwise. It is "" if there is none, and then nothing is kept on disk.
func DefaultDir() string {
	if os.Geteuid() == 0 {
		return "/var/lib/goipsec/crl"
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "goipsec", "crl")
}

// identify makes a short name of something long.
func identify(b []byte) []byte {
	sum := sha256.Sum256(b)
	return sum[:16]
}

// get returns what was fetched under a name, also if it has expired.
func (c *cache) get(id string, now time.Time) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entry(id, now); e != nil {
		return e.data
	}
	return nil
}

// list returns a list that was fetched from an URL, also if it has expired.
func (c *cache) list(url string, now time.Time) *list {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entry(url, now)
	if e == nil {
		return nil
	}
	if e.list == nil {
		l, err := parseList(e.data, MaxBytes)
		if err != nil {
			c.log.Warn("a list in the cache is damaged", "directory", c.dir, "url", url, "error", err)
			c.drop(url)
			return nil
		}
		e.list = l
	}
	return e.list
}

// entry finds something in memory whose file is still there.
func (c *cache) entry(id string, now time.Time) *cached {
	if !c.loaded {
		c.loaded = true
		c.load(now)
	}
	e := c.entries[id]
	if e != nil && !e.stamp.IsZero() && !e.stamp.Equal(pki.StampOf(c.path(id))) {
		c.drop(id) // flushed, or written by another process: it is looked at once more
		if entry, err := readEntry(c.path(id)); err == nil && entry.id == id {
			c.add(id, entry.data, entry.expires, pki.StampOf(c.path(id)))
		}
		return c.entries[id]
	}
	return e
}

// put keeps something until it expires.
func (c *cache) put(id string, data []byte, expires, now time.Time) {
	if len(data) > MaxBytes {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(id)
	for len(c.entries) >= maxCached || c.bytes+len(data) > maxCachedBytes {
		c.evict()
	}
	c.add(id, data, expires, c.write(id, data, expires))
}

func (c *cache) add(id string, data []byte, expires time.Time, stamp pki.Stamp) {
	c.entries[id] = &cached{data: data, expires: expires, stamp: stamp}
	c.bytes += len(data)
}

// drop forgets an entry in memory.
func (c *cache) drop(id string) {
	if e := c.entries[id]; e != nil {
		c.bytes -= len(e.data)
		delete(c.entries, id)
	}
}

// evict makes room: what expires first goes.
func (c *cache) evict() {
	name, first := "", (*cached)(nil)
	for id, e := range c.entries {
		if first == nil || e.expires.Before(first.expires) {
			name, first = id, e
		}
	}
	c.drop(name)
	c.remove(name)
}
