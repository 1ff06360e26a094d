//go:build unix

package control

import (
	"io/fs"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

func self() identity { return identityOf(os.Getpid(), uint32(os.Geteuid())) }

func identityOf(pid int, uid uint32) identity {
	return identity{PID: pid, User: strconv.FormatUint(uint64(uid), 10), Super: uid == 0}
}

func isSocket(info fs.FileInfo) bool { return info.Mode().Type() == fs.ModeSocket }

func isRefused(error) bool { return false }

// lockDir holds an advisory lock on a directory until unlock is called. In a directory that others may write to (/tmp) it takes none:
// anyone could hold it for ever.
func lockDir(dir string) (unlock func(), err error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o022 != 0 {
		return func() {}, nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}
