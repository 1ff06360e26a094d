package control

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// peerOf asks the kernel who is at the other end (LOCAL_PEERCRED, LOCAL_PEERPID). Untried.
func peerOf(c net.Conn) (identity, error) {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return identity{}, errors.New("not a unix socket")
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return identity{}, err
	}
	var cred *unix.Xucred
	var pid int
	var credErr, pidErr error
	err = raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
		pid, pidErr = unix.GetsockoptInt(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERPID)
	})
	if err = errors.Join(err, credErr); err != nil {
		return identity{}, err
	}
	if pidErr != nil {
		pid = 0 // only the name of the holder in an error message is lost
	}
	return identityOf(pid, cred.Uid), nil
}

// beforeBind has nothing to do: the mode is set once the file is there, and peerOf guards the moment between.
func beforeBind(string, string, syscall.RawConn) error { return nil }
