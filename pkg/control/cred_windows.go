package control

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// getPeerPID is SIO_AF_UNIX_GETPEERPID of the Windows SDK's afunix.h.
const getPeerPID = 0x58000100

// peerOf asks Windows for the process at the other end and takes the user of its token. Untried.
func peerOf(c net.Conn) (identity, error) {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return identity{}, errors.New("not a unix socket")
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return identity{}, err
	}
	var pid, n uint32
	var askErr error
	err = raw.Control(func(fd uintptr) {
		askErr = windows.WSAIoctl(windows.Handle(fd), getPeerPID, nil, 0, (*byte)(unsafe.Pointer(&pid)), uint32(unsafe.Sizeof(pid)), &n, nil, 0)
	})
	if err = errors.Join(err, askErr); err != nil {
		return identity{}, fmt.Errorf("the process at the other end of the socket: %w", err)
	}
	return identityOfProcess(pid)
}

func identityOfProcess(pid uint32) (identity, error) {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, pid)
	if err != nil {
		return identity{}, err
	}
	defer windows.CloseHandle(h)
	var token windows.Token
	if err := windows.OpenProcessToken(h, windows.TOKEN_QUERY, &token); err != nil {
		return identity{}, err
	}
	defer token.Close()
	user, err := token.GetTokenUser()
	if err != nil {
		return identity{}, err
	}
	return identity{PID: int(pid), User: user.User.Sid.String(), Super: user.User.Sid.IsWellKnown(windows.WinLocalSystemSid)}, nil
}

func self() identity {
	id, err := identityOfProcess(uint32(os.Getpid()))
	if err != nil {
		return identity{} // matches nobody
	}
	return id
}

// isSocket accepts what Windows calls a reparse point, its form of a socket file.
func isSocket(info fs.FileInfo) bool { return info.Mode().Type()&(fs.ModeSocket|fs.ModeIrregular) != 0 }

func isRefused(err error) bool { return errors.Is(err, windows.WSAECONNREFUSED) }

func lockDir(string) (func(), error) { return func() {}, nil }

func beforeBind(string, string, syscall.RawConn) error { return nil }
