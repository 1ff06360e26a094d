package control

import (
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

// Instance names an instance by its socket: "goipsec" for the default one.
func Instance(path string) string { return strings.TrimSuffix(filepath.Base(path), ".sock") }
