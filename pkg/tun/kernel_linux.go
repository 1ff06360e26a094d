package tun

import (
	"errors"
	"os"
	"strings"
	"sync"
	"syscall"
	"unsafe"

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

func (k *kernel) WritePackets(packets []Packet) error {
	if k.closed.Load() {
		for i := range packets {
			packets[i].Failed = true
		}
		return os.ErrClosed
	}
	w := &k.out
	w.mu.Lock()
	defer w.mu.Unlock()
	w.packets, w.done, w.err = packets, 0, nil
	if err := k.raw.Write(w.call); err != nil {
		w.err = err
	}
	for i := range packets[w.done:] {
		packets[w.done+i].Failed = true
	}
	w.packets = nil
	if w.err == nil || errors.Is(w.err, errNotSuper) {
		return w.err
	}
	return k.explain(w.err)
}

// reader is the state of a read. It belongs to the one goroutine that reads.
type reader struct {
	packets []Packet
	n       int
	err     error
	limit   int // how many packets to ask for in this read
	wake    int32
	poll    [2]unix.PollFd
	call    func(fd uintptr) bool // made once, so that a read allocates nothing
}

func (r *reader) init(wake int) {
	r.limit, r.wake = 1, int32(wake)
	r.call = r.fill
}

// fill reads packets. Asking in vain costs a system call, so it asks for more than one only if there were more lately: the limit doubles while the device
// has something to give at once, and falls to what there was when it has not.
func (r *reader) fill(fd uintptr) bool {
	r.limit = min(r.limit, len(r.packets))
	waited := false
	for r.n < r.limit {
		p := &r.packets[r.n]
		if p.Off < Headroom || p.Off >= len(p.Buf) {
			r.err = syscall.EINVAL
			return true
		}
		room := p.Buf[p.Off-vnetLen:]
		n, _, errno := unix.Syscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&room[0])), uintptr(len(room)))
		switch errno {
		case 0:
			if r.err = p.received(int(n)); r.err != nil {
				return true
			}
			r.n++
		case unix.EINTR:
		case unix.EAGAIN:
			if r.n > 0 {
				r.limit = r.n
				return true
			}
			waited = true
			r.limit = 1
			if r.err = r.wait(int32(fd)); r.err != nil {
				return true
			}
		default:
			r.err = errno
			return true
		}
	}
	if !waited {
		r.limit *= 2
	}
	return true
}

// wait blocks this thread until the device has a packet. That costs less than to leave the wait to the runtime's poller and be woken by it.
func (r *reader) wait(fd int32) error {
	r.poll = [2]unix.PollFd{{Fd: fd, Events: unix.POLLIN}, {Fd: r.wake, Events: unix.POLLIN}}
	if _, err := unix.Poll(r.poll[:], -1); err != nil && err != unix.EINTR {
		return err
	}
	if r.poll[1].Revents != 0 {
		return os.ErrClosed
	}
	return nil
}

// writer is the state of a write.
type writer struct {
	mu      sync.Mutex
	packets []Packet
	done    int // how many of packets were looked at
	err     error
	iovs    []unix.Iovec
	call    func(fd uintptr) bool
}

func (w *writer) init() { w.call = w.drain }

// drain writes the packets one by one, each by one system call.
func (w *writer) drain(fd uintptr) bool {
	for ; w.done < len(w.packets); w.done++ {
		p := &w.packets[w.done]
		p.Failed = false
		if err := w.write(fd, p); err != nil {
			p.Failed = true
			if w.err == nil {
				w.err = err
			}
		}
	}
	return true
}

func (w *writer) write(fd uintptr, p *Packet) error {
	if p.Segment == 0 || len(p.More) == 0 && p.N <= p.Segment {
		p.ordinary()
	} else if err := p.super(); err != nil {
		return err
	}
	w.iovs = append(w.iovs[:0], iovec(p.Buf[p.Off-vnetLen:p.Off+p.N]))
	for _, m := range p.More {
		if len(m) > 0 {
			w.iovs = append(w.iovs, iovec(m))
		}
	}
	for {
		_, _, errno := unix.Syscall(unix.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&w.iovs[0])), uintptr(len(w.iovs)))
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
			continue
		}
		return errno
	}
}

// iovec makes b, which must not be empty, a piece of what readv or writev moves.
func iovec(b []byte) (v unix.Iovec) {
	v.Base = &b[0]
	v.SetLen(len(b))
	return v
}
