package endpoint

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/config"
	"github.com/goipsec/goipsec/pkg/dataplane"
	"github.com/goipsec/goipsec/pkg/netio"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/tun"
)

// ends are two endpoints joined by a wire in memory.
type ends struct {
	t    *testing.T
	wire *netio.Wire
	a, b *end
}

type end struct {
	*Endpoint
	host  *tun.Host
	slept atomic.Int64 // nanoseconds for which its host was suspended
	log   *logBuffer
	text  string // the policy that Load reads
	mu    sync.Mutex
	ended chan error
}

// logBuffer collects log lines of several goroutines.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if testing.Verbose() {
		os.Stderr.Write(p)
	}
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

var outerA, outerB = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")

// join starts two endpoints with these policies.
func join(t *testing.T, policyA, policyB string) *ends {
	t.Helper()
	e := &ends{t: t, wire: netio.NewWire(netio.WireConfig{}, time.Time{})}
	e.a = e.start(outerA, "10.1.0.1", policyA)
	e.b = e.start(outerB, "10.2.0.1", policyB)
	return e
}

func (e *ends) start(outer netip.Addr, inner, text string) *end {
	e.t.Helper()
	device, host := tun.Pipe(1400)
	x := &end{host: host, log: &logBuffer{}, text: text, ended: make(chan error, 1)}
	p, err := x.load()
	if err != nil {
		e.t.Fatal(err)
	}
	awake := newClock()
	x.Endpoint, err = New(Options{clock: func() time.Time { return awake().Add(time.Duration(x.slept.Load())) }, Policy: p, Load: x.file, Instance: "test", HoldTime: time.Minute, Log: slog.New(slog.NewTextHandler(x.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Parts: &Parts{Device: device, Addresses: []netip.Addr{outer, netip.MustParseAddr(inner)}, UDP: []dataplane.Socket{
			{Conn: e.wire.Attach(netip.AddrPortFrom(outer, 500))}, {Conn: e.wire.Attach(netip.AddrPortFrom(outer, 4500)), Marker: true}}}})
	if err != nil {
		e.t.Fatal(err)
	}
	go func() { x.ended <- x.Run(context.Background()) }()
	e.t.Cleanup(func() {
		x.Stop()
		if err := <-x.ended; err != nil {
			e.t.Errorf("the endpoint ended with: %v", err)
		}
		x.ended <- nil
		if e.t.Failed() {
			e.t.Log(x.log.String())
		}
	})
	return x
}

func (x *end) load() (*policy.Policy, error) {
	f, err := x.file()
	if err != nil {
		return nil, err
	}
	return f.Assigned, nil
}

func (x *end) file() (*PolicyFile, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	f, err := config.Parse("test.yaml", []byte(x.text), config.Options{})
	if err != nil {
		return nil, err
	}
	start := &Options{Listen: f.Listen.Addrs, Port: f.Listen.Port, NATPort: f.Listen.NATPort, TUNName: f.Tun.Name, MTU: f.Tun.MTU, Queues: f.Tun.Queues, NoGuard: f.Guard == config.GuardOff}
	return &PolicyFile{Policies: f.Policies, Assigned: f.Assigned, Start: start}, nil
}

func (x *end) setText(text string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.text = text
}

// carry sends one UDP datagram from a to b through the tunnel and checks that it arrives as it was.
func carry(t *testing.T, from, to *end, src, dst string) {
	t.Helper()
	pkt := datagram(src, dst, []byte("forty octets that nobody else may read.."))
	if err := from.host.Send(pkt); err != nil {
		t.Fatal(err)
	}
	got, err := to.host.Receive()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, pkt) {
		t.Fatalf("sent %x\ngot  %x", pkt, got)
	}
}

func datagram(src, dst string, payload []byte) []byte {
	o := packet.Outer{Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr(dst), Proto: 17, TTL: 64, DF: true}
	b := make([]byte, o.Len()+8+len(payload))
	o.Put(b, len(b))
	u := b[o.Len():]
	binary.BigEndian.PutUint16(u, 4000)
	binary.BigEndian.PutUint16(u[2:], 4001)
	binary.BigEndian.PutUint16(u[4:], uint16(len(u)))
	copy(u[8:], payload)
	var h packet.Header
	if h.Parse(b) == nil {
		packet.FixTransportChecksum(b, &h)
	}
	return b
}

// ikePolicy is a tunnel between the two inner networks.
func ikePolicy(self, peer byte, extra string) string {
	return strings.TrimSpace(fmt.Sprintf(`
policy: end-%[1]d
rules:
  - name: to-%[2]d
    filters: [10.%[1]d.0.0/24 -> 10.%[2]d.0.0/24]
    tunnel: {local: 192.0.2.%[1]d, remote: 192.0.2.%[2]d}
    encapsulation: udp
%[3]s
`, self, peer, extra)) + "\n"
}

const defaultIKE = `    negotiate: {}
    auth: [{psk: "a throw-away key for tests only, 0123456789"}]`

func ikePair(t *testing.T) *ends {
	return join(t, ikePolicy(1, 2, defaultIKE), ikePolicy(2, 1, defaultIKE))
}
