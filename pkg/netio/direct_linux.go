package netio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// directReceiver reads the ring that the program of steer writes to.
type directReceiver struct {
	ring, sharedFD, addresses, program, wake int

	closed atomic.Bool
	users  sync.RWMutex // held by whoever uses the ring or the files, against their end

	shared, from, to []byte // mapped: what the program and we tell each other; our position; the kernel's, and the data twice in a row
	mask             uint64
	busy             bool // the last read found more than one datagram

	truncated, count atomic.Uint64

	follow sync.Mutex
	links  map[int]int // by interface
	known  map[[4]byte]bool
}

// The kernel marks what it is still writing to and what is to be passed over in the length of a record, which an octet count of two words precedes.
const (
	ringBusy    = 1 << 31
	ringDiscard = 1 << 30
	ringHeader  = 8
)

// maxDirect is how many addresses can be followed.
const maxDirect = 1024

func listenDirect(o Options) (_ DirectReceiver, err error) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 || bits.UintSize != 64 {
		return nil, ErrNoDirect
	}
	d := &directReceiver{ring: -1, sharedFD: -1, addresses: -1, program: -1, wake: -1, links: map[int]int{}, known: map[[4]byte]bool{}}
	// Twice the buffer, as sockets have it.
	if err := d.open(1 << bits.Len(uint(max(2*o.buffer(), os.Getpagesize())-1))); err != nil {
		d.release()
		return nil, fmt.Errorf("%w: %w", ErrNoDirect, err)
	}
	return d, nil
}

