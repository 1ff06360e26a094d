package peers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Reasons for which there are no peers. Each is a reason to skip a test, not to fail it.
var (
	ErrNotLinux = errors.New("peers run on Linux only")
	ErrNotRoot  = errors.New("not root: network namespaces and mounts need it")
	ErrNoApt    = errors.New("no apt-get here: the peers come from Debian's packages")
)

// A Set is one unpacked tree of peers.
type Set struct {
	Dir      string            // the tree; Dir/usr is laid over /usr
	Packages map[string]string // Debian package to version, of what the tree holds

	of *list
}

// CacheDir returns the directory that holds the trees: goipsec-test in the user's cache directory.
func CacheDir() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache directory for the peers: %w (set XDG_CACHE_HOME)", err)
	}
	return filepath.Join(base, "goipsec-test"), nil
}

// Ensure returns a complete set of peers and gets it first where the cache has none; logf is told what is being done. With a
// cached set it needs no network. The error says why there are no peers and what would help.
func Ensure(ctx context.Context, logf func(format string, args ...any)) (*Set, error) {
	if runtime.GOOS != "linux" {
		return nil, ErrNotLinux
	}
	if os.Geteuid() != 0 {
		return nil, ErrNotRoot
	}
	return ensure(ctx, &hosts, logf)
}

// EnsureBrowser returns a tree that holds Chromium, in the manner of Ensure. It is not laid over /usr: Set.Browser says how it is started from where it lies. Only a
// host whose package lists are too old needs root.
func EnsureBrowser(ctx context.Context, logf func(format string, args ...any)) (*Set, error) {
	if runtime.GOOS != "linux" {
		return nil, ErrNotLinux
	}
	return ensure(ctx, &browser, logf)
}

func ensure(ctx context.Context, of *list, logf func(format string, args ...any)) (*Set, error) {
	cache, err := CacheDir()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, fmt.Errorf("no place for the peers: %w", err)
	}
	unlock, err := lock(filepath.Join(cache, "lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	name := treeName(of)
	if set, err := open(filepath.Join(cache, name), of); err == nil {
		return set, nil
	}
	return fetch(ctx, cache, name, of, logf)
}

// treeName keys a tree by what a tree depends on: the release of Debian, the architecture and the list of wanted packages. The
// versions that it holds are in its manifest.
func treeName(of *list) string {
	return fmt.Sprintf("%s-%s-%08x", release(), runtime.GOARCH, sum(strings.Join(of.want, " ")))
}

func release() string {
	text, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "unknown"
	}
	var id, version string
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		value = strings.Trim(value, `"`)
		switch key {
		case "ID":
			id = value
		case "VERSION_ID":
			version = value
		}
	}
	return id + version
}

// sum is FNV-1a: a name, not a protection.
func sum(text string) uint32 {
	h := uint32(2166136261)
	for _, b := range []byte(text) {
		h = (h ^ uint32(b)) * 16777619
	}
	return h
}

const manifestName = "manifest.json"

// Open reads the manifest of a complete tree of hosts.
func Open(dir string) (*Set, error) { return open(dir, &hosts) }

func open(dir string, of *list) (*Set, error) {
	text, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil {
		return nil, err
	}
	set := &Set{Dir: dir, of: of}
	if err := json.Unmarshal(text, &set.Packages); err != nil {
		return nil, err
	}
	return set, set.check()
}

func (s *Set) writeManifest() error {
	text, err := json.MarshalIndent(s.Packages, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.Dir, manifestName), append(text, '\n'), 0o644)
}

// check finds every program in the tree or on the host.
func (s *Set) check() error {
	for _, program := range s.of.programs {
		alternatives := []string{
			filepath.Join(s.Dir, "usr", program),
			filepath.Join(s.Dir, "usr", swapSbin(program)),
			filepath.Join("/usr", program),
			filepath.Join("/usr", swapSbin(program)),
		}
		if !slices.ContainsFunc(alternatives, exists) {
			return fmt.Errorf("the peers in %s have no %s", s.Dir, filepath.Base(program))
		}
	}
	return nil
}

// swapSbin names the other of bin and sbin: Debian moves programs between them from release to release.
func swapSbin(program string) string {
	if rest, ok := strings.CutPrefix(program, "sbin/"); ok {
		return "bin/" + rest
	}
	return "sbin/" + strings.TrimPrefix(program, "bin/")
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// Version returns the upstream version of a package that the set holds, or "the host's own".
func (s *Set) Version(pkg string) string {
	version, ok := s.Packages[pkg]
	if !ok {
		return "the host's own"
	}
	version, _, _ = strings.Cut(version, "-")
	return version
}
