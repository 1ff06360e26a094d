package revocation

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/goipsec/goipsec/pkg/pki"
	"github.com/goipsec/goipsec/pkg/testpki"
)

func contains2(s string, parts ...string) bool {
	for _, p := range parts {
		if !strings.Contains(s, p) {
			return false
		}
	}
	return true
}

var strong = pki.Rules{CRLCheck: pki.CRLStrong}

// TestCacheLivesUntilTheListExpires: a list is fetched once, also over a restart, until it expires; then a new one is.
func TestCacheLivesUntilTheListExpires(t *testing.T) {
	w := newWorld(t)
	w.put("/crl", crl(t, w.root))
	w.says(now, strong, 0)
	w.put("/crl", crl(t, w.root, number(11), times(now.Add(time.Hour), now.Add(48*time.Hour)), revokes(1, w.machine)))
	w.says(now.Add(23*time.Hour), strong, 0)
	w.restart()
	w.says(now.Add(24*time.Hour), strong, 0)
	if w.hit("/crl") != 1 {
		t.Errorf("fetched %d times", w.hit("/crl"))
	}
	w.says(now.Add(24*time.Hour+time.Second), strong, pki.Revoked)
	if w.hit("/crl") != 2 {
		t.Errorf("fetched %d times", w.hit("/crl"))
	}
	// What a list says is revoked counts when the list has expired and no other can be had, also after a restart.
	w.server.Close()
	w.restart()
	w.says(now.Add(300*time.Hour), pki.Rules{}, pki.Revoked)
	info, err := os.Stat(w.dir)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	files, _ := filepath.Glob(filepath.Join(w.dir, "*"))
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s %v %v", f, info.Mode(), err)
		}
	}
	if len(files) != 1 {
		t.Error(files)
	}
}

// TestDeltaListsAreKeptToo: a delta list is fetched anew when it has expired, and its base, which has not, is not.
func TestDeltaListsAreKeptToo(t *testing.T) {
	w := newWorld(t, freshestAt(t, "/delta"))
	w.put("/crl", crl(t, w.root, times(now, now.Add(100*time.Hour))))
	w.put("/delta", crl(t, w.root, number(11), deltaOf(t, 10), times(now, now.Add(time.Hour))))
	for range 3 {
		w.says(now, strong, 0)
	}
	if w.hit("/crl") != 1 || w.hit("/delta") != 1 {
		t.Errorf("fetched %d and %d times", w.hit("/crl"), w.hit("/delta"))
	}
	w.put("/delta", crl(t, w.root, number(12), deltaOf(t, 10), times(now.Add(time.Hour), now.Add(2*time.Hour)), revokes(1, w.machine)))
	w.says(now.Add(90*time.Minute), strong, pki.Revoked)
	if w.hit("/crl") != 1 || w.hit("/delta") != 2 {
		t.Errorf("fetched %d and %d times", w.hit("/crl"), w.hit("/delta"))
	}
	// Without fetching, what was fetched counts while it holds, and what it says is revoked for good counts after that; a certificate on hold may be free again.
	offline := pki.Rules{CRLCheck: pki.CRLStrong, NoFetch: true}
	w.says(now.Add(90*time.Minute), offline, pki.Revoked)
	w.says(now.Add(3*time.Hour), offline, pki.Revoked)
	w.server.Close()
	w.says(now.Add(3*time.Hour), pki.Rules{}, pki.Revoked)
	held := newWorld(t, freshestAt(t, "/delta"))
	held.put("/crl", crl(t, held.root, times(now, now.Add(100*time.Hour))))
	held.put("/delta", crl(t, held.root, number(11), deltaOf(t, 10), times(now, now.Add(time.Hour)), revokes(6, held.machine)))
	held.says(now, strong, pki.Revoked)
	held.says(now.Add(3*time.Hour), offline, 0)
	// A delta list that was fetched frees a certificate while it holds.
	free := newWorld(t, freshestAt(t, "/delta"))
	free.put("/crl", crl(t, free.root, revokes(6, free.machine)))
	free.put("/delta", crl(t, free.root, number(11), deltaOf(t, 10), times(now, now.Add(time.Hour)), revokes(8, free.machine)))
	free.says(now, strong, 0)
	free.says(now, offline, 0)
	free.says(now.Add(2*time.Hour), offline, pki.Revoked)
}

