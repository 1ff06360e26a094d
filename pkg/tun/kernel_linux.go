package tun

import (
	"errors"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/goipsec/goipsec/pkg/uring"
)

// kernel is the TUN device of Linux.
type kernel struct {
	*monitored
	fd      int // to be used while users is held and the device is not closed
	users   sync.RWMutex
	offload Offload
	ringed  bool
	wake    int // an eventfd that Close makes readable
	in      reader
	out     writer
	cut     cutReader
}

func newKernel(d Device, fd int, o Options) (*kernel, error) {
	k := &kernel{monitored: newMonitored(d), fd: fd}
	err := unix.SetNonblock(fd, true)
	if err != nil {
		return nil, err
	}
	if k.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return nil, err
	}
	if err := k.setOffload(o); err != nil {
		unix.Close(k.wake)
		return nil, err
	}
	var in, out *uring.Ring
	if !o.NoRing {
		in, out = rings(fd)
	}
	k.in.init(k.wake, in)
	k.out.init(out)
	k.ringed = in != nil
	return k, nil
}

// setOffload tells the kernel which superpackets it may hand out. What it takes is of the same kinds.
func (k *kernel) setOffload(o Options) error {
	const tcp = unix.TUN_F_CSUM | unix.TUN_F_TSO4 | unix.TUN_F_TSO6 | unix.TUN_F_TSO_ECN
	const udp = unix.TUN_F_USO4 | unix.TUN_F_USO6 // since Linux 6.2
	set := func(bits int) error { return unix.IoctlSetInt(k.fd, unix.TUNSETOFFLOAD, bits) }
	if o.NoOffload {
		return set(0)
	}
	k.offload.UDP = set(tcp|udp) == nil
	k.offload.TCP = k.offload.UDP || set(tcp) == nil
	if !k.offload.TCP {
		return set(0)
	}
	return nil
}

// rings makes a ring for each direction, or none where there is no io_uring or it cannot do without waiting for fd.
func rings(fd int) (in, out *uring.Ring) {
	in, err := uring.New(2 * maxReads)
	if err != nil {
		return nil, nil
	}
	in.TryRead(fd, make([]byte, vnetLen), 0)
	err = in.Enter(1)
	if res, ok := in.Next(); err == nil && ok && res.N == -int32(unix.EAGAIN) { // the device is down and has nothing to read
		if out, err = uring.New(maxWrites); err == nil {
			return in, out
		}
	}
	in.Close()
	return nil, nil
}

func (k *kernel) Offload() Offload { return k.offload }

// Describe implements Described.
func (k *kernel) Describe() string {
	ways := []string{"readv"}
	if k.ringed {
		ways[0] = "io_uring"
	}
	if k.offload.TCP {
		ways = append(ways, "TSO")
	}
	if k.offload.UDP {
		ways = append(ways, "USO")
	}
	return strings.Join(ways, ", ")
}

// Close wakes the reader, and waits until the last read and write are over.
func (k *kernel) Close() error {
	k.closeOnce.Do(func() {
		k.closed.Store(true)
		_, _ = unix.Write(k.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
		k.users.Lock()
		defer k.users.Unlock()
		k.closeErr = k.Device.Close()
		unix.Close(k.wake)
		for _, r := range [...]*uring.Ring{k.in.ring, k.out.ring} {
			if r != nil {
				r.Close()
			}
		}
	})
	return k.closeErr
}

func (k *kernel) ReadPackets(packets []Packet) (int, error) {
	if len(packets) == 0 {
		return 0, nil
	}
	k.users.RLock()
	defer k.users.RUnlock()
	if k.closed.Load() {
		return 0, os.ErrClosed
	}
	r := &k.in
	r.packets, r.n, r.err = packets, 0, nil
	r.fill(k.fd)
	r.packets = nil
	err := r.err
	if err == nil || errors.Is(err, errCut) || errors.Is(err, errSilly) {
		return r.n, err
	}
	return r.n, k.explain(err)
}
