package uring

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Piece is a piece of memory.
type Piece = unix.Iovec

// Ring is a pair of queues shared with the kernel.
type Ring struct {
	fd      int
	size    uint32
	rings   []byte // both queues' heads and tails, and the results
	entries []byte // the requests

	// The request queue: we write the tail, the kernel the head.
	reqHead, reqTail *atomic.Uint32
	reqMask          uint32
	requests         *[maxSize]request
	tail             uint32 // what reqTail is to be at the next Enter
	// The result queue: the kernel writes the tail, we the head.
	resHead, resTail *atomic.Uint32
	resMask          uint32
	results          *[2 * maxSize]result

	// keep holds what the requests point to, by slot. It also makes that memory live on the heap: a stack may move before Enter.
	keep []unsafe.Pointer
}

// maxSize is the largest number of requests that a Ring can have queued.
const maxSize = 4096

// request is struct io_uring_sqe.
type request struct {
	op     uint8
	_      uint8  // flags
	_      uint16 // priority
	fd     int32
	off    uint64
	addr   uint64
	n      uint32
	opFlag uint32
	id     uint64
	_      [3]uint64
}

// result is struct io_uring_cqe.
type result struct {
	id uint64
	n  int32
	_  uint32 // flags
}

// params is struct io_uring_params, with struct io_sqring_offsets and io_cqring_offsets in it.
type params struct {
	reqEntries, resEntries, flags, cpu, idle, features, wq uint32
	_                                                      [3]uint32
	req                                                    struct {
		head, tail, mask, entries, flags, dropped, array, _ uint32
		_                                                   uint64
	}
	res struct {
		head, tail, mask, entries, overflow, results, flags, _ uint32
		_                                                      uint64
	}
}

// The numbers of io_uring.h that are used here.
const (
	opWritev = 2
	opPoll   = 6
	opCancel = 14
	opRead   = 22

	setupSubmitAll = 1 << 7 // a request that fails at once does not keep back those behind it (Linux 5.18)
	setupCoop      = 1 << 8 // do not interrupt us to tell of results: we ask (Linux 5.19)

	enterGetEvents = 1 << 0

	offRings   = 0
	offEntries = 0x10000000

	// One mapping for both queues, no result lost to a full queue, requests that are safe to change once they were handed over, and waits without a
	// thread of the kernel's (Linux 5.7).
	features = 1<<0 | 1<<1 | 1<<2 | 1<<5
)

// New makes a ring for at least size requests, a power of two of at most 4096.
func New(size uint32) (*Ring, error) {
	if size == 0 || size > maxSize {
		return nil, fmt.Errorf("a ring of %d requests: %w", size, syscall.EINVAL)
	}
	p := params{flags: setupSubmitAll | setupCoop}
	fd, errno := setup(size, &p)
	if errno == unix.EINVAL { // an older kernel
		p = params{}
		fd, errno = setup(size, &p)
	}
	if errno != 0 {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, errno)
	}
	r := &Ring{fd: fd}
	if p.features&features != features {
		r.Close()
		return nil, fmt.Errorf("%w: the kernel's is too old", ErrUnavailable)
	}
	if err := r.mapQueues(&p); err != nil {
		r.Close()
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return r, nil
}

func setup(size uint32, p *params) (fd int, errno syscall.Errno) {
	n, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, uintptr(size), uintptr(unsafe.Pointer(p)), 0)
	if errno == 0 {
		unix.CloseOnExec(int(n))
	}
	return int(n), errno
}

func (r *Ring) mapQueues(p *params) (err error) {
	const prot, flags = unix.PROT_READ | unix.PROT_WRITE, unix.MAP_SHARED | unix.MAP_POPULATE
	length := max(p.req.array+4*p.reqEntries, p.res.results+p.resEntries*uint32(unsafe.Sizeof(result{})))
	if r.rings, err = unix.Mmap(r.fd, offRings, int(length), prot, flags); err != nil {
		return err
	}
	if r.entries, err = unix.Mmap(r.fd, offEntries, int(p.reqEntries)*int(unsafe.Sizeof(request{})), prot, flags); err != nil {
		return err
	}
	word := func(at uint32) *atomic.Uint32 { return (*atomic.Uint32)(unsafe.Pointer(&r.rings[at])) }
	r.size = p.reqEntries
	r.reqHead, r.reqTail, r.reqMask = word(p.req.head), word(p.req.tail), word(p.req.mask).Load()
	r.resHead, r.resTail, r.resMask = word(p.res.head), word(p.res.tail), word(p.res.mask).Load()
	r.requests = (*[maxSize]request)(unsafe.Pointer(&r.entries[0]))
	r.results = (*[2 * maxSize]result)(unsafe.Pointer(&r.rings[p.res.results]))
	for i := range r.size { // slot i of the queue is always request i
		word(p.req.array + 4*i).Store(i)
	}
	r.tail = r.reqTail.Load()
	r.keep = make([]unsafe.Pointer, r.size)
	return nil
}

