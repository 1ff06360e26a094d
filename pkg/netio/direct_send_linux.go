package netio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// hopTime is how long an answer of DirectConfig.Hop is trusted.
	hopTime = time.Second
	// hopFirst is how many datagrams to a peer in that time go by the fallback: fewer would not pay for the question, and the kernel looks after its neighbour
	// entries only where it sends.
	hopFirst = 32
	// socketTime is how long a socket is kept that no peer needs.
	socketTime = 10 * hopTime
	// maxWays is how many peers are remembered.
	maxWays = 256
)

// directSender hands frames to interfaces by a socket for each.
type directSender struct {
	cfg         DirectConfig
	count, full atomic.Uint64

	mu   sync.Mutex // guards what follows
	ways map[[4]byte]*way
	last [4]byte
	way  *way // to last; nil before the first

	opening sync.Mutex // guards what follows; taken before mu
	closed  bool
	sockets map[int]*attempt // by interface
	refusal error            // of the last attempt
}

// way is what is known of the way to a peer.
type way struct {
	since time.Time
	n     int   // datagrams since then
	exit  *exit // nil: by the fallback
}

// exit is where datagrams leave. It is never changed once it is there: senders use it without the lock.
type exit struct {
	Hop
	socket *xsk
}

// attempt is one to get a socket.
type attempt struct {
	at     time.Time // when it failed, or the socket was given up
	used   time.Time // when a peer's way was last found to need it
	socket *xsk      // nil: in vain
}

func openDirect(c DirectConfig) (DirectSender, error) {
	fd, err := newSocket(unix.AF_XDP, unix.SOCK_RAW, 0, c.Options)
	if err != nil {
		return nil, fmt.Errorf("%w: an XDP socket: %w", ErrNoDirect, err)
	}
	unix.Close(fd)
	return &directSender{cfg: c, ways: map[[4]byte]*way{}, sockets: map[int]*attempt{}}, nil
}

func (d *directSender) ReadBatch([]Message) (int, error) {
	return 0, fmt.Errorf("the direct sender receives nothing: %w", errors.ErrUnsupported)
}

func (d *directSender) LocalAddr() netip.AddrPort {
	return netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
}

// WriteBatch sends runs of messages that go the same way.
func (d *directSender) WriteBatch(msgs []Message) (sent int, err error) {
	now := d.cfg.Clock()
	var errs []error
	var out *exit // of the messages from start on
	start := 0
	flush := func(end int) {
		if start == end {
			return
		}
		n, err := d.run(msgs[start:end], out, now)
		sent += n
		if err != nil {
			errs = append(errs, err)
		}
		start = end
	}
	for i := range msgs {
		next := d.exit(msgs[i].Bytes(), now)
		if next != out {
			flush(i)
		}
		out = next
	}
	flush(len(msgs))
	return sent, errors.Join(errs...)
}

// run sends messages of one way. What the interface does not take the fallback sends, or says what is wrong.
func (d *directSender) run(msgs []Message, out *exit, now time.Time) (sent int, err error) {
	if out == nil {
		return d.cfg.Fallback.WriteBatch(msgs)
	}
	for i := range msgs {
		completeHeader(msgs[i].Bytes())
	}
	sent, err = out.socket.send(msgs, &out.Hop)
	d.count.Add(uint64(sent))
	if err == nil {
		return sent, nil
	}
	if errors.Is(err, unix.EAGAIN) {
		d.full.Add(1)
	}
	d.giveUp(out, now)
	n, err := d.cfg.Fallback.WriteBatch(msgs[sent:])
	return sent + n, err
}

