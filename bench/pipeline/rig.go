package pipeline

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net/netip"
	"strconv"
	"time"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/dataplane"
	"github.com/goipsec/goipsec/pkg/esp"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/sa"
	"github.com/goipsec/goipsec/pkg/suite"
	"github.com/goipsec/goipsec/pkg/tun"
)

// mtu is that of the device, and outerMTU that of the path: with it the largest packet fits in every suite.
const (
	mtu      = 1420
	outerMTU = 1520
)

var here = netip.MustParseAddrPort("192.0.2.1:4500")

// peer is where the peer of the i-th SA is.
func peer(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{172, 16 + byte(i>>16), byte(i >> 8), byte(i)}), uint16(1024+i%50_000))
}

// rig is a data plane with a number of SA pairs of one suite, and with both of its sides in memory.
type rig struct {
	protection
	kind   Kind
	cipher Cipher
	plane  *dataplane.Plane
	db     *sa.DB
	device *device
	socket *socket
	stop   context.CancelFunc
	ended  chan error
	events chan dataplane.Event

	keymat, integKey []byte         // of which each SA has its own variation
	outbound         []*sa.Outbound // by SA; what they seal, the inbound SA of the same number opens
}

// newRig makes a rig with n SA pairs, starts it, and has packets of every one verified. Close it.
func newRig(p protection, k Kind, n int) (*rig, error) {
	r := &rig{protection: p, kind: k, cipher: p.cipher(), db: sa.NewDB(rand.Reader, n), ended: make(chan error, 1), events: make(chan dataplane.Event, 16),
		keymat: random(p.encr.KeyMatLen(p.bits)), integKey: random(p.integ.KeyMatLen()), outbound: make([]*sa.Outbound, n)}
	order := make([]int32, n)
	for i, j := range mathrand.New(mathrand.NewPCG(1, 2)).Perm(n) {
		order[i] = int32(j)
	}
	r.device = &device{meter: newMeter(), turns: turns{order: order}, events: make(chan tun.Event)}
	r.socket = &socket{meter: newMeter(), turns: turns{order: order}, local: here, seal: r.seal}
	cfg := dataplane.Config{TUN: r.device, UDP: []dataplane.Socket{{Conn: r.socket, Marker: true}}, DB: r.db, Clock: time.Now,
		Events: r.events, Control: make(chan dataplane.Datagram, 1), Rand: rand.Reader, MTU: mtu}
	if k == Superpackets {
		cfg.TUN = superDevice{r.device}
	}
	var err error
	if r.plane, err = dataplane.New(cfg); err != nil {
		return nil, err
	}
	if err := r.install(); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	go func() { r.ended <- r.plane.Run(ctx) }()
	l, err := newLoad(k, mtu)
	if err == nil {
		err = r.verify(&l, max(n*len(l.datagrams), 3*batch+1))
	}
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

func (r *rig) close() error {
	r.stop()
	return <-r.ended
}

// install gives the plane a tunnel filter for each pair of hosts, and the SAs for it.
func (r *rig) install() error {
	filters := make([]*policy.QuickModeFilter, len(r.outbound))
	for i := range filters {
		rule := &policy.Rule{Name: "bench", Action: policy.FilterAction{Kind: policy.Negotiate}, Tunnel: &policy.Tunnel{Local: here.Addr(), Remote: peer(i).Addr()}}
		filters[i] = &policy.QuickModeFilter{ID: strconv.Itoa(i), Action: policy.Negotiate, Rule: rule,
			Filter: classifier.Filter{Src: classifier.HostRange(inner(i, false)), Dst: classifier.HostRange(inner(i, true))}}
	}
	r.plane.Apply(&policy.Compiled{Policy: &policy.Policy{}, Outbound: filters})
	now := time.Now()
	for i, f := range filters {
		if err := r.pair(i, f, now); err != nil {
			return err
		}
	}
	return nil
}

// pair makes the i-th pair of SAs. Both have one SPI and one key. Sequence numbers are extended: a long run must not use them up.
func (r *rig) pair(i int, f *policy.QuickModeFilter, now time.Time) error {
	spi, err := r.db.Reserve() // as for a negotiated SA
	if err != nil {
		return err
	}
	keymat, integKey := r.keys(i)
	sealer, err := esp.NewSealer(r.encr, keymat, r.integ, integKey, spi, true, nil)
	if err != nil {
		return err
	}
	opener, err := r.opener(i, spi)
	if err != nil {
		return err
	}
	out := sa.NewOutbound(sa.OutboundConfig{SPI: spi, Protocol: suite.ESP, Mode: suite.Tunnel, Sealer: sealer, Local: here, Remote: peer(i), ESN: true}, now)
	in := sa.NewInbound(sa.InboundConfig{SPI: spi, Protocol: suite.ESP, Mode: suite.Tunnel, Opener: opener, Local: here, Remote: peer(i), ESN: true,
		Selector: f.Filter.Mirror(), ID: uint64(i + 1)}, now)
	if err := r.db.Install(in); err != nil {
		return err
	}
	r.outbound[i] = out
	b := &dataplane.Bundle{Mode: suite.Tunnel, MTU: outerMTU, Child: uint64(i + 1), ESP: out, Outer: out.Config()}
	if !r.plane.Install(f.ID, dataplane.Pair{Local: inner(i, false), Remote: inner(i, true)}, b) {
		return fmt.Errorf("pipeline: SA pair %d was not installed", i)
	}
	return nil
}

// keys are those of the i-th pair, different from all others'.
func (r *rig) keys(i int) (keymat, integKey []byte) {
	own := func(b []byte) []byte {
		b = bytes.Clone(b)
		if len(b) >= 4 {
			binary.BigEndian.PutUint32(b, binary.BigEndian.Uint32(b)^uint32(i))
		}
		return b
	}
	return own(r.keymat), own(r.integKey)
}

func (r *rig) opener(i int, spi uint32) (*esp.Opener, error) {
	keymat, integKey := r.keys(i)
	return esp.NewOpener(r.encr, keymat, r.integ, integKey, spi, true)
}

// seal is the peer of the i-th SA: it writes a datagram, sealed, to the beginning of b. It has the SA's outbound half for itself meanwhile.
func (r *rig) seal(b []byte, i int, datagram []byte) int {
	out := r.outbound[i]
	s := out.Config().Sealer
	n := s.SealedLen(len(datagram))
	payload := b[s.Head():]
	copy(payload, datagram)
	address(payload, i, false)
	out.Lock()
	defer out.Unlock()
	if err := out.Seal(b[:n], 0, len(datagram), 4); err != nil {
		panic(fmt.Sprint("pipeline: sealing for the inbound path: ", err))
	}
	return n
}

// verify sends n packets or a few more each way and compares every byte: what is measured must be the real thing.
func (r *rig) verify(l *load, n int) error {
	n = l.whole(n)
	good, expect := 0, r.device.turns.datagrams(l, true)
	var opener *esp.Opener
	whose := -1
	r.socket.seen = func(d []byte) {
		i, want := expect()
		if i != whose {
			whose = i
			opener, _ = r.opener(i, r.outbound[i].Config().SPI) // it made one when the SAs were made
		}
		if got, err := unsealed(opener, d); err == nil && bytes.Equal(got, want) {
			good++
		}
	}
	_, err := r.out(l, n)
	r.socket.seen = nil
	if err != nil {
		return err
	}
	if good != n {
		return fmt.Errorf("pipeline: only %d of %d packets came out as they went in", good, n)
	}
	good, expect = 0, r.socket.turns.datagrams(l, false)
	written := r.device.written
	r.device.seen = func(d []byte) {
		if _, want := expect(); bytes.Equal(d, want) {
			good++
		}
	}
	_, err = r.in(l, n)
	r.device.seen = nil
	if err != nil {
		return err
	}
	if good != n {
		return fmt.Errorf("pipeline: only %d of %d packets were delivered as they were sealed", good, n)
	}
	if got, want := r.device.written-written, n/len(l.datagrams); got != uint64(want) {
		return fmt.Errorf("pipeline: %d packets were written to the device as %d, not as %d superpackets", n, got, want)
	}
	return nil
}

// unsealed opens a datagram that was sent. Its SPI is covered by the ICV.
func unsealed(o *esp.Opener, d []byte) ([]byte, error) {
	d = bytes.Clone(d)
	seq, err := o.Sequence(d, 0)
	if err != nil {
		return nil, err
	}
	off, n, next, err := o.Open(d, 0, uint64(seq))
	if err == nil && next != 4 {
		err = errors.New("pipeline: not IPv4")
	}
	return d[off : off+n], err
}

// out sends n packets through the outbound path and returns the time it took.
func (r *rig) out(l *load, n int) (time.Duration, error) {
	sealed, sent := r.plane.Counters().Sealed.Load(), r.socket.sent
	took := r.device.run(l, n)
	if got := r.plane.Counters().Sealed.Load() - sealed; got != uint64(n) || r.socket.sent-sent != uint64(n) {
		return 0, fmt.Errorf("pipeline: of %d packets %d were sealed and %d sent: %v", n, got, r.socket.sent-sent, r.plane.Counters().Drops())
	}
	return took, r.quiet()
}

// in sends n packets through the inbound path and returns the time it took.
func (r *rig) in(l *load, n int) (time.Duration, error) {
	before := r.plane.Counters().Delivered.Load()
	took := r.socket.run(l, n)
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
