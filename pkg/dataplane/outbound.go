package dataplane

import (
	"errors"
	"net/netip"
	"os"
	"time"

	"github.com/goipsec/goipsec/pkg/netio"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/tun"
)

// The path of a packet on its way out, in one goroutine:
//
//  1. readTUN reads a batch (the device has cut superpackets into segments).
//  2. packet parses it once and puts fragments together: policy and transport mode apply to whole datagrams.
//  3. route looks the filter up; segments of one flow share the answer of the first.
//  4. block drops it, permit sends it unchanged past the TUN, negotiate takes the entry's bundle, or its soft SA (soft.go), or holds it (hold.go).
//  5. protect (frame.go) frames and seals it into the arena; equal datagrams to one peer become one segmented send.
//  6. flush hands the messages to the sockets.

const (
	// readRoom is the size of a read buffer for devices of an ordinary MTU.
	readRoom = 2048
	// arenaSize holds the sealed packets of one batch; a full arena is flushed in between.
	arenaSize = 1 << 18
	// maxRun and maxSegments bound a segmented send: a UDP datagram's length and the kernel's number of segments.
	maxRun      = 65000
	maxSegments = 64
)

// outbound is the state of one goroutine that sends.
type outbound struct {
	p      *Plane
	now    time.Time
	header packet.Header
	arena  []byte
	used   int
	msgs   []route
	batch  []netio.Message
	joined bool // the packet in hand was put together from fragments: its source lets it be fragmented
	icmp   [1280 + tun.Headroom]byte

	origin origin

	snap      *snapshot
	lastKey   packet.Key
	lastEntry *entry
	lastOK    bool
	checked   *Bundle // its limits were looked at in this batch
}

// route is a message and the socket that it leaves by.
type route struct {
	netio.Message
	conn    netio.Conn
	packets int
	kind    *countKind
	joined  bool // it was put together from fragments
	cut     bool // it is a fragment of our making
}

// countKind says which counter a message's packets go to once it is sent.
type countKind uint8

var countSealed, countPermitted, countSoft countKind = 0, 1, 2

func (o *outbound) init(p *Plane) {
	o.p = p
	o.arena = make([]byte, arenaSize)
}

// begin starts a batch.
func (o *outbound) begin() {
	o.now = o.p.cfg.Clock()
	o.snap = o.p.snapshot.Load()
	o.lastOK, o.checked = false, nil
}

// readTUN reads the device until it is closed. An error that is not the device's end is counted and read over (F9).
func (p *Plane) readTUN() error {
	var o outbound
	o.init(p)
	n := p.cfg.TUN.BatchSize()
	bufs, sizes := readBuffers(n, int(p.mtu.Load())), make([]int, n)
	for failures := 0; ; {
		n, err := p.cfg.TUN.Read(bufs, sizes, tun.Headroom)
		o.begin()
		p.count.FromTUN.Add(uint64(n))
		for i := range n {
			o.packet(bufs[i][tun.Headroom : tun.Headroom+sizes[i]])
		}
		o.flush()
		if err == nil {
			failures = 0
			continue
		}
		if errors.Is(err, os.ErrClosed) {
			return err
		}
		p.count.add(ReadError)
		if failures++; failures > 1000 {
			return err
		}
		if room := len(bufs[0]) - tun.Headroom; room < int(p.mtu.Load()) {
			bufs = readBuffers(len(bufs), int(p.mtu.Load()))
		}
	}
}

// readBuffers lays n read buffers into one arena.
func readBuffers(n, mtu int) [][]byte {
	room := max(readRoom, mtu+tun.Headroom+64)
	arena := make([]byte, n*room)
	bufs := make([][]byte, n)
	for i := range bufs {
		bufs[i] = arena[i*room : (i+1)*room : (i+1)*room]
	}
	return bufs
}

