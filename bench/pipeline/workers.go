package pipeline

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/goipsec/goipsec/bench/measure"
	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/dataplane"
	"github.com/goipsec/goipsec/pkg/esp"
	"github.com/goipsec/goipsec/pkg/netio"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/sa"
	"github.com/goipsec/goipsec/pkg/suite"
	"github.com/goipsec/goipsec/pkg/tun"
)

// Scaling is what several workers do at once that have a flow each, against one worker with one flow.
type Scaling struct {
	Machine measure.Machine `json:"machine"`
	Workers int             `json:"workers"`
	Packets int             `json:"packets"` // of each worker in each measurement
	Rounds  int             `json:"rounds"`
	Size    int             `json:"size"` // of the inner packet, in bytes
	Cases   []Scale         `json:"cases"`
}

// Scale is one suite, in nanoseconds of the clock on the wall for each packet of all workers together.
type Scale struct {
	Suite  string            `json:"suite"`
	Cipher Cipher            `json:"cipher"`
	One    [2]measure.Spread `json:"one"`    // one worker; out, in
	Own    [2]Gain           `json:"own"`    // an SA for each worker; out, in
	Shared Gain              `json:"shared"` // one SA for all, out; inbound, the packets of one SA come to one worker
}

// Gain is what several workers take, and how many times as fast as one they are.
type Gain struct {
	Path  measure.Spread `json:"ns_per_packet"`
	Times measure.Spread `json:"times_as_fast"`
}

// lane hands out the packets of one queue, and tells when the reader has worked them off and comes back for more.
type lane struct {
	jobs   chan int
	done   chan struct{}
	ended  chan struct{}
	left   int
	active bool
}

func newLane(ended chan struct{}) lane {
	return lane{jobs: make(chan int), done: make(chan struct{}), ended: ended}
}

func (l *lane) take(most int) (n int, ok bool) {
	for l.left == 0 {
		if l.active {
			l.active = false
			l.done <- struct{}{}
		}
		select {
		case l.left = <-l.jobs:
			l.active = true
		case <-l.ended:
			return 0, false
		}
	}
	n = min(most, l.left)
	l.left -= n
	return n, true
}

// laneDevice is a queue of a device in memory: one flow comes out, and what goes in is swallowed.
type laneDevice struct {
	lane
	datagram []byte
}

func (d *laneDevice) Offload() tun.Offload { return tun.Offload{} }

func (d *laneDevice) ReadPackets(packets []tun.Packet) (int, error) {
	n, ok := d.take(min(batch, len(packets)))
	if !ok {
		return 0, os.ErrClosed
	}
	for i := range n {
		p := &packets[i]
		p.N, p.Segment = copy(p.Buf[p.Off:], d.datagram), 0
	}
	return n, nil
}

func (d *laneDevice) WritePackets(packets []tun.Packet) error {
	for i := range packets {
		packets[i].Failed = false
	}
	return nil
}

// lanes is a device of several queues.
type lanes struct {
	tun.Device // a device that nobody reads, for everything else
	queues     []tun.PacketDevice
}

func (d lanes) Queues() []tun.PacketDevice { return d.queues }

// laneSocket is a socket of one queue: runs come that were sealed before, and what is sent is swallowed.
type laneSocket struct {
	lane
	runs [][]byte // of runLength datagrams each
	size int      // of a sealed datagram
}

const runLength = 40

func (s *laneSocket) ReadBatch(msgs []netio.Message) (int, error) {
	n, ok := s.take(len(msgs) * runLength)
	if !ok {
		return 0, net.ErrClosed
	}
	used := 0
	for ; n > 0; n -= runLength {
		m := &msgs[used]
		m.N, m.Segment, m.Local, m.Remote = copy(m.Buf[m.Off:], s.runs[0]), s.size, here, peer(0)
		s.runs = s.runs[1:]
		used++
	}
	return used, nil
}

func (s *laneSocket) WriteBatch(msgs []netio.Message) (int, error) { return len(msgs), nil }
func (s *laneSocket) LocalAddr() netip.AddrPort                    { return here }
func (s *laneSocket) Close() error                                 { return nil }

// crew is a plane with workers, and so many SAs for one tunnel.
type crew struct {
	plane   *dataplane.Plane
	devices []*laneDevice
	sockets []*laneSocket
	peers   []*sa.Outbound // what the peer seals with, by SA
	stop    context.CancelFunc
	ended   chan error
	closed  chan struct{}
	size    int
}

