package netio

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// xskSlots is how many frames may be under way, a power of two, and xskSlot how many octets each has room for.
	xskSlots = 512
	xskSlot  = 2048
	// xskBudget is the option that says how many frames the kernel takes of one call (XDP_MAX_TX_SKB_BUDGET, Linux 6.17). Before, it takes xskBurst, and where it leaves some it
	// does not say how many it took.
	xskBudget   = 9
	xskBurst    = 32
	etherHeader = 14
	// xskPause is how long a writer waits for a link that takes no more at the moment, before it looks again, and xskPauses how often: fullWait in all, or a little more, since the
	// kernel lets a thread sleep for some 50 µs longer than it asks.
	xskPause  = 50 * time.Microsecond
	xskPauses = patience(fullWait * time.Millisecond / (2 * xskPause))
)

// xsk is an AF_XDP socket that hands Ethernet frames to one interface and receives none (Linux, Documentation/networking/af_xdp.rst). It works with any driver: the
// kernel makes a packet of each frame, and calls the driver for it. Against a packet socket it spares the kernel reading a header and an address for each, looking into the
// frame, and the queueing discipline.
//
// A slot belongs to the kernel from when its frame is put into the ring for sending until its address comes back, for a driver may send from it without a copy.
type xsk struct {
	mu     sync.Mutex // guards all
	fd     int        // negative once closed
	failed bool       // what it did not take lies in the ring and goes another way: nothing more may be sent
	frames []byte     // the slots
	free   []uint64   // those that can be filled, by their place in frames
	burst  int        // how many the kernel takes of one call
	tx     xskRing    // what is to be sent, of unix.XDPDesc
	done   xskRing    // what has been sent, of uint64
}

// xskRing is one of the rings that are shared with the kernel.
type xskRing struct {
	memory             []byte
	entries            []byte
	producer, consumer *uint32 // in memory
	at                 uint32  // our end of it
}

// openXSK binds one to an interface.
func openXSK(ifindex int, o Options) (_ *xsk, err error) {
	fd, err := newSocket(unix.AF_XDP, unix.SOCK_RAW, 0, o)
	if err != nil {
		return nil, fmt.Errorf("an XDP socket (CONFIG_XDP_SOCKETS): %w", err)
	}
	x := &xsk{fd: fd}
	if err := x.open(ifindex); err != nil {
		x.close()
		return nil, fmt.Errorf("an XDP socket: %w", err)
	}
	return x, nil
}

func (x *xsk) open(ifindex int) (err error) {
	x.frames, err = unix.Mmap(-1, 0, xskSlots*xskSlot, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_POPULATE)
	if err != nil {
		return fmt.Errorf("its memory: %w", err)
	}
	for i := range uint64(xskSlots) {
		x.free = append(x.free, i*xskSlot)
	}
	reg := unix.XDPUmemReg{Addr: uint64(uintptr(unsafe.Pointer(&x.frames[0]))), Len: uint64(len(x.frames)), Size: xskSlot}
	if _, _, errno := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(x.fd), unix.SOL_XDP, unix.XDP_UMEM_REG, uintptr(unsafe.Pointer(&reg)), unsafe.Sizeof(reg), 0); errno != 0 {
		return fmt.Errorf("its memory (is the limit of locked memory too low?): %w", errno)
	}
	for _, ring := range [...]int{unix.XDP_UMEM_FILL_RING, unix.XDP_UMEM_COMPLETION_RING, unix.XDP_TX_RING} {
		if err := unix.SetsockoptInt(x.fd, unix.SOL_XDP, ring, xskSlots); err != nil {
			return fmt.Errorf("its rings: %w", err)
		}
	}
	x.burst = xskSlots
	if unix.SetsockoptInt(x.fd, unix.SOL_XDP, xskBudget, xskSlots) != nil {
		x.burst = xskBurst
	}
	var at unix.XDPMmapOffsets
	length := uint32(unsafe.Sizeof(at))
	if _, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(x.fd), unix.SOL_XDP, unix.XDP_MMAP_OFFSETS, uintptr(unsafe.Pointer(&at)), uintptr(unsafe.Pointer(&length)), 0); errno != 0 {
		return fmt.Errorf("its rings: %w", errno)
	}
	if err := x.tx.open(x.fd, unix.XDP_PGOFF_TX_RING, &at.Tx, unsafe.Sizeof(unix.XDPDesc{})); err != nil {
		return err
	}
	if err := x.done.open(x.fd, unix.XDP_UMEM_PGOFF_COMPLETION_RING, &at.Cr, unsafe.Sizeof(uint64(0))); err != nil {
		return err
	}
	if err := unix.Bind(x.fd, &unix.SockaddrXDP{Flags: unix.XDP_COPY, Ifindex: uint32(ifindex)}); err != nil {
		name := fmt.Sprintf("interface %d", ifindex)
		if i, err := net.InterfaceByIndex(ifindex); err == nil {
			name = i.Name
		}
		if err == unix.EBUSY {
			return fmt.Errorf("another program, or another instance, has one on %s: %w", name, err)
		}
		return fmt.Errorf("%s does not take one: %w", name, err)
	}
	return nil
}

