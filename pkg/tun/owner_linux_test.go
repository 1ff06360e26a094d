package tun

import (
	"errors"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/goipsec/goipsec/pkg/testnet"
)

// join opens a queue of a device as a user without any capability, but for what it takes to open the file.
func join(name string) error {
	fd, err := unix.Open(clonePath, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_VNET_HDR | unix.IFF_MULTI_QUEUE)
	const nobody = 65534
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody); errno != 0 { // of this thread alone
		return errno
	}
	return unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr)
}

func TestNobodyElseGetsAQueue(t *testing.T) {
	testnet.NeedTUN(t)
	d, err := CreateWith("tun7", 1400, Options{Queues: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer closeDevice(t, d, "tun7")
	namespace, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(namespace)
	joined := make(chan error)
	go func() {
		runtime.LockOSThread() // and never give it back: the thread ends with what it has become
		if err := unix.Setns(namespace, unix.CLONE_NEWNET); err != nil {
			joined <- err
			return
		}
		joined <- join("tun7")
	}()
	if err := <-joined; err != unix.EPERM {
		t.Error("a stranger opens a queue:", err)
	}
	if _, err := openTUN("tun7", 2); err != unix.EBUSY {
		t.Error("a device that is there is joined:", err)
	}
	if err := alone("tun7", 2); err != nil {
		t.Error(err)
	}
	fd, err := openQueue("tun7", true, false)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := alone("tun7", 2); !errors.Is(err, errShared) {
		t.Error("a third queue is not seen:", err)
	}
}

func TestAttributes(t *testing.T) {
	b := []byte{6, 0, 1, 0, 7, 8, 0, 0, 8, 0, 2, 0x80, 1, 2, 3, 4}
	if a := attribute(b, 1); len(a) != 2 || a[0] != 7 {
		t.Error(a)
	}
	if a := attribute(b, 2); len(a) != 4 || a[3] != 4 {
		t.Error(a)
	}
	for n := range b { // cut anywhere, and of a length that cannot be
		attribute(b[:n], 2)
		attribute(append([]byte{byte(n), 0, 9, 0}, b[:n]...), 2)
	}
	if attribute(b, 3) != nil || attribute(nil, 1) != nil {
		t.Error("what is not there is found")
	}
}
