package dataplane

import (
	"bytes"
	"encoding/binary"
	"unsafe"

	"github.com/goipsec/goipsec/pkg/netio"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/prefetch"
	"github.com/goipsec/goipsec/pkg/sa"
	"github.com/goipsec/goipsec/pkg/suite"
	"github.com/goipsec/goipsec/pkg/tun"
)

// What a packet needs of a large policy and of many SAs is in no cache, and one thing leads to the next: filter, entry, bundle, SA, keys. A packet by itself
// waits for memory ten times or more in turn. So a batch is looked at ahead: its flows are looked up together, and what they need is asked for step by
// step, of all of them at once. Then the packets go their way one by one as ever: they find what was learnt in the flows, and the rest in the caches.

// On the way in the same is done for the SAs of a batch, whose SPIs the packets name.

const (
	// many filters or SAs are more than the caches near the processor hold.
	many = 1024
	// aheadOf is how many packets are looked at ahead at once: enough to wait for together, and not so many that what was asked for falls out of the caches.
	aheadOf = 32
)

// ahead are the flows of a batch that lookAhead has found.
type ahead struct {
	n       int
	keys    [aheadOf]packet.Key
	flows   [aheadOf]*flow
	entries [aheadOf]*entry
	found   [aheadOf]bool
	bundles [aheadOf]*Bundle
}

// lookAhead learns the flows of at most aheadOf packets, if there are many filters or SAs.
func (o *outbound) lookAhead(packets []tun.Packet) {
	if o.snap == nil || o.snap.index.Len() < many && o.p.cfg.DB.Len() < many {
		return
	}
	a := &o.ahead
	a.n = 0
	var last []byte
	for i := range packets {
		if pkt := packets[i].Bytes(); !alike(pkt, last) {
			o.learn(pkt)
			last = pkt
		}
	}
	o.snap.index.LookupBatch(a.keys[:a.n], a.entries[:], a.found[:])
	for i := range a.n {
		if !a.found[i] && o.snap.dynamic != nil {
			a.entries[i], _ = o.snap.dynamic.Lookup(&a.keys[i])
		}
		a.flows[i].entry = a.entries[i]
	}
	o.ask()
}

// alike reports whether two datagrams have the same addresses and, where these follow, ports. A wrong answer does no harm: a flow that was not learnt ahead is
// when its packet comes.
func alike(a, b []byte) bool {
	const four, six = 24, 44 // up to the ports, if there are no options and extension headers
	switch {
	case len(a) < four || len(b) < four || a[0] != b[0]:
		return false
	case a[0]>>4 == 4:
		return binary.NativeEndian.Uint64(a[12:]) == binary.NativeEndian.Uint64(b[12:]) && binary.NativeEndian.Uint32(a[20:]) == binary.NativeEndian.Uint32(b[20:])
	}
	return len(a) >= six && len(b) >= six && bytes.Equal(a[8:six], b[8:six])
}

// learn takes note of a datagram's flow. Fragments and what is malformed or noise are left to packet.
func (o *outbound) learn(pkt []byte) {
	h, a := &o.header, &o.ahead
	if h.Parse(pkt) != nil || h.Key.Flags&packet.Fragment != 0 || noise(h) {
		return
	}
	f := o.slot(pkt)
	if f.batch == o.batches {
		return // it is known, or there is no room for it
	}
	*f = flow{key: h.Key, batch: o.batches}
	if !o.snap.exempt.Match(&h.Key) {
		a.keys[a.n], a.flows[a.n] = h.Key, f
		a.n++
	}
}

// ask asks for the memory of entries, bundles, SAs and keys. Each step reads what the one before it has asked for.
func (o *outbound) ask() {
	a := &o.ahead
	entries, bundles := a.entries[:a.n], a.bundles[:a.n]
	for _, e := range entries {
		prefetch.Lines(unsafe.Pointer(e))
	}
	for _, e := range entries {
		if e != nil {
			prefetch.Line(unsafe.Pointer(e.tunnel.Load()))
		}
	}
	for _, e := range entries {
		if e != nil {
			prefetch.Line(unsafe.Pointer(unsafe.SliceData(e.tunnelSAs())))
		}
	}
	for i, e := range entries {
		bundles[i] = &nothing
		if e != nil && e.action == policy.Negotiate {
			if b := e.bundle(Pair{a.keys[i].Src, a.keys[i].Dst}, o.n); b != nil {
				bundles[i] = b
			}
		}
		prefetch.Lines(unsafe.Pointer(bundles[i]))
	}
	for step := range sa.PrefetchSteps {
		for _, b := range bundles {
			b.ESP.Prefetch(step)
			b.AH.Prefetch(step)
		}
	}
}

// nothing is a bundle of no SAs.
var nothing Bundle

// lookAhead asks for the memory of the SAs that messages name, if there are many. It looks at the first datagram of each: those of a run are of one peer.
func (in *inbound) lookAhead(msgs []netio.Message) {
	if in.p.cfg.DB.Len() < many {
		return
	}
	spis := in.spis[:0]
	for i := range msgs[:min(len(msgs), cap(spis))] {
		m := &msgs[i]
		data := m.Buf[m.Off : m.Off+m.N]
		if in.socket == nil {
			data = behindIP(data)
		}
		if len(data) < 4 {
			continue
		}
		if spi := binary.BigEndian.Uint32(data); len(spis) == 0 || spi != spis[len(spis)-1] {
			spis = append(spis, spi)
		}
	}
	in.p.cfg.DB.Prefetch(spis)
}

// behindIP is what begins with the SPI in a raw ESP or AH datagram, if that is easily told.
func behindIP(data []byte) []byte {
	const ah = 4 // bytes in front of its SPI
	at, proto := 0, suite.Protocol(0)
	switch {
	case len(data) < 40:
		return nil
	case data[0]>>4 == 4:
		at, proto = int(data[0]&15)*4, suite.Protocol(data[9])
	default:
		at, proto = 40, suite.Protocol(data[6])
	}
	switch proto {
	case suite.ESP:
	case suite.AH:
		at += ah
	default:
		return nil
	}
	return data[min(at, len(data)):]
}