// open maps a ring of entries of a size.
func (r *xskRing) open(fd int, page int64, at *unix.XDPRingOffset, size uintptr) (err error) {
	r.memory, err = unix.Mmap(fd, page, int(at.Desc)+xskSlots*int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return fmt.Errorf("a ring could not be mapped: %w", err)
	}
	r.producer, r.consumer, r.entries = word(r.memory[at.Producer:]), word(r.memory[at.Consumer:]), r.memory[at.Desc:]
	return nil
}

// send hands over datagrams, each in a frame of its own, and returns how many the kernel has taken before an error, which is the last: then the socket is of no use any more.
func (x *xsk) send(msgs []Message, h *Hop) (sent int, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.fd < 0 || x.failed {
		return 0, net.ErrClosed
	}
	for sent < len(msgs) {
		n, err := x.some(msgs[sent:], h)
		if sent += n; err != nil {
			x.failed = true
			return sent, err
		}
	}
	return sent, nil
}

// some sends as many as there are slots for, and as the kernel takes at once. What a driver drops counts as sent, as with any socket.
func (x *xsk) some(msgs []Message, h *Hop) (int, error) {
	patience := xskPauses
	for x.reap(); len(x.free) == 0; x.reap() {
		if errno := patience.spend(x.kick()); errno != 0 {
			return 0, errno
		}
	}
	msgs = msgs[:min(len(msgs), len(x.free), x.burst)]
	for i := range msgs {
		x.put(msgs[i].Bytes(), h)
	}
	atomic.StoreUint32(x.tx.producer, x.tx.at)
	left := len(msgs)
	for left > 0 {
		errno := x.kick()
		now := int(x.tx.at - atomic.LoadUint32(x.tx.consumer))
		if now < left {
			left, patience = now, xskPauses
			continue
		}
		if errno := patience.spend(errno); errno != 0 {
			return len(msgs) - left, errno
		}
	}
	return len(msgs), nil
}

// put makes a datagram the frame of a slot, of which there must be one, and puts that into the ring.
func (x *xsk) put(datagram []byte, h *Hop) {
	at := x.free[len(x.free)-1]
	x.free = x.free[:len(x.free)-1]
	frame := x.frames[at : at+xskSlot]
	copy(frame, h.Hardware[:])
	copy(frame[6:], h.Source[:])
	frame[12], frame[13] = 0x08, 0x00
	n := etherHeader + copy(frame[etherHeader:], datagram)
	const size = uint32(unsafe.Sizeof(unix.XDPDesc{}))
	*(*unix.XDPDesc)(unsafe.Pointer(&x.tx.entries[x.tx.at%xskSlots*size])) = unix.XDPDesc{Addr: at, Len: uint32(n)}
	x.tx.at++
}

// reap takes back the slots of frames that were sent.
func (x *xsk) reap() {
	for end := atomic.LoadUint32(x.done.producer); x.done.at != end; x.done.at++ {
		x.free = append(x.free, *position(x.done.entries[x.done.at%xskSlots*8:])&^(xskSlot-1))
	}
	atomic.StoreUint32(x.done.consumer, x.done.at)
}

// kick has the kernel send what is in the ring.
func (x *xsk) kick() syscall.Errno {
	_, _, errno := unix.Syscall6(unix.SYS_SENDTO, uintptr(x.fd), 0, 0, unix.MSG_DONTWAIT, 0, 0)
	return errno
}

// patience is how often a writer still waits.
type patience int

// spend waits a moment after a call that changed nothing, and returns what it said if that is final, or has come too often.
func (p *patience) spend(errno syscall.Errno) syscall.Errno {
	switch errno {
	case unix.EINTR:
		return 0
	case 0, unix.EAGAIN, unix.EBUSY, unix.ENOBUFS: // the link, or the socket's memory, is full
		if *p--; *p < 0 {
			return unix.EAGAIN
		}
		if errno == unix.EBUSY { // the driver has dropped one, which kernels before 6.17 do not show in the ring: the next one may go
			return 0
		}
		pause := unix.NsecToTimespec(int64(xskPause))
		_ = unix.Nanosleep(&pause, nil)
		return 0
	}
	return errno
}

// close takes back what is still in the ring; what the kernel has taken of it goes out. Who waits for the socket meanwhile is told at once, since the kernel takes its time to
// take leave of the interface.
func (x *xsk) close() {
	x.mu.Lock()
	fd := x.fd
	x.fd = -1
	if fd >= 0 {
		for _, m := range [...][]byte{x.tx.memory, x.done.memory, x.frames} {
			if m != nil {
				_ = unix.Munmap(m)
			}
		}
	}
	x.mu.Unlock()
	if fd >= 0 {
		unix.Close(fd)
	}
}
