package netio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// hopTime is how long an answer of DirectConfig.Hop is trusted.
	hopTime = time.Second
	// hopFirst is how many datagrams to a peer in that time go by the fallback: fewer would not pay for the question, and the kernel looks after its neighbour
	// entries only where it sends.
	hopFirst = 32
	// maxWays is how many peers are remembered.
	maxWays = 256
)

// directSender is a packet socket that receives nothing.
type directSender struct {
	socket
	cfg   DirectConfig
	count atomic.Uint64

	mu   sync.Mutex // guards what follows
	ways map[[4]byte]*way
	last [4]byte
	way  *way // to last; nil before the first
}

// way is what is known of the way to a peer. A Hop is never changed once it is there: senders use it without the lock.
type way struct {
	since time.Time
	n     int  // datagrams since then
	hop   *Hop // nil: by the fallback
}

func openDirect(c DirectConfig) (Conn, error) {
	fd, err := newSocket(unix.AF_PACKET, unix.SOCK_DGRAM, 0, c.Options)
	if err != nil {
		return nil, fmt.Errorf("%w: a packet socket could not be opened: %w", ErrNoDirect, err)
	}
	d := &directSender{cfg: c, ways: map[[4]byte]*way{}}
	d.fd, d.opts, d.is4 = fd, c.Options, true
	return d, nil
}

func (d *directSender) ReadBatch([]Message) (int, error) {
	return 0, fmt.Errorf("the direct sender receives nothing: %w", errors.ErrUnsupported)
}

// WriteBatch sends runs of messages that go the same way.
func (d *directSender) WriteBatch(msgs []Message) (sent int, err error) {
	now := d.cfg.Clock()
	var errs []error
	var hop *Hop // of the messages from start on
	start := 0
	flush := func(end int) {
		if start == end {
			return
		}
		n, err := d.run(msgs[start:end], hop)
		sent += n
		if err != nil {
			errs = append(errs, err)
		}
		start = end
	}
	for i := range msgs {
		next := d.hop(msgs[i].Bytes(), now)
		if next != hop {
			flush(i)
		}
		hop = next
	}
	flush(len(msgs))
	return sent, errors.Join(errs...)
}

// run sends messages of one way.
func (d *directSender) run(msgs []Message, hop *Hop) (sent int, err error) {
	if hop == nil {
		return d.cfg.Fallback.WriteBatch(msgs)
	}
	s := begin(len(msgs))
	for i := range msgs {
		b := msgs[i].Bytes()
		completeHeader(b)
		dst := [4]byte(b[16:20])
		s.items = append(s.items, item{data: b, remote: netip.AddrPortFrom(netip.AddrFrom4(dst), 0), hop: hop, msg: i})
	}
	s.whole = msgs
	failed := s.sendAll(d)
	back := s.back
	s.whole, s.back = nil, nil
	sent, err = s.end(failed)
	d.count.Add(uint64(sent))
	if len(back) > 0 {
		n, e := d.cfg.Fallback.WriteBatch(back)
		sent, err = sent+n, errors.Join(err, e)
	}
	return sent, err
}

// hop returns where a datagram goes, nil for the fallback. Whoever sends the one after the first few asks; until there is an answer the others use the fallback.
func (d *directSender) hop(b []byte, now time.Time) *Hop {
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
	if age := now.Sub(w.since); age >= hopTime || age < 0 {
		w.since, w.n, w.hop = now, 0, nil
	}
	ask := w.n == hopFirst
	if w.n <= hopFirst {
		w.n++
	}
	hop, since := w.hop, w.since
	d.mu.Unlock()
	if ask {
		hop = d.ask(w, dst, since)
	}
	if hop == nil || len(b) > hop.MTU {
		return nil
	}
	return hop
}

// ask asks for the way to a peer, without the lock: the kernel may take its time, and others send meanwhile. An answer that comes after the second for which it
// was asked is of no use to the next.
func (d *directSender) ask(w *way, dst [4]byte, since time.Time) *Hop {
	hop, err := d.cfg.Hop(netip.AddrFrom4(dst))
	if err != nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if w.since == since {
		w.hop = &hop
	}
	return &hop
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
				if now.Sub(old.since) >= hopTime {
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

func (d *directSender) base() *socket { return &d.socket }

func (d *directSender) appendControls(b []byte, _ *item) []byte { return b }

func (d *directSender) fragmentable(bool) {}

// refused has the fallback send it, which says what is wrong if it cannot, and has the way asked for anew in the next second.
func (d *directSender) refused(s *sender, it *item, _ syscall.Errno) {
	s.lost[it.msg] = true
	s.back = append(s.back, s.whole[it.msg])
	d.mu.Lock()
	defer d.mu.Unlock()
	if w := d.ways[it.remote.Addr().As4()]; w != nil {
		w.hop = nil
	}
}

func (d *directSender) Stats() Stats {
	s := d.socket.Stats()
	s.Direct = d.count.Load()
	return s
}