// Size is how many requests can be queued before Enter.
func (r *Ring) Size() int { return int(r.size) }

// Room is how many more requests can be queued before Enter.
func (r *Ring) Room() int { return int(r.size - (r.tail - r.reqHead.Load())) }

// next is the slot of a new request. There must be Room.
func (r *Ring) next(op uint8, fd int, id uint64, p unsafe.Pointer, n int) *request {
	if r.tail-r.reqHead.Load() >= r.size {
		panic("uring: more requests than there is room for")
	}
	i := r.tail & r.reqMask
	r.tail++
	q := &r.requests[i]
	*q = request{op: op, fd: int32(fd), id: id, addr: uint64(uintptr(p)), n: uint32(n)}
	r.keep[i] = p
	return q
}

// Read queues a read of fd into b, which must not be empty. It waits until there is something, whatever fd says of blocking.
func (r *Ring) Read(fd int, b []byte, id uint64) {
	r.next(opRead, fd, id, unsafe.Pointer(&b[0]), len(b)).off = here
}

// TryRead is Read, but fails with EAGAIN if there is nothing; with EOPNOTSUPP if the file cannot do that.
func (r *Ring) TryRead(fd int, b []byte, id uint64) {
	q := r.next(opRead, fd, id, unsafe.Pointer(&b[0]), len(b))
	q.off, q.opFlag = here, unix.RWF_NOWAIT
}

// here is the offset that means the current position, for files that have one.
const here = 1<<64 - 1

// TryWritev queues a write of the pieces v, of which there must be one, to fd, which fails with EAGAIN if it would have to wait. v must stay as it is until
// Enter, what it points to until the result.
func (r *Ring) TryWritev(fd int, v []Piece, id uint64) {
	q := r.next(opWritev, fd, id, unsafe.Pointer(&v[0]), len(v))
	q.off, q.opFlag = here, unix.RWF_NOWAIT
}

// Poll queues a wait until one of events (unix.POLLIN and so on) happens to fd.
func (r *Ring) Poll(fd int, events uint16, id uint64) {
	r.next(opPoll, fd, id, nil, 0).opFlag = pollMask(events)
}

// pollMask is events as the kernel wants them: in two 16-bit halves, the lower one first in memory.
func pollMask(events uint16) uint32 {
	var b [4]byte
	binary.NativeEndian.PutUint16(b[:], events)
	return binary.NativeEndian.Uint32(b[:])
}

// Cancel queues that the request with number target is given up.
func (r *Ring) Cancel(target, id uint64) { r.next(opCancel, -1, id, nil, 0).addr = target }

// patience is how often Enter asks a kernel that has no memory.
const patience = 1000

// Enter hands over what is queued and returns when there are at least wait results, or an error, after which the Ring is of no use.
func (r *Ring) Enter(wait int) error {
	r.reqTail.Store(r.tail)
	for denied := 0; ; {
		queued, lacking := r.tail-r.reqHead.Load(), wait-r.Ready()
		if queued == 0 && lacking <= 0 {
			return nil
		}
		flags := uintptr(0)
		if lacking > 0 {
			flags = enterGetEvents
		}
		// The kernel counts all results that were not taken.
		_, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(r.fd), uintptr(queued), uintptr(max(wait, 0)), flags, 0, 0)
		switch errno {
		case 0, unix.EINTR:
		case unix.EAGAIN: // the kernel lacks memory for a request at the moment
			if denied++; denied > patience {
				return errno
			}
			_, _, _ = unix.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
		default:
			return errno
		}
	}
}

// Ready is how many results can be taken.
func (r *Ring) Ready() int { return int(r.resTail.Load() - r.resHead.Load()) }

// Next takes a result.
func (r *Ring) Next() (res Result, ok bool) {
	head := r.resHead.Load()
	if head == r.resTail.Load() {
		return Result{}, false
	}
	c := &r.results[head&r.resMask]
	res = Result{ID: c.id, N: c.n}
	r.resHead.Store(head + 1)
	return res, true
}

// Close gives the ring up. Requests without a result are cancelled, at a time of the kernel's choice.
func (r *Ring) Close() {
	for _, m := range [...][]byte{r.rings, r.entries} {
		if m != nil {
			_ = unix.Munmap(m)
		}
	}
	r.rings, r.entries = nil, nil
	unix.Close(r.fd)
}
