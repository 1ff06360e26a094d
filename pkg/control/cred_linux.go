package control

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// peerOf asks the kernel who is at the other end (SO_PEERCRED). For a connection that was dialled it is the process that listens.
func peerOf(c net.Conn) (identity, error) {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return identity{}, errors.New("not a unix socket")
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return identity{}, err
	}
	var cred *unix.Ucred
	var optErr error
	err = raw.Control(func(fd uintptr) { cred, optErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err = errors.Join(err, optErr); err != nil {
		return identity{}, err
	}
	return identityOf(int(cred.Pid), cred.Uid), nil
}

// beforeBind gives the socket its mode before it has a name: on Linux the file is made with the mode of the socket's inode, so
// there is no moment at which others may open it.
func beforeBind(_, _ string, raw syscall.RawConn) error {
	var modeErr error
	err := raw.Control(func(fd uintptr) { modeErr = unix.Fchmod(int(fd), 0o600) })
	return errors.Join(err, modeErr)
}
