package peers

import (
	"fmt"
	"os"
	"syscall"
)

// lock waits for the cache: two test binaries that start together must not download twice.
func lock(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the peers' cache: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		file.Close()
		return nil, fmt.Errorf("cannot lock the peers' cache: %w", err)
	}
	return func() { file.Close() }, nil
}