func newCrew(p protection, workers, sas, size int) (*crew, error) {
	c := &crew{ended: make(chan error, 1), closed: make(chan struct{}), size: size}
	whole, _ := tun.Pipe(mtu)
	device, s := lanes{Device: whole}, dataplane.Socket{Conn: &laneSocket{lane: newLane(c.closed)}, Marker: true}
	for n := range workers {
		l, err := newLoad(Datagrams, size)
		if err != nil {
			return nil, err
		}
		address(l.datagrams[0], n, true)
		c.devices = append(c.devices, &laneDevice{lane: newLane(c.closed), datagram: l.datagrams[0]})
		c.sockets = append(c.sockets, &laneSocket{lane: newLane(c.closed)})
		device.queues, s.Queues = append(device.queues, c.devices[n]), append(s.Queues, c.sockets[n])
	}
	db := sa.NewDB(rand.Reader, 64)
	var err error
	c.plane, err = dataplane.New(dataplane.Config{TUN: device, UDP: []dataplane.Socket{s}, DB: db, Clock: time.Now, Events: make(chan dataplane.Event, 16),
		Control: make(chan dataplane.Datagram, 1), Rand: rand.Reader, MTU: mtu})
	if err != nil {
		return nil, err
	}
	ours, theirs := netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("11.0.0.0/8")
	f := &policy.QuickModeFilter{ID: "f", Action: policy.Negotiate, Filter: classifier.Filter{Src: classifier.RangeOf(ours), Dst: classifier.RangeOf(theirs)},
		Rule: &policy.Rule{Name: "bench", Action: policy.FilterAction{Kind: policy.Negotiate}, Tunnel: &policy.Tunnel{Local: here.Addr(), Remote: peer(0).Addr()}}}
	c.plane.Apply(&policy.Compiled{Policy: &policy.Policy{}, Outbound: []*policy.QuickModeFilter{f}})
	for n := range sas {
		if err := c.install(p, db, f, n, sas); err != nil {
			return nil, err
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	go func() { c.ended <- c.plane.Run(ctx) }()
	return c, nil
}

// install gives the tunnel its n-th SA pair.
func (c *crew) install(p protection, db *sa.DB, f *policy.QuickModeFilter, n, sas int) error {
	spi, err := db.ReserveFor(n, sas)
	if err != nil {
		return err
	}
	keymat, integKey, now := random(p.encr.KeyMatLen(p.bits)), random(p.integ.KeyMatLen()), time.Now()
	var out [2]*sa.Outbound // ours, and the peer's, whose packets our inbound SA opens
	for i := range out {
		sealer, err := esp.NewSealer(p.encr, keymat, p.integ, integKey, spi, true, nil)
		if err != nil {
			return err
		}
		out[i] = sa.NewOutbound(sa.OutboundConfig{SPI: spi, Protocol: suite.ESP, Mode: suite.Tunnel, Sealer: sealer, Local: here, Remote: peer(0), ESN: true}, now)
	}
	opener, err := esp.NewOpener(p.encr, keymat, p.integ, integKey, spi, true)
	if err != nil {
		return err
	}
	c.peers = append(c.peers, out[1])
	err = db.Install(sa.NewInbound(sa.InboundConfig{SPI: spi, Protocol: suite.ESP, Mode: suite.Tunnel, Opener: opener, Local: here, Remote: peer(0), ESN: true,
		Selector: f.Filter.Mirror(), ID: uint64(n + 1)}, now))
	b := &dataplane.Bundle{Mode: suite.Tunnel, MTU: outerMTU, Child: uint64(n + 1), ESP: out[0], Outer: out[0].Config(), Queue: uint8(n)}
	if err == nil && !c.plane.Install("f", dataplane.Pair{}, b) {
		err = errors.New("pipeline: an SA was not installed")
	}
	return err
}

func (c *crew) close() error {
	close(c.closed)
	c.stop()
	return <-c.ended
}

// atOnce has every lane hand out n packets, and returns how long that took for each of all of them, in nanoseconds.
func atOnce(list []*lane, n int) float64 {
	began := time.Now()
	for _, l := range list {
		l.jobs <- n
	}
	for _, l := range list {
		<-l.done
	}
	return float64(time.Since(began).Nanoseconds()) / float64(n*len(list))
}

// out sends n packets by each worker.
func (c *crew) out(n int) (float64, error) {
	var list []*lane
	for _, d := range c.devices {
		list = append(list, &d.lane)
	}
	return c.counted(list, n, &c.plane.Counters().Sealed, "sealed")
}

// in has n packets come to each worker, each of the SA of its number; they are sealed before the time begins.
func (c *crew) in(n int) (float64, error) {
	var list []*lane
	for i, s := range c.sockets {
		s.runs = s.runs[:0]
		datagram := slices.Clone(c.devices[i].datagram)
		address(datagram, i, false)
		out := c.peers[i]
		s.size = out.Config().Sealer.SealedLen(len(datagram))
		out.Lock()
		for range n / runLength {
			run := make([]byte, runLength*s.size)
			for at := 0; at < len(run); at += s.size {
				if err := out.SealFrom(run[at:at+s.size], 0, datagram, len(datagram), 4); err != nil {
					out.Unlock()
					return 0, err
				}
			}
			s.runs = append(s.runs, run)
		}
		out.Unlock()
		list = append(list, &s.lane)
	}
	return c.counted(list, n, &c.plane.Counters().Delivered, "delivered")
}

// counted is atOnce, and holds the plane to have counted every packet.
func (c *crew) counted(list []*lane, n int, counter *atomic.Uint64, what string) (float64, error) {
	before := counter.Load()
	took := atOnce(list, n)
	if got := counter.Load() - before; got != uint64(n*len(list)) {
		return 0, fmt.Errorf("pipeline: of %d packets %d were %s: %v", n*len(list), got, what, c.plane.Counters().Drops())
	}
	return took, nil
}

// RunWorkers measures how much faster several workers are than one. Of opts it takes suites, packets and rounds, and of the sizes the first.
func RunWorkers(ctx context.Context, opts Options, workers int) (Scaling, error) {
	o, err := opts.complete()
	if err != nil {
		return Scaling{}, err
	}
	if workers < 2 || workers > 64 {
		return Scaling{}, fmt.Errorf("%w: %d is no number of workers from 2 to 64", ErrOptions, workers)
	}
	o.Packets = (o.Packets + runLength - 1) / runLength * runLength
	res := Scaling{Machine: measure.Here(), Workers: workers, Packets: o.Packets, Rounds: o.Rounds, Size: o.Sizes[0]}
	for _, p := range protections() {
		if !slices.Contains(o.Suites, p.name) {
			continue
		}
		s, err := o.scale(ctx, p, workers)
		if err != nil {
			return Scaling{}, fmt.Errorf("%s: %w", p.name, err)
		}
		res.Cases = append(res.Cases, s)
	}
	return res, nil
}

// scale measures one suite.
func (o Options) scale(ctx context.Context, p protection, workers int) (s Scale, err error) {
	var crews []*crew
	defer func() {
		for _, c := range crews {
			err = errors.Join(err, c.close())
		}
	}()
	for _, shape := range [][2]int{{1, 1}, {workers, workers}, {workers, 1}} {
		c, err := newCrew(p, shape[0], shape[1], o.Sizes[0])
		if err != nil {
			return s, err
		}
		crews = append(crews, c)
	}
	runtime.GC()
	measured := []func(int) (float64, error){crews[0].out, crews[1].out, crews[2].out, crews[0].in, crews[1].in}
	columns := make([][]float64, len(measured))
	for _, turn := range measure.Interleave(len(measured), o.Rounds+1) {
		if ctx.Err() != nil {
			return s, ctx.Err()
		}
		took, err := measured[turn.What](o.Packets)
		if err != nil {
			return s, err
		}
		if turn.Round > 0 { // the first round warms up
			columns[turn.What] = append(columns[turn.What], took)
		}
	}
	gain := func(one, all []float64) Gain { return Gain{measure.Of(all), measure.Of(measure.Ratios(one, all))} }
	return Scale{Suite: p.name, Cipher: p.cipher(), One: [2]measure.Spread{measure.Of(columns[0]), measure.Of(columns[3])},
		Own: [2]Gain{gain(columns[0], columns[1]), gain(columns[3], columns[4])}, Shared: gain(columns[0], columns[2])}, nil
}

func (r Scaling) grid() measure.Grid {
	g := measure.Grid{Head: []string{"suite", "cipher", "one worker out, ns", "an SA each, ns", "times as fast", "one SA for all, ns", "times as fast", "one worker in, ns", "an SA each, ns", "times as fast"}}
	for _, c := range r.Cases {
		g.Rows = append(g.Rows, []string{c.Suite, string(c.Cipher), c.One[0].Text(0), c.Own[0].Path.Text(0), c.Own[0].Times.Text(2), c.Shared.Path.Text(0), c.Shared.Times.Text(2),
			c.One[1].Text(0), c.Own[1].Path.Text(0), c.Own[1].Times.Text(2)})
	}
	return g
}

func (r Scaling) notes(w io.Writer) error {
	_, err := fmt.Fprintf(w, "\n%d workers at once in memory, a flow of %d bytes each, against one: nanoseconds of the clock on the wall for each packet of all; "+
		"medians of %d interleaved rounds of %d packets a worker, in brackets the least and the greatest; %s.\n", r.Workers, r.Size, r.Rounds, r.Packets, r.Machine)
	return err
}

// Markdown writes the table that bench/README.md holds, and what is needed to judge it.
func (r Scaling) Markdown(w io.Writer) error { return errors.Join(r.grid().Markdown(w), r.notes(w)) }

// Text is Markdown for a terminal.
func (r Scaling) Text(w io.Writer) error { return errors.Join(r.grid().Text(w), r.notes(w)) }
