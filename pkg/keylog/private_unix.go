//go:build unix

package keylog

import (
	"fmt"
	"os"
	"syscall"
)

// noFollow refuses a symbolic link in the place of a table.
const noFollow = syscall.O_NOFOLLOW

// checkPrivate refuses what others may read or change.
func checkPrivate(path, kind, fix string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("the key log: %w", err)
	}
	if kind == "directory" && !info.IsDir() {
		return fmt.Errorf("the key log: %s is not a directory: name one that is, or that is not there yet", path)
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok && int(s.Uid) != os.Geteuid() {
		return fmt.Errorf("the key log: the %s %s belongs to user %d, who could read every key: name a directory of your own", kind, path, s.Uid)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("the key log: others may use the %s %s (mode %04o), and with it read all the traffic: `%s %s`, or name another directory", kind, path, info.Mode().Perm(), fix, path)
	}
	return nil
}
