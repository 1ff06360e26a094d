package tun

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/goipsec/goipsec/pkg/uring"
)

// kernel is the TUN device of Linux.
type kernel struct {
	*monitored
	queues  []*queue     // at least one
	users   sync.RWMutex // held by whoever uses a queue's fd while the device is not closed
	offload Offload
	ringed  bool
	cut     cutReader
}

// queue is one of the device's queues.
type queue struct {
	k    *kernel
	fd   int
	wake int // an eventfd that Close makes readable
	in   reader
	out  writer
}

// newKernel makes a device of descriptors, one for each queue. The first is d's own; on an error the others are closed.
func newKernel(d Device, fds []int, o Options) (*kernel, error) {
	k := &kernel{monitored: newMonitored(d)}
	for _, fd := range fds {
		k.queues = append(k.queues, &queue{k: k, fd: fd, wake: -1})
	}
	err := k.setOffload(o)
	for _, q := range k.queues {
		if err == nil {
			err = q.open(o)
		}
	}
	if err != nil {
		k.closeQueues()
		return nil, err
	}
	return k, nil
}

func (q *queue) open(o Options) error {
	err := unix.SetNonblock(q.fd, true)
	if err != nil {
		return err
	}
	if q.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return err
	}
	var in, out *uring.Ring
	if !o.NoRing {
		in, out = rings(q.fd)
	}
	q.in.init(q.wake, in)
	q.out.init(out)
	q.k.ringed = in != nil
	return nil
}

// closeQueues closes what is ours and not d's.
func (k *kernel) closeQueues() {
	for i, q := range k.queues {
		if i > 0 {
			unix.Close(q.fd)
		}
		if q.wake >= 0 {
			unix.Close(q.wake)
		}
		for _, r := range [...]*uring.Ring{q.in.ring, q.out.ring} {
			if r != nil {
				r.Close()
			}
		}
	}
}

// Queues implements Queued.
func (k *kernel) Queues() []PacketDevice {
	list := make([]PacketDevice, len(k.queues))
	for i, q := range k.queues {
		list[i] = q
	}
	return list
}

// ReadPackets and WritePackets are those of the first queue, for users who know of no others.
func (k *kernel) ReadPackets(packets []Packet) (int, error) { return k.queues[0].ReadPackets(packets) }
func (k *kernel) WritePackets(packets []Packet) error       { return k.queues[0].WritePackets(packets) }

// setOffload tells the kernel which superpackets it may hand out. What it takes is of the same kinds.
func (k *kernel) setOffload(o Options) error {
	const tcp = unix.TUN_F_CSUM | unix.TUN_F_TSO4 | unix.TUN_F_TSO6 | unix.TUN_F_TSO_ECN
	const udp = unix.TUN_F_USO4 | unix.TUN_F_USO6 // since Linux 6.2
	set := func(bits int) error { return unix.IoctlSetInt(k.queues[0].fd, unix.TUNSETOFFLOAD, bits) }
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
func (q *queue) Offload() Offload  { return q.k.offload }

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
	if n := len(k.queues); n > 1 {
		ways = append(ways, fmt.Sprintf("%d queues", n))
	}
	return strings.Join(ways, ", ")
}

// Close wakes the readers, and waits until the last read and write are over.
func (k *kernel) Close() error {
	k.closeOnce.Do(func() {
		k.closed.Store(true)
		for _, q := range k.queues {
			_, _ = unix.Write(q.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
		}
		k.users.Lock()
		defer k.users.Unlock()
		k.closeErr = k.Device.Close()
		k.closeQueues()
	})
	return k.closeErr
}

func (q *queue) ReadPackets(packets []Packet) (int, error) { return q.read(packets, (*reader).fill) }

// TryReadPackets implements PolledDevice. No request of the ring is under way between reads, so that any thread may do it.
func (q *queue) TryReadPackets(packets []Packet) (int, error) {
	return q.read(packets, (*reader).glance)
}

// Lend lends the eventfd of Close too.
func (q *queue) Lend(fds []int) ([]int, bool) {
	q.k.users.RLock()
	if q.k.closed.Load() {
		q.k.users.RUnlock()
		return fds, false
	}
	return append(fds, q.fd, q.wake), true
}

// Return gives back what Lend lent.
func (q *queue) Return() { q.k.users.RUnlock() }

func (q *queue) read(packets []Packet, how func(r *reader, fd int)) (int, error) {
	if len(packets) == 0 {
		return 0, nil
	}
	q.k.users.RLock()
	defer q.k.users.RUnlock()
	if q.k.closed.Load() {
		return 0, os.ErrClosed
	}
	r := &q.in
	r.packets, r.n, r.err = packets, 0, nil
	if r.check(); r.err == nil {
		how(r, q.fd)
	}
	r.packets = nil
	err := r.err
	if err == nil || errors.Is(err, errCut) || errors.Is(err, errSilly) {
		return r.n, err
	}
	return r.n, q.k.explain(err)
}