// open makes the maps and the program; size is the ring's in octets.
func (d *directReceiver) open(size int) (err error) {
	if d.ring, err = newMap(unix.BPF_MAP_TYPE_RINGBUF, 0, 0, uint32(size), 0); err != nil {
		return fmt.Errorf("a ring of %d octets: %w", size, err)
	}
	if d.sharedFD, err = newMap(unix.BPF_MAP_TYPE_ARRAY, 4, 64, 1, unix.BPF_F_MMAPABLE); err != nil {
		return fmt.Errorf("a map: %w", err)
	}
	if d.addresses, err = newMap(unix.BPF_MAP_TYPE_HASH, 4, 4, maxDirect, 0); err != nil {
		return fmt.Errorf("a map of addresses: %w", err)
	}
	if d.program, err = loadClassifier(steer(d.ring, d.sharedFD, d.addresses)); err != nil {
		return fmt.Errorf("the program: %w", err)
	}
	if d.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return err
	}
	page := os.Getpagesize()
	d.mask = uint64(size - 1)
	d.shared, err = unix.Mmap(d.sharedFD, 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err == nil {
		d.from, err = unix.Mmap(d.ring, 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	}
	if err == nil {
		d.to, err = unix.Mmap(d.ring, int64(page), page+2*size, unix.PROT_READ, unix.MAP_SHARED)
	}
	if err != nil {
		return fmt.Errorf("the ring could not be mapped: %w", err)
	}
	return nil
}

func word(b []byte) *uint32     { return (*uint32)(unsafe.Pointer(&b[0])) }
func position(b []byte) *uint64 { return (*uint64)(unsafe.Pointer(&b[0])) }

func (d *directReceiver) ReadBatch(msgs []Message) (int, error) {
	for {
		if !d.enter() {
			return 0, net.ErrClosed
		}
		n := d.take(msgs)
		if n == 0 && len(msgs) > 0 {
			d.wait()
		}
		d.users.RUnlock()
		if n > 0 || len(msgs) == 0 {
			return n, nil
		}
	}
}

// TryReadBatch implements PolledConn.
func (d *directReceiver) TryReadBatch(msgs []Message) (int, error) {
	if !d.enter() {
		return 0, net.ErrClosed
	}
	defer d.users.RUnlock()
	return d.take(msgs), nil
}

// Lend lends the eventfd of Close too.
func (d *directReceiver) Lend(fds []int) ([]int, bool) {
	if !d.enter() {
		return fds, false
	}
	return append(fds, d.ring, d.wake), true
}

// Return gives back what Lend lent. Nobody sleeps any more: the program need not wake whoever is awake.
func (d *directReceiver) Return() {
	atomic.StoreUint32(word(d.shared), 0)
	d.users.RUnlock()
}

func (d *directReceiver) enter() bool {
	d.users.RLock()
	if d.closed.Load() {
		d.users.RUnlock()
		return false
	}
	return true
}

// take copies what the ring has into msgs.
func (d *directReceiver) take(msgs []Message) (n int) {
	at, end := atomic.LoadUint64(position(d.from)), atomic.LoadUint64(position(d.to))
	data := d.to[os.Getpagesize():]
	for at < end && n < len(msgs) {
		record := data[at&d.mask:]
		length := atomic.LoadUint32(word(record))
		if length&ringBusy != 0 {
			break
		}
		if length&ringDiscard == 0 {
			datagram := record[ringHeader+recordHeader:][:binary.NativeEndian.Uint32(record[ringHeader:])&(2*directSlot-1)]
			if m := &msgs[n]; len(m.Buf)-m.Off >= len(datagram) {
				m.N = copy(m.Buf[m.Off:], datagram)
				m.Segment, m.Fragment = 0, false
				m.describe4()
				n++
			} else {
				d.truncated.Add(1)
			}
		}
		at += (uint64(length&^(ringBusy|ringDiscard)) + ringHeader + 7) &^ 7
	}
	atomic.StoreUint64(position(d.from), at)
	d.count.Add(uint64(n))
	d.busy = n > 1 || n == 1 && d.busy
	return n
}

// Sleep implements poll.Sleeper. A reader that was busy waits a moment without being woken before it sleeps: an interrupt for the first datagram of each
// handful costs more than the handful does.
func (d *directReceiver) Sleep() bool {
	if d.busy {
		d.busy = false
		d.Gather()
		return false
	}
	atomic.StoreUint32(word(d.shared), 1)
	return atomic.LoadUint64(position(d.to)) == atomic.LoadUint64(position(d.from))
}

// wait waits for the kernel to write to the ring, or for Close.
func (d *directReceiver) wait() {
	if !d.Sleep() {
		return
	}
	fds := [...]unix.PollFd{{Fd: int32(d.ring), Events: unix.POLLIN}, {Fd: int32(d.wake), Events: unix.POLLIN}}
	_, _ = unix.Poll(fds[:], -1)
}

// Gather implements Gatherer.
func (d *directReceiver) Gather() { _ = unix.Nanosleep(&gatherTime, nil) }

func (d *directReceiver) WriteBatch([]Message) (int, error) {
	return 0, fmt.Errorf("the direct receiver sends nothing: %w", errors.ErrUnsupported)
}

func (d *directReceiver) LocalAddr() netip.AddrPort {
	return netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
}

func (d *directReceiver) Stats() Stats {
	s := Stats{Truncated: d.truncated.Load(), Direct: d.count.Load()}
	if d.enter() {
		s.Lost = atomic.LoadUint64(position(d.shared[sharedLost:]))
		d.users.RUnlock()
	}
	return s
}

// Follow first takes addresses, then interfaces.
func (d *directReceiver) Follow(addresses []netip.Addr) error {
	d.follow.Lock()
	defer d.follow.Unlock()
	if !d.enter() {
		return net.ErrClosed
	}
	defer d.users.RUnlock()
	want := map[[4]byte]bool{}
	for _, a := range addresses {
		if a = a.Unmap(); a.Is4() && !a.IsLoopback() && !a.IsUnspecified() && !a.IsMulticast() {
			want[a.As4()] = true
		}
	}
	return errors.Join(d.followAddresses(want), d.followInterfaces(want))
}

func (d *directReceiver) followAddresses(want map[[4]byte]bool) error {
	var errs []error
	for a := range d.known {
		if want[a] {
			continue
		}
		delete(d.known, a)
		errs = append(errs, element(d.addresses, &a, nil))
	}
	one := uint32(1)
	for a := range want {
		if d.known[a] {
			continue
		}
		if err := element(d.addresses, &a, &one); err != nil {
			errs = append(errs, fmt.Errorf("ESP to %v goes through the network stack: %w", netip.AddrFrom4(a), err))
			continue
		}
		d.known[a] = true
	}
	return errors.Join(errs...)
}

// followInterfaces sees to a link for each interface that has one of the addresses.
func (d *directReceiver) followInterfaces(want map[[4]byte]bool) error {
	on, err := interfacesWith(want)
	if err != nil {
		return fmt.Errorf("the interfaces could not be listed: %w", err)
	}
	var errs []error
	for i, link := range d.links {
		now, err := attached(link)
		if on[i] && err == nil && now == i {
			delete(on, i)
			continue
		}
		unix.Close(link)
		delete(d.links, i)
	}
	for i := range on {
		link, err := attach(d.program, i)
		if errors.Is(err, unix.ENODEV) {
			continue // it has just gone, which the kernel will tell
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%w: %w", ErrNoDirect, err))
			continue
		}
		d.links[i] = link
	}
	return errors.Join(errs...)
}

// interfacesWith returns those that have one of the addresses.
func interfacesWith(addresses map[[4]byte]bool) (map[int]bool, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	on := map[int]bool{}
	for _, i := range all {
		list, err := i.Addrs()
		if err != nil {
			continue // it has just gone
		}
		for _, a := range list {
			p, err := netip.ParsePrefix(a.String())
			if err == nil && p.Addr().Is4() && addresses[p.Addr().As4()] && i.Flags&net.FlagLoopback == 0 {
				on[i.Index] = true
			}
		}
	}
	return on, nil
}

// Close first takes the program away from the interfaces: from then on sockets get what comes.
func (d *directReceiver) Close() error {
	d.users.RLock()
	was := d.closed.Swap(true)
	if !was {
		_, _ = unix.Write(d.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
	d.users.RUnlock()
	if was {
		return nil
	}
	d.users.Lock()
	defer d.users.Unlock()
	for _, link := range d.links {
		unix.Close(link)
	}
	clear(d.links)
	d.release()
	return nil
}

// release gives back what there is of files and mappings.
func (d *directReceiver) release() {
	for _, m := range [...][]byte{d.shared, d.from, d.to} {
		if m != nil {
			_ = unix.Munmap(m)
		}
	}
	for _, fd := range [...]int{d.program, d.ring, d.sharedFD, d.addresses, d.wake} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}