// TestAnswersAreKeptToo: a responder is asked once until its answer expires, also over a restart; an answer that knows nothing, or does not say until when it holds, is not kept.
func TestAnswersAreKeptToo(t *testing.T) {
	w := newWorld(t, noLists, ocspAt("/ocsp"))
	asked := func(n int) {
		t.Helper()
		if got := w.hit("/ocsp"); got != n {
			t.Errorf("asked %d times, want %d", got, n)
		}
	}
	w.put("/ocsp", answer(t, w.machine, w.root, w.root))
	w.says(now, strong, 0)
	w.says(now.Add(time.Minute), strong, 0)
	w.restart()
	w.says(now.Add(time.Hour), strong, 0)
	asked(1)
	w.put("/ocsp", answer(t, w.machine, w.root, w.root, status(ocsp.Unknown, 0), func(r *ocsp.Response) { r.NextUpdate = now.Add(100 * time.Hour) }))
	w.says(now.Add(2*time.Hour), strong, pki.RevocationUnknown)
	w.says(now.Add(2*time.Hour), strong, pki.RevocationUnknown)
	asked(3)
	w.put("/ocsp", answer(t, w.machine, w.root, w.root, func(r *ocsp.Response) { r.ThisUpdate, r.NextUpdate = now.Add(2*time.Hour), time.Time{} }))
	w.says(now.Add(2*time.Hour), strong, 0)
	w.says(now.Add(2*time.Hour), strong, 0)
	asked(5)
}

// TestOldListsAreNotPlayedAgain: who stands between cannot put an older list, that holds still, in the place of a newer one that expired.
func TestOldListsAreNotPlayedAgain(t *testing.T) {
	w := newWorld(t)
	w.put("/crl", crl(t, w.root, number(20), times(now, now.Add(time.Hour)), revokes(6, w.machine)))
	w.says(now, strong, pki.Revoked)
	w.put("/crl", crl(t, w.root, number(19), times(now.Add(-time.Hour), now.Add(100*time.Hour))))
	err := w.check(now.Add(2*time.Hour), strong)
	if cause(t, err) != pki.RevocationUnknown || !strings.Contains(err.Error(), "older than the one") {
		t.Error(err)
	}
}

// TestForgedListsAreNotKept: a list is kept only if the authority signed it.
func TestForgedListsAreNotKept(t *testing.T) {
	w := newWorld(t)
	w.put("/crl", crl(t, testpki.Root(t, "Root"), times(now, now.Add(1000*time.Hour))))
	w.says(now, pki.Rules{}, 0)
	if list, err := List(w.dir); err != nil || len(list) != 0 {
		t.Error(list, err)
	}
}

// TestListAndFlush: what the cache holds is shown; an emptied one is noticed by a Checker that runs.
func TestListAndFlush(t *testing.T) {
	w := newWorld(t, ocspAt("/ocsp"), freshestAt(t, "/delta"))
	w.put("/crl", crl(t, w.root, revokes(1, w.root)))
	w.put("/delta", crl(t, w.root, number(12), deltaOf(t, 10)))
	w.says(now, pki.Rules{NoOCSP: true, CRLCheck: pki.CRLStrong}, 0)
	Flush(w.dir)
	w.put("/ocsp", answer(t, w.machine, w.root, w.root))
	w.says(now, strong, 0)
	w.says(now, pki.Rules{NoOCSP: true, CRLCheck: pki.CRLStrong}, 0)
	list, err := List(w.dir)
	if err != nil || len(list) != 3 || list[0].Kind != "ocsp" || list[0].URL != w.url("/ocsp") || !list[0].Expires.Equal(now.Add(time.Hour)) {
		t.Fatalf("%+v %v", list, err)
	}
	kinds := map[string]Entry{}
	for _, e := range list {
		kinds[e.Kind] = e
	}
	if e := kinds["crl"]; e.URL != w.url("/crl") || e.Revoked != 1 || e.Issuer != "C=CH, O=Lab, CN=Root" || e.Bytes == 0 || kinds["delta crl"].URL != w.url("/delta") {
		t.Errorf("%+v", list)
	}
	before := [2]int{w.hit("/crl"), w.hit("/ocsp")}
	w.says(now, strong, 0)
	if after := [2]int{w.hit("/crl"), w.hit("/ocsp")}; after != before {
		t.Errorf("%v, was %v", after, before)
	}
	writeList(t, filepath.Join(w.dir, "other"), []byte("somebody's"))
	if n, err := Flush(w.dir); n != 3 || err != nil {
		t.Error(n, err)
	}
	if _, err := os.Stat(filepath.Join(w.dir, "other")); err != nil {
		t.Error("it took another file away")
	}
	w.put("/ocsp", answer(t, w.machine, w.root, w.root, status(1, 1)))
	w.says(now, strong, pki.Revoked)
	if list, err := List(filepath.Join(w.dir, "none")); err != nil || len(list) != 0 {
		t.Error(list, err)
	}
}

