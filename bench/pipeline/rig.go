package pipeline

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/dataplane"
	"github.com/goipsec/goipsec/pkg/esp"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/sa"
	"github.com/goipsec/goipsec/pkg/suite"
	"github.com/goipsec/goipsec/pkg/tun"
)

// mtu is that of the device, and outerMTU that of the path.
const (
	mtu      = 1420
	outerMTU = 1500
)

var (
	outerHere, outerThere = netip.MustParseAddrPort("192.0.2.1:4500"), netip.MustParseAddrPort("192.0.2.2:4500")
	innerHere, innerThere = netip.MustParseAddr("10.1.0.1"), netip.MustParseAddr("10.2.0.1")
	netHere, netThere     = netip.MustParsePrefix("10.1.0.0/24"), netip.MustParsePrefix("10.2.0.0/24")
)

// rig is a data plane for one suite and one size of packet, with both of its sides in memory.
type rig struct {
	plane  *dataplane.Plane
	device *device
	socket *socket
	stop   context.CancelFunc
	ended  chan error
	events chan dataplane.Event

	keymat, integKey []byte
	spi              uint32 // of both directions
	protection       protection
}

// newRig makes a rig for inner packets of size bytes and starts it. Close it.
func newRig(p protection, size int) (*rig, error) {
	r := &rig{protection: p, keymat: random(p.encr.KeyMatLen(keyBits)), integKey: random(p.integ.KeyMatLen()), ended: make(chan error, 1),
		events: make(chan dataplane.Event, 16)}
	out := datagram(innerHere, innerThere, size)
	r.device = &device{meter: newMeter(), packet: out}
	r.device.events = make(chan tun.Event)
	r.socket = &socket{meter: newMeter(), local: outerHere, remote: outerThere}
	db := sa.NewDB(rand.Reader, 16)
	var err error
	if r.spi, err = db.Reserve(); err != nil { // as for a negotiated SA
		return nil, err
	}
	r.plane, err = dataplane.New(dataplane.Config{TUN: r.device, UDP: []dataplane.Socket{{Conn: r.socket, Marker: true}}, DB: db, Clock: time.Now,
		Events: r.events, Control: make(chan dataplane.Datagram, 1), Rand: rand.Reader, MTU: mtu})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(r.outbound(), r.inbound(db, datagram(innerThere, innerHere, size))); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	go func() { r.ended <- r.plane.Run(ctx) }()
	if err := r.verify(); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

func (r *rig) close() error {
	r.stop()
	return <-r.ended
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// datagram is a UDP datagram of size bytes in all, from 64 up.
func datagram(src, dst netip.Addr, size int) []byte {
	b := random(size)
	o := packet.Outer{Src: src, Dst: dst, Proto: 17, TTL: 64, DF: true}
	o.Put(b, size)
	u := b[o.Len():]
	binary.BigEndian.PutUint16(u, 4000)
	binary.BigEndian.PutUint16(u[2:], 4001)
	binary.BigEndian.PutUint16(u[4:], uint16(len(u)))
	return b
}

// outbound gives the plane a policy of one tunnel and the SA for it.
func (r *rig) outbound() error {
	filter := classifier.Filter{Src: classifier.RangeOf(netHere), Dst: classifier.RangeOf(netThere)}
	rule := &policy.Rule{Name: "bench", Action: policy.FilterAction{Kind: policy.Negotiate}, Tunnel: &policy.Tunnel{Local: outerHere.Addr(), Remote: outerThere.Addr()}}
	r.plane.Apply(&policy.Compiled{Policy: &policy.Policy{}, Outbound: []*policy.QuickModeFilter{{ID: "bench", Filter: filter, Action: policy.Negotiate, Rule: rule}}})
	sealer, err := esp.NewSealer(r.protection.encr, r.keymat, r.protection.integ, r.integKey, r.spi, true, nil)
	if err != nil {
		return err
	}
	b := &dataplane.Bundle{Mode: suite.Tunnel, MTU: outerMTU, Child: 1}
	b.ESP = sa.NewOutbound(sa.OutboundConfig{SPI: r.spi, Protocol: suite.ESP, Mode: suite.Tunnel, Sealer: sealer, Local: outerHere, Remote: outerThere, ESN: true}, time.Now())
	b.Outer = b.ESP.Config()
	if !r.plane.Install("bench", dataplane.Pair{Local: innerHere, Remote: innerThere}, b) {
		return errors.New("pipeline: the SA was not installed")
	}
	return nil
}

// inbound gives the plane the SA for packets that the socket seals. Sequence numbers are extended: a long run must not use them up.
func (r *rig) inbound(db *sa.DB, inner []byte) error {
	filter := classifier.Filter{Src: classifier.RangeOf(netThere), Dst: classifier.RangeOf(netHere)}
	opener, err := r.opener()
	if err != nil {
		return err
	}
	in := sa.NewInbound(sa.InboundConfig{SPI: r.spi, Protocol: suite.ESP, Mode: suite.Tunnel, Opener: opener, Local: outerHere, Remote: outerThere, ESN: true,
		Selector: filter, ID: 1}, time.Now())
	if err := db.Install(in); err != nil {
		return err
	}
	sealer, err := esp.NewSealer(r.protection.encr, r.keymat, r.protection.integ, r.integKey, r.spi, true, nil)
	if err != nil {
		return err
	}
	var seq uint64
	r.socket.seal = func(b []byte) int {
		n := sealer.SealedLen(len(inner))
		copy(b[sealer.Head():], inner)
		seq++
		if err := sealer.Seal(b[:n], 0, len(inner), 4, seq); err != nil {
			panic(fmt.Sprint("pipeline: sealing for the inbound path: ", err))
		}
		return n
	}
	return nil
}

func (r *rig) opener() (*esp.Opener, error) {
	return esp.NewOpener(r.protection.encr, r.keymat, r.protection.integ, r.integKey, r.spi, true)
}

// verify sends a few batches each way and compares every byte: what is measured must be the real thing.
func (r *rig) verify() error {
	const n = 3*batch + 1
	opener, err := r.opener()
	if err != nil {
		return err
	}
	good := 0
	r.socket.seen = func(d []byte) {
		d = bytes.Clone(d)
		off, length, next, err := opener.Open(d, 0, uint64(good+1))
		if err == nil && next == 4 && bytes.Equal(d[off:off+length], r.device.packet) {
			good++
		}
	}
	if _, err := r.out(n); err != nil {
		return err
	}
	r.socket.seen = nil
	if good != n {
		return fmt.Errorf("pipeline: only %d of %d packets came out as they went in", good, n)
	}
	good = 0
	r.device.seen = func(p []byte) {
		if len(p) == len(r.device.packet) && netip.AddrFrom4([4]byte(p[12:16])) == innerThere {
			good++
		}
	}
	if _, err := r.in(n); err != nil {
		return err
	}
	r.device.seen = nil
	if good != n {
		return fmt.Errorf("pipeline: only %d of %d packets were delivered as they were sealed", good, n)
	}
	return nil
}

// out sends n packets through the outbound path and returns the time it took.
func (r *rig) out(n int) (time.Duration, error) {
	sealed, sent := r.plane.Counters().Sealed.Load(), r.socket.sent
	took := r.device.run(n)
	if got := r.plane.Counters().Sealed.Load() - sealed; got != uint64(n) || r.socket.sent-sent != uint64(n) {
		return 0, fmt.Errorf("pipeline: of %d packets %d were sealed and %d sent: %v", n, got, r.socket.sent-sent, r.plane.Counters().Drops())
	}
	return took, r.quiet()
}

// in sends n packets through the inbound path and returns the time it took.
func (r *rig) in(n int) (time.Duration, error) {
	before := r.plane.Counters().Delivered.Load()
	took := r.socket.run(n)
	if got := r.plane.Counters().Delivered.Load() - before; got != uint64(n) {
		return 0, fmt.Errorf("pipeline: of %d packets %d were delivered: %v", n, got, r.plane.Counters().Drops())
	}
	return took, r.quiet()
}

// quiet is an error if the plane asked for anything: then it did more than move packets.
func (r *rig) quiet() error {
	select {
	case e := <-r.events:
		return fmt.Errorf("pipeline: the data plane asks for event %d in the middle of a measurement", e.Kind)
	default:
		return nil
	}
}
