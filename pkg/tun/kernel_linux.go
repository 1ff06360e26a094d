package tun

import (
	"errors"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// kernel is the TUN device of Linux.
type kernel struct {
	*monitored
	raw     syscall.RawConn
	offload Offload
	wake    int // an eventfd that Close makes readable
	in      reader
	out     writer
}

func newKernel(d Device, o Options) (*kernel, error) {
	k := &kernel{monitored: newMonitored(d)}
	var err error
	if k.raw, err = d.File().SyscallConn(); err != nil {
		return nil, err
	}
	if k.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return nil, err
	}
	if err := k.setOffload(o); err != nil {
		unix.Close(k.wake)
		return nil, err
	}
	k.in.init(k.wake)
	k.out.init()
	return k, nil
}

// setOffload tells the kernel which superpackets it may hand out. What it takes is of the same kinds.
func (k *kernel) setOffload(o Options) (err error) {
	const tcp = unix.TUN_F_CSUM | unix.TUN_F_TSO4 | unix.TUN_F_TSO6 | unix.TUN_F_TSO_ECN
	const udp = unix.TUN_F_USO4 | unix.TUN_F_USO6 // since Linux 6.2
	failed := k.raw.Control(func(fd uintptr) {
		set := func(bits int) error { return unix.IoctlSetInt(int(fd), unix.TUNSETOFFLOAD, bits) }
		if o.NoOffload {
			err = set(0)
			return
		}
		k.offload.UDP = set(tcp|udp) == nil
		k.offload.TCP = k.offload.UDP || set(tcp) == nil
		if !k.offload.TCP {
			err = set(0)
		}
	})
	return errors.Join(failed, err)
}

func (k *kernel) Offload() Offload { return k.offload }

// Describe implements Described.
func (k *kernel) Describe() string {
	ways := []string{"readv"}
	if k.offload.TCP {
		ways = append(ways, "TSO")
	}
	if k.offload.UDP {
		ways = append(ways, "USO")
	}
	return strings.Join(ways, ", ")
}

// Close wakes the reader, and waits until it has left the descriptor.
func (k *kernel) Close() error {
	k.closeOnce.Do(func() {
		k.closed.Store(true)
		_, _ = unix.Write(k.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
		k.closeErr = k.Device.Close()
		unix.Close(k.wake) // nobody is left who could wait for it
	})
	return k.closeErr
}

func (k *kernel) ReadPackets(packets []Packet) (int, error) {
	if len(packets) == 0 {
		return 0, nil
	}
	r := &k.in
	r.packets, r.n, r.err = packets, 0, nil
	err := k.raw.Read(r.call)
	r.packets = nil
	if err == nil {
		err = r.err
	}
	if err == nil || errors.Is(err, errCut) || errors.Is(err, errSilly) {
		return r.n, err
	}
	return r.n, k.explain(err)
}