// packet takes one datagram from the TUN device.
func (o *outbound) packet(pkt []byte) {
	h := &o.header
	if err := h.Parse(pkt); err != nil {
		o.p.count.add(Malformed)
		return
	}
	pkt = pkt[:h.TotalLen]
	if noise(h) {
		o.p.count.add(DeviceNoise)
		return
	}
	if o.joined = h.Key.Flags&packet.Fragment != 0; o.joined {
		if pkt = o.reassemble(pkt); pkt == nil {
			return
		}
	}
	o.route(pkt)
}

// reassemble takes a fragment and returns the whole datagram once it is complete, its header parsed (RFC 4301 §7: ports
// must be known, and transport mode protects whole datagrams only).
func (o *outbound) reassemble(pkt []byte) []byte {
	whole := o.p.frags.add(&o.p.count, o.now, pkt, &o.header)
	if whole == nil {
		return nil
	}
	if err := o.header.Parse(whole); err != nil {
		o.p.count.add(Malformed)
		return nil
	}
	return whole
}

// noise reports whether the system itself emitted the packet on the TUN device: link-local or multicast chatter that is for no one behind it.
func noise(h *packet.Header) bool {
	src, dst := h.Key.Src, h.Key.Dst
	return dst.IsMulticast() || src.IsLinkLocalUnicast() || dst.IsLinkLocalUnicast() || dst == netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// route decides about a whole datagram whose header is parsed.
func (o *outbound) route(pkt []byte) {
	h := &o.header
	if o.snap == nil {
		o.p.count.add(Blocked)
		return
	}
	if !o.lastOK || h.Key != o.lastKey {
		o.lastKey, o.lastEntry, o.lastOK = h.Key, o.snap.find(&h.Key), true
	}
	e := o.lastEntry
	if e == nil { // no filter is about this packet, or it is exempt: it is permitted, as Windows does
		o.permit(pkt)
		return
	}
	switch e.filter.Action {
	case policy.Permit:
		o.permit(pkt)
	case policy.Negotiate:
		pair := Pair{h.Key.Src, h.Key.Dst}
		if b := e.bundle(pair); b != nil {
			o.protect(b, pkt)
			return
		}
		if s := e.softFor(pair, o.now); s != nil {
			o.soft(e, s, pkt)
			return
		}
		o.hold(e, pair, pkt)
	default:
		o.p.count.add(Blocked)
	}
}

// permit sends pkt unchanged past the TUN device, as the policy says.
func (o *outbound) permit(pkt []byte) { o.clear(pkt, &countPermitted) }

// clear sends pkt unchanged past the TUN device.
func (o *outbound) clear(pkt []byte, kind *countKind) {
	if o.stranger() {
		o.p.count.add(NoSA)
		o.p.tell(Event{Kind: AddressesChanged, Pair: Pair{Local: o.header.Key.Src}})
		return
	}
	if o.p.cfg.IP == nil {
		o.p.count.add(NoPath)
		return
	}
	o.copyOut(pkt, o.p.cfg.IP, kind)
}

// copyOut queues a whole datagram, copied, for a socket that takes whole datagrams.
func (o *outbound) copyOut(pkt []byte, conn netio.Conn, kind *countKind) {
	buf := o.room(len(pkt))
	copy(buf, pkt)
	o.used += len(pkt)
	o.msgs = append(o.msgs, route{conn: conn, packets: 1, kind: kind, joined: o.joined, Message: netio.Message{Buf: buf, N: len(pkt),
		Remote: netip.AddrPortFrom(o.header.Key.Dst, 0), Local: netip.AddrPortFrom(o.header.Key.Src, 0), TOS: o.header.TOS}})
}

// room returns at least n free bytes of the arena, flushing first if there are fewer.
func (o *outbound) room(n int) []byte {
	if len(o.arena)-o.used < n {
		o.flush()
		if len(o.arena) < n {
			o.arena = make([]byte, n)
		}
	}
	return o.arena[o.used : o.used+n : o.used+n]
}

// all returns the entry's bundles.
func (e *entry) all() []*Bundle {
	var list []*Bundle
	if b := e.tunnel.Load(); b != nil {
		list = append(list, b)
	}
	if m := e.pairs.Load(); m != nil {
		for _, b := range *m {
			list = append(list, b)
		}
	}
	return list
}
