package dataplane

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/netio"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/sa"
	"github.com/goipsec/goipsec/pkg/suite"
	"github.com/goipsec/goipsec/pkg/tun"
)

// scriptedTUN is a device whose reads are told beforehand; when they are used up it waits to be closed.
type scriptedTUN struct {
	reads  []scripted
	events chan tun.Event
	mtu    atomic.Int32
	done   chan struct{}
	once   sync.Once
	used   chan struct{} // closed when all reads are used up
	shared sync.Once
	wrote  atomic.Int32
	errOut error // of Write
}

type scripted struct {
	data []byte
	err  error
}

func newScripted(reads ...scripted) *scriptedTUN {
	d := &scriptedTUN{reads: reads, events: make(chan tun.Event, 8), done: make(chan struct{}), used: make(chan struct{})}
	d.mtu.Store(1400)
	return d
}

func (d *scriptedTUN) Read(bufs [][]byte, sizes []int, offset int) (int, error) {
	if len(d.reads) == 0 {
		d.shared.Do(func() { close(d.used) })
		<-d.done
		return 0, os.ErrClosed
	}
	r := d.reads[0]
	d.reads = d.reads[1:]
	if r.err != nil {
		return 0, r.err
	}
	if len(r.data) > len(bufs[0])-offset {
		return 0, errors.New("too long for the buffer")
	}
	sizes[0] = copy(bufs[0][offset:], r.data)
	return 1, nil
}

func (d *scriptedTUN) Write(bufs [][]byte, _ int) (int, error) {
	d.wrote.Add(int32(len(bufs)))
	return len(bufs), d.errOut
}
func (d *scriptedTUN) Close() error {
	d.once.Do(func() { close(d.done); close(d.events) })
	return nil
}
func (d *scriptedTUN) File() *os.File           { return nil }
func (d *scriptedTUN) MTU() (int, error)        { return int(d.mtu.Load()), nil }
func (d *scriptedTUN) Name() (string, error)    { return "scripted", nil }
func (d *scriptedTUN) Events() <-chan tun.Event { return d.events }
func (d *scriptedTUN) BatchSize() int           { return 1 }