// giveUp closes the socket of an exit that does not take what it is given. After a second another is tried: at once the kernel has not got the interface back.
func (d *directSender) giveUp(out *exit, now time.Time) {
	out.socket.close()
	d.opening.Lock()
	defer d.opening.Unlock()
	if a := d.sockets[out.Interface]; a != nil && a.socket == out.socket {
		a.at, a.socket = now, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, w := range d.ways {
		if w.exit != nil && w.exit.socket == out.socket {
			w.exit = nil
		}
	}
}

// socket returns that of an interface, nil if it cannot be had: then it is not tried again before a second has passed.
func (d *directSender) socket(ifindex int, now time.Time) *xsk {
	d.opening.Lock()
	defer d.opening.Unlock()
	if d.closed {
		return nil
	}
	a := d.sockets[ifindex]
	if a != nil && (a.socket != nil || fresh(a.at, now)) {
		a.used = now
		return a.socket
	}
	d.tidy(now)
	x, err := openXSK(ifindex, d.cfg.Options)
	d.sockets[ifindex] = &attempt{now, now, x}
	if d.refusal = err; err != nil {
		return nil
	}
	return x
}

// tidy closes the sockets that no peer has needed for a while; perhaps their interfaces are gone.
func (d *directSender) tidy(now time.Time) {
	for i, a := range d.sockets {
		switch idle := now.Sub(a.used); {
		case a.socket == nil && !fresh(a.at, now):
			delete(d.sockets, i)
		case a.socket != nil && (idle < 0 || idle >= socketTime):
			a.socket.close()
			delete(d.sockets, i)
		}
	}
}

// fresh reports whether what was found out at a time still holds. A clock that was put back is no reason to trust what is old.
func fresh(at, now time.Time) bool {
	age := now.Sub(at)
	return age >= 0 && age < hopTime
}

// exit returns where a datagram goes, nil for the fallback. Whoever sends the one after the first few asks; until there is an answer the others use the fallback.
func (d *directSender) exit(b []byte, now time.Time) *exit {
	if !plain(b) {
		return nil
	}
	dst := [4]byte(b[16:20])
	d.mu.Lock()
	w := d.wayTo(dst, now)
	if w == nil {
		d.mu.Unlock()
		return nil
	}
	if !fresh(w.since, now) {
		w.since, w.n, w.exit = now, 0, nil
	}
	ask := w.n == hopFirst
	if w.n <= hopFirst {
		w.n++
	}
	out, since := w.exit, w.since
	d.mu.Unlock()
	if ask {
		out = d.ask(w, dst, since)
	}
	if out == nil || len(b) > min(out.MTU, xskSlot-etherHeader) {
		return nil
	}
	return out
}

// ask asks for the way to a peer, without the lock: the kernel may take its time, and others send meanwhile. An answer that comes after the second for which it
// was asked is of no use to the next.
func (d *directSender) ask(w *way, dst [4]byte, since time.Time) *exit {
	hop, err := d.cfg.Hop(netip.AddrFrom4(dst))
	if err != nil {
		return nil
	}
	x := d.socket(hop.Interface, since)
	if x == nil {
		return nil
	}
	out := &exit{hop, x}
	d.mu.Lock()
	defer d.mu.Unlock()
	if w.since == since {
		w.exit = out
	}
	return out
}

// wayTo finds what is known of the way to a peer, nil if there are too many.
func (d *directSender) wayTo(dst [4]byte, now time.Time) *way {
	if d.way != nil && d.last == dst {
		return d.way
	}
	w := d.ways[dst]
	if w == nil {
		if len(d.ways) == maxWays {
			for a, old := range d.ways {
				if !fresh(old.since, now) {
					delete(d.ways, a)
				}
			}
			if len(d.ways) == maxWays {
				return nil
			}
		}
		w = &way{since: now}
		d.ways[dst] = w
	}
	d.last, d.way = dst, w
	return w
}

// plain reports whether a datagram is one that can be sent as it is, but for length and checksum: for the rest a raw socket has to do more.
func plain(b []byte) bool {
	const moreFragmentsAndOffset = 0x3fff
	if len(b) < 20+8 || len(b) > 0xffff || b[0] != 0x45 || b[9] != ProtoESP {
		return false
	}
	flags := binary.BigEndian.Uint16(b[6:])
	id := binary.BigEndian.Uint16(b[4:])
	return flags&moreFragmentsAndOffset == 0 && (flags&0x4000 != 0 || id != 0) && [4]byte(b[12:16]) != [4]byte{}
}

// completeHeader fills in the length and the checksum of an IPv4 header without options.
func completeHeader(b []byte) {
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	b[10], b[11] = 0, 0
	sum := uint32(0)
	for i := 0; i < 20; i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	sum = sum&0xffff + sum>>16
	sum = sum&0xffff + sum>>16
	binary.BigEndian.PutUint16(b[10:], ^uint16(sum))
}

func (d *directSender) Stats() Stats { return Stats{Direct: d.count.Load(), Full: d.full.Load()} }

func (d *directSender) Refusal() error {
	d.opening.Lock()
	defer d.opening.Unlock()
	return d.refusal
}

func (d *directSender) Close() error {
	d.opening.Lock()
	defer d.opening.Unlock()
	d.closed = true
	for _, a := range d.sockets {
		if a.socket != nil {
			a.socket.close()
		}
	}
	return nil
}
