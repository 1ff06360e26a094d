package control

import (
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// DefaultPath is where an instance listens that was given no --socket: /run/goipsec/goipsec.sock for root (/var/run/… on macOS,
// %ProgramData%\goipsec\goipsec.sock on Windows), and for an ordinary user the same in $XDG_RUNTIME_DIR, or in a directory
// of the user's own among the temporary files.
func DefaultPath() string {
	const file = "goipsec.sock"
	switch {
	case runtime.GOOS == "windows":
		return filepath.Join(os.Getenv("ProgramData"), "goipsec", file)
	case os.Geteuid() == 0 && runtime.GOOS == "linux":
		return "/run/goipsec/" + file
	case os.Geteuid() == 0:
		return "/var/run/goipsec/" + file
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "goipsec", file)
	}
	return filepath.Join(os.TempDir(), "goipsec-"+strconv.Itoa(os.Geteuid()), file)
}

// Instance names an instance by its socket: "lab" for /run/goipsec/lab.sock, "goipsec" for the default one. Of a socket elsewhere the whole
// path counts, for two instances of one name would take each other's routes and guard for their own.
func Instance(path string) string {
	name := strings.TrimSuffix(filepath.Base(path), ".sock")
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	plain := strings.Map(onlyPlain, name)
	if plain == name && len(name) <= maxPlain && (filepath.Dir(path) == "/run/goipsec" || filepath.Dir(path) == filepath.Dir(DefaultPath())) {
		return name
	}
	h := fnv.New32a()
	h.Write([]byte(path))
	return fmt.Sprintf("%s-%08x", plain[:min(len(plain), maxPlain)], h.Sum32())
}

// maxPlain leaves room for the sum of the path: an instance's name has 32 characters at most.
const maxPlain = 23

// onlyPlain keeps what the name of an instance may hold.
func onlyPlain(c rune) rune {
	if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' {
		return c
	}
	return -1
}