// TestF7CacheThatCannotBeUsed: damaged files, a directory that cannot be made or is no directory, are warnings; checks go on.
func TestF7CacheThatCannotBeUsed(t *testing.T) {
	w := newWorld(t)
	w.put("/crl", crl(t, w.root))
	w.says(now, strong, 0)
	files, _ := filepath.Glob(filepath.Join(w.dir, "*"))
	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	damaged := [][]byte{nil, whole[:10], whole[:len(whole)/2], whole[:bytes.LastIndexByte(whole[:200], '\n')+1], bytes.Replace(whole, []byte("goipsec"), []byte("another"), 1),
		bytes.Replace(whole, []byte("2026"), []byte("20x6"), 1), append(bytes.Clone(whole[:len(whole)-40]), make([]byte, 40)...), []byte(strings.Repeat("x", MaxBytes+maxHead+1))}
	for i, data := range damaged {
		writeList(t, files[0], data)
		w.restart()
		hits := w.hit("/crl")
		w.says(now, strong, 0)
		if w.hit("/crl") != hits+1 {
			t.Errorf("damage %d was taken for a list", i)
		}
		if got, err := os.ReadFile(files[0]); err != nil || !bytes.Equal(got, whole) {
			t.Errorf("damage %d was not mended: %v", i, err)
		}
	}
	if !strings.Contains(w.log.String(), "damaged") {
		t.Error("nothing was said")
	}
	// Another list of the same authority under the name of this one, as after a rename.
	other := entry{w.url("/other"), now.Add(time.Hour), crl(t, w.root)}
	writeList(t, files[0], other.encode())
	w.restart()
	hits := w.hit("/crl")
	w.says(now, strong, 0)
	if w.hit("/crl") != hits+1 {
		t.Error("a file under another's name was used")
	}
	for name, dir := range map[string]string{"a file": writeList(t, filepath.Join(t.TempDir(), "file"), []byte("x")), "nowhere": "/dev/null/cache"} {
		v := newWorld(t)
		v.dir = dir
		v.restart()
		v.put("/crl", crl(t, v.root))
		v.says(now, strong, 0)
		v.says(now.Add(time.Hour), strong, 0)
		if v.hit("/crl") != 1 {
			t.Errorf("%s: fetched %d times: memory does not help", name, v.hit("/crl"))
		}
		if n := strings.Count(v.log.String(), "cache of revocation lists"); n != 1 {
			t.Errorf("%s: said %d times: %s", name, n, v.log.String())
		}
	}
	// A policy may name its own directory.
	own := filepath.Join(t.TempDir(), "own")
	w.says(now, pki.Rules{CRLCheck: pki.CRLStrong, Cache: own}, 0)
	if list, err := List(own); err != nil || len(list) != 1 {
		t.Error(list, err)
	}
}

// TestA8CacheIsBounded: a hundred thousand answers of one authority, and lists of any size, take a bounded room in memory and on disk.
func TestA8CacheIsBounded(t *testing.T) {
	dir := t.TempDir()
	c := newCache("", New(Options{}).log)
	for i := range uint64(100_000) {
		c.put(fmt.Sprintf("ocsp http://responder.example/ %d", i), binary.BigEndian.AppendUint64(nil, i), now.Add(time.Duration(i)*time.Second), now)
	}
	if len(c.entries) > maxCached {
		t.Errorf("%d entries", len(c.entries))
	}
	if c.get("ocsp http://responder.example/ 99999", now) == nil || c.get("ocsp http://responder.example/ 0", now) != nil {
		t.Error("what expires first should go")
	}
	c = newCache(dir, New(Options{}).log)
	for i := range 10 {
		c.put(fmt.Sprint("http://crl.example/", i), make([]byte, MaxBytes), now.Add(time.Duration(i)*time.Second), now)
	}
	c.put("http://crl.example/large", make([]byte, MaxBytes+1), now, now)
	if c.bytes > maxCachedBytes || len(c.entries) != maxCachedBytes/MaxBytes {
		t.Errorf("%d bytes in %d entries", c.bytes, len(c.entries))
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != len(c.entries) {
		t.Errorf("%d files: %v", len(files), err)
	}
	// A directory that somebody filled is not read without end.
	more := newCache(dir, New(Options{}).log)
	for i := range 9 {
		id := fmt.Sprint("http://more.example/", i)
		writeList(t, filepath.Join(dir, fileName(id)), entry{id, now.Add(time.Hour), make([]byte, MaxBytes)}.encode())
	}
	more.get("x", now)
	if more.bytes > maxCachedBytes {
		t.Errorf("%d bytes", more.bytes)
	}
}

// TestA8FailuresAreBounded: places that gave nothing are remembered for a minute, a few hundred of them.
func TestA8FailuresAreBounded(t *testing.T) {
	f := newFetcher(nil)
	for i := range 100_000 {
		id := fmt.Sprint(big.NewInt(int64(i)))
		own, _, err := f.start(id, now)
		if err != nil {
			t.Fatal(err)
		}
		own.err = os.ErrNotExist
		f.land(id, own, now)
	}
	if len(f.failures) > maxFailures || len(f.flights) != 0 {
		t.Errorf("%d failures, %d flights", len(f.failures), len(f.flights))
	}
}