// run starts a plane around a device and sockets; end stops it and gives what Run returned.
func run(t *testing.T, dev tun.Device, udp []Socket, events chan Event, control chan Datagram) (p *Plane, end func() error) {
	t.Helper()
	p, err := New(Config{TUN: dev, UDP: udp, DB: sa.NewDB(rand.Reader, 64), Clock: func() time.Time { return time.Unix(1_700_000_000, 0) }, Events: events,
		Control: control, Rand: rand.Reader, MTU: 1400})
	check(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	return p, func() error { cancel(); return <-ended }
}

// TestF9TheReaderGoesOn: errors, empty reads and garbage from the device are counted and read over, a new MTU is followed, and what comes after them is
// handled.
func TestF9TheReaderGoesOn(t *testing.T) {
	good := udp("10.1.0.5", "10.2.0.5", 10)
	var reads []scripted
	for range 200 {
		reads = append(reads, scripted{err: syscall.EIO}, scripted{}, scripted{data: []byte{0x45}}, scripted{err: errors.New("a superpacket that makes no sense")},
			scripted{data: bytes.Repeat([]byte{0xff}, 1500)}, scripted{data: good})
	}
	dev := newScripted(reads...)
	events := make(chan Event, 16)
	p, end := run(t, dev, nil, events, make(chan Datagram, 4))
	dev.mtu.Store(9000)
	dev.events <- tun.EventMTUUpdate
	<-dev.used
	if ev := <-events; ev.Kind != DeviceChanged || p.mtu.Load() != 9000 {
		t.Errorf("event %v, MTU %d", ev.Kind, p.mtu.Load())
	}
	c := p.Counters()
	if c.Count(ReadError) != 400 || c.Count(Malformed) != 600 || c.Count(Blocked) != 200 {
		t.Errorf("%v", c.Drops())
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}

// TestF9TheReaderNeverExitsSilently: a device that is deleted stops the plane with an error at once, one that fails for most of a minute then.
func TestF9TheReaderNeverExitsSilently(t *testing.T) {
	for broken, reads := range map[error]int{tun.ErrGone: 1, syscall.EBADF: MostFailures + 1} {
		script := make([]scripted, 5000)
		for i := range script {
			script[i].err = broken
		}
		dev := newScripted(script...)
		var waited, longest time.Duration
		pause := func(d time.Duration) { waited, longest = waited+d, max(longest, d) }
		p, err := New(Config{TUN: dev, DB: sa.NewDB(rand.Reader, 64), Clock: time.Now, Pause: pause, Events: make(chan Event, 4), Control: make(chan Datagram, 4), Rand: rand.Reader, MTU: 1400})
		check(t, err)
		if err := p.Run(t.Context()); !errors.Is(err, broken) {
			t.Errorf("%v: Run returned %v", broken, err)
		}
		if n := 5000 - len(dev.reads); n != reads {
			t.Errorf("%v: %d reads before it gave up", broken, n)
		}
		if reads > 1 && (waited < 30*time.Second || waited > time.Minute) || longest > 50*time.Millisecond {
			t.Errorf("%v: it waited %v, %v at once", broken, waited, longest)
		}
	}
}

// flakySocket fails reads now and then.
type flakySocket struct {
	netio.Conn
	fails atomic.Int32
}

func (f *flakySocket) ReadBatch(msgs []netio.Message) (int, error) {
	if f.fails.Add(-1) >= 0 {
		return 0, &net.OpError{Op: "read", Net: "udp", Err: syscall.ENOMEM}
	}
	return f.Conn.ReadBatch(msgs)
}

// TestF8ReadErrorsOfASocketAreReadOver: a socket that fails five hundred times in a row is read on.
func TestF8ReadErrorsOfASocketAreReadOver(t *testing.T) {
	at := netip.MustParseAddrPort("192.0.2.1:4500")
	wire := netio.NewWire(netio.WireConfig{}, time.Time{})
	socket := &flakySocket{Conn: wire.Attach(at)}
	socket.fails.Store(500)
	peer := wire.Attach(netip.MustParseAddrPort("192.0.2.2:4500"))
	dev, _ := tun.Pipe(1400)
	control := make(chan Datagram, 4)
	p, end := run(t, dev, []Socket{{Conn: socket, Marker: true}}, make(chan Event, 4), control)
	msg := append(make([]byte, 4), bytes.Repeat([]byte{1}, 40)...)
	if _, err := peer.WriteBatch([]netio.Message{{Buf: msg, N: len(msg), Remote: at}}); err != nil {
		t.Fatal(err)
	}
	if d := <-control; len(d.Data) != 40 || p.Counters().Count(ReadError) != 500 {
		t.Errorf("%d bytes, %v", len(d.Data), p.Counters().Drops())
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}

// TestF18CloseDuringEverything runs traffic, installs and removes SAs, applies policies, expires what is held and sends IKE, all at once, and closes in
// the middle of it, with one, two and eight processors. The race detector looks on where it is switched on.
func TestF18CloseDuringEverything(t *testing.T) {
	for _, procs := range []int{1, 2, 8} {
		for round := range 5 {
			func() {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
				closeDuringEverything(t, round)
			}()
		}
	}
}

func closeDuringEverything(t *testing.T, round int) {
	w := newWorld(t)
	dev, host := tun.Pipe(1400)
	events := make(chan Event, 16)
	at := netip.AddrPortFrom(w.a.addr[0], 4500)
	p, end := run(t, dev, []Socket{{Conn: w.wire.Attach(at), Marker: true}}, events, make(chan Datagram, 4))
	s := setup{mode: suite.Tunnel, esp: true, udp: true}
	f := w.defaultFilter(s)
	compiled := &policy.Compiled{Policy: &policy.Policy{}, Outbound: []*policy.QuickModeFilter{{ID: "f", Filter: f, Action: policy.Negotiate,
		Rule: &policy.Rule{Tunnel: &policy.Tunnel{Local: w.a.addr[0], Remote: w.b.addr[0]}}}}}
	p.Apply(compiled)
	w.a.plane.cfg.TUN.Close()
	w.a.plane = p // w.pair installs there
	w.b.apply(&policy.QuickModeFilter{ID: "f", Filter: f.Mirror(), Action: policy.Negotiate, Rule: compiled.Outbound[0].Rule})
	stop := make(chan struct{})
	var all sync.WaitGroup
	again := func(f func(i int)) {
		all.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					f(i)
				}
			}
		})
	}
	turns := make(chan struct{}, 1<<16)
	again(func(int) { _ = host.Send(s.inner(w, 100)) })
	again(func(int) {
		p.Install("f", Pair{}, w.bundle(f))
		p.Uninstall("f", 1)
		select {
		case turns <- struct{}{}:
		default:
		}
	})
	again(func(int) { p.Apply(compiled) })
	again(func(int) { _ = p.Counters().Drops(); p.Expire(w.now.Add(time.Hour), time.Second) })
	again(func(int) {
		_ = p.SendIKE(Datagram{Local: at, Remote: netip.AddrPortFrom(w.b.addr[0], 4500), Data: make([]byte, 60)})
	})
	all.Go(func() {
		for {
			select {
			case <-events:
			case <-stop:
				return
			}
		}
	})
	for range 20 * (round + 1) {
		<-turns
	}
	if err := end(); err != nil {
		t.Error(err)
	}
	close(stop)
	for len(turns) > 0 {
		<-turns
	}
	all.Wait()
}

// bundle is what side a sends by.
func (w *world) bundle(f classifier.Filter) *Bundle {
	seal, _ := sealer(w.t, 0x1000)
	out := sa.NewOutbound(sa.OutboundConfig{SPI: 0x1000, Protocol: suite.ESP, Mode: suite.Tunnel, Sealer: seal, Local: netip.AddrPortFrom(w.a.addr[0], 4500),
		Remote: netip.AddrPortFrom(w.b.addr[0], 4500)}, w.now)
	return &Bundle{Mode: suite.Tunnel, MTU: 1500, Child: 1, ESP: out, Outer: out.Config()}
}
