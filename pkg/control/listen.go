package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// maxPath is the longest socket path that every system takes, in bytes: sun_path is 104 on macOS and 108 elsewhere, with its NUL.
const maxPath = 103

// InUseError tells that a live process holds the socket. PID is 0 where the system does not say.
type InUseError struct {
	Path string
	PID  int
}

func (e *InUseError) Error() string {
	holder := "another process"
	if e.PID != 0 {
		holder = fmt.Sprintf("process %d", e.PID)
	}
	return fmt.Sprintf("an instance is running on %s already (%s): end it with `goipsec down --socket %s`, or choose another --socket", e.Path, holder, e.Path)
}

// Listen takes the socket at path with mode 0600 and makes its directory (0700) where there is none. The socket of a process that died is
// replaced; that of a live one is an *InUseError; a file that is no socket is left alone. The listener hands out only connections of root
// and of this process's own user.
func Listen(path string) (net.Listener, error) {
	if len(path) > maxPath {
		return nil, fmt.Errorf("the socket's path %s is %d bytes long, and a unix socket's may be %d: choose a shorter --socket", path, len(path), maxPath)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the control socket's directory: %w: choose another --socket, or run as root", err)
	}
	// Two that start at once would each take the other's fresh socket for a stale one.
	unlock, err := lockDir(dir)
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", dir, err)
	}
	defer unlock()
	if err := removeStale(path); err != nil {
		return nil, err
	}
	c := net.ListenConfig{Control: beforeBind}
	l, err := c.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("the control socket: %w: choose another --socket, or run as the directory's owner", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("the control socket: %w", err), l.Close())
	}
	return &listener{Listener: l, self: self()}, nil
}

// RemoveStale removes the socket at path if the process that made it has died, and says whether it did.
func RemoveStale(path string) (removed bool, err error) {
	if info, err := os.Lstat(path); err != nil || !isSocket(info) {
		return false, nil
	}
	unlock, err := lockDir(filepath.Dir(path))
	if err != nil {
		return false, fmt.Errorf("locking %s: %w", filepath.Dir(path), err)
	}
	defer unlock()
	if err := removeStale(path); err != nil {
		return false, err
	}
	_, err = os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist), nil
}

// removeStale removes the socket of a process that died.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the control socket: %w", err)
	}
	if !isSocket(info) {
		return fmt.Errorf("%s is there and is not a socket, so it was left alone: move it away, or choose another --socket", path)
	}
	c, err := net.Dial("unix", path)
	if err == nil {
		defer c.Close()
		pid := 0
		if id, err := peerOf(c); err == nil {
			pid = id.PID
		}
		return &InUseError{Path: path, PID: pid}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil // its process has removed it meanwhile
	}
	if !errors.Is(err, syscall.ECONNREFUSED) && !isRefused(err) {
		return fmt.Errorf("%s is there and cannot be asked whether it is live: %w", path, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the socket of a process that died: %w", err)
	}
	return nil
}

// listener drops the connections of other users before a byte of theirs is read.
type listener struct {
	net.Listener
	self identity
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if id, err := peerOf(c); err == nil && id.mayUse(l.self) {
			return c, nil
		}
		_ = c.Close()
	}
}
