package null

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/netio"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/testnet"
	"github.com/goipsec/goipsec/pkg/tun"
)

func TestMain(m *testing.M) { testnet.Main(m) }

var a, b = netip.MustParseAddrPort("192.0.2.1:4500"), netip.MustParseAddrPort("192.0.2.2:4500")

// tape is a device that gives packets, one batch a read, and keeps what is written.
type tape struct {
	give    [][]tun.Packet
	written [][]byte // whole superpackets
	segment []int
	offload tun.Offload
}

func (d *tape) ReadPackets(list []tun.Packet) (int, error) {
	if len(d.give) == 0 {
		return 0, os.ErrClosed
	}
	for i, p := range d.give[0] {
		list[i].N = copy(list[i].Buf[list[i].Off:], p.Buf)
		list[i].Segment = p.Segment
	}
	n := len(d.give[0])
	d.give = d.give[1:]
	return n, nil
}

func (d *tape) WritePackets(list []tun.Packet) error {
	for i := range list {
		whole := bytes.Clone(list[i].Bytes())
		for _, more := range list[i].More {
			whole = append(whole, more...)
		}
		d.written, d.segment = append(d.written, whole), append(d.segment, list[i].Segment)
	}
	return nil
}

func (d *tape) Offload() tun.Offload { return d.offload }

// line keeps messages that are written and gives them to a reader, all at once.
type line struct {
	netio.Conn
	msgs []netio.Message
}

func (l *line) WriteBatch(msgs []netio.Message) (int, error) {
	for _, m := range msgs {
		m.Buf, m.Off = bytes.Clone(m.Bytes()), 0
		l.msgs = append(l.msgs, m)
	}
	return len(msgs), nil
}

func (l *line) ReadBatch(msgs []netio.Message) (int, error) {
	if len(l.msgs) == 0 {
		return 0, net.ErrClosed
	}
	n := min(len(msgs), len(l.msgs))
	for i, m := range l.msgs[:n] {
		msgs[i].N, msgs[i].Segment, msgs[i].Remote = copy(msgs[i].Buf[msgs[i].Off:], m.Buf), m.Segment, a
	}
	l.msgs = l.msgs[n:]
	return n, nil
}

// stream is a TCP superpacket, or one datagram, from a port with a sequence number.
func stream(port uint16, seq uint32, payload, segment int) tun.Packet {
	p := make([]byte, 40+payload)
	p[0], p[8], p[9] = 0x45, 64, 6
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	p[6] = 0x40
	copy(p[12:], []byte{10, 100, 1, 1, 10, 100, 2, 1})
	binary.BigEndian.PutUint16(p[10:], packet.Checksum(p[:20]))
	binary.BigEndian.PutUint16(p[20:], port)
	binary.BigEndian.PutUint16(p[22:], 5201)
	binary.BigEndian.PutUint32(p[24:], seq)
	p[32], p[33] = 5<<4, 0x10
	for i := range payload {
		p[40+i] = byte(int(seq) + i*7 + int(port))
	}
	return tun.Packet{Buf: p, N: len(p), Segment: segment}
}

// cut returns the datagrams of what a device gave or was given.
func cut(t *testing.T, whole []byte, segment int) (list [][]byte) {
	t.Helper()
	whole = bytes.Clone(whole)
	var h packet.Header
	var s packet.Super
	if err := h.Parse(whole); err != nil {
		t.Fatal(err)
	}
	if segment == 0 {
		segment = len(whole)
	}
	if err := s.Init(whole, &h, segment); err != nil {
		t.Fatal(err)
	}
	for d := s.Next(); d != nil; d = s.Next() {
		list = append(list, bytes.Clone(d))
	}
	return list
}

// What goes in comes out: every datagram of every superpacket, those of a flow in order, and as few superpackets as there were, whatever else was between them.
func TestForwards(t *testing.T) {
	give := [][]tun.Packet{
		{stream(1, 0, 14000, 1395), stream(2, 0, 5000, 1395), stream(1, 14000, 1000, 1395)},
		{stream(3, 0, 60000, 1395)},
		{stream(4, 0, 10, 1395)},
	}
	want := map[uint16][][]byte{}
	for _, batch := range give {
		for _, p := range batch {
			for _, d := range cut(t, p.Buf, p.Segment) {
				port := binary.BigEndian.Uint16(d[20:])
				want[port] = append(want[port], d)
			}
		}
	}
	for _, offload := range []tun.Offload{{TCP: true, UDP: true}, {}} {
		l, into := &line{}, &tape{offload: offload}
		if err := newOut(&tape{give: give}, l, b).run(nil); !errors.Is(err, os.ErrClosed) {
			t.Fatal(err)
		}
		for _, m := range l.msgs {
			if m.Remote != b || m.N > maxRun || m.Segment > 0 && (m.N-1)/m.Segment >= maxSegments || m.Segment > 1395+40+Overhead {
				t.Errorf("a message of %d bytes with segments of %d to %v", m.N, m.Segment, m.Remote)
			}
		}
		runs := len(l.msgs)
		if err := newIn(into, l, a).run(nil); !errors.Is(err, net.ErrClosed) {
			t.Fatal(err)
		}
		got := map[uint16][][]byte{}
		for i, whole := range into.written {
			for _, d := range cut(t, whole, into.segment[i]) {
				port := binary.BigEndian.Uint16(d[20:])
				got[port] = append(got[port], d)
			}
		}
		for port, list := range want {
			if len(got[port]) != len(list) {
				t.Fatalf("port %d: %d datagrams came out and not %d", port, len(got[port]), len(list))
			}
			for i := range list {
				if !bytes.Equal(got[port][i], list[i]) {
					t.Errorf("port %d, datagram %d was changed:\n%x\n%x", port, i, got[port][i][:40], list[i][:40])
				}
			}
		}
		if offload.TCP && len(into.written) != 5 || !offload.TCP && len(into.written) < 50 {
			t.Errorf("%d packets were written to the device, in %d runs", len(into.written), runs)
		}
	}
}

// What is not ours, or no packet, goes nowhere and stops nothing.
func TestGarbage(t *testing.T) {
	l := &line{}
	good := stream(9, 0, 100, 0)
	junk := tun.Packet{Buf: []byte{0xff, 1, 2}, N: 3}
	bad := stream(9, 0, 100, 50)
	bad.Buf[9] = 1 // a superpacket of ICMP
	if err := newOut(&tape{give: [][]tun.Packet{{junk, bad, good}}}, l, b).run(nil); !errors.Is(err, os.ErrClosed) || len(l.msgs) != 1 {
		t.Errorf("%v, %d messages", err, len(l.msgs))
	}
	whole := l.msgs[0]
	l.msgs = []netio.Message{{Buf: make([]byte, Overhead), N: Overhead}, {}, {Buf: make([]byte, 100), N: 100}, whole}
	into := &tape{}
	if err := newIn(into, l, a).run(nil); !errors.Is(err, net.ErrClosed) || len(into.written) != 1 || len(into.written[0]) != 140 {
		t.Errorf("%v, %d packets", err, len(into.written))
	}
	l.msgs = []netio.Message{whole}
	if err := newIn(into, l, b).run(nil); !errors.Is(err, net.ErrClosed) || len(into.written) != 1 {
		t.Errorf("a stranger's packet was taken: %v", err)
	}
}

// A real device and a real socket are made, and are gone when the context ends.
func TestRun(t *testing.T) {
	testnet.NeedTUN(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	lo := netip.MustParseAddr("127.0.0.1")
	o := Options{Device: "null7", MTU: 1435, Local: netip.AddrPortFrom(lo, 4511), Remote: netip.AddrPortFrom(lo, 4512)}
	o.Ready = func(string) {
		if _, err := net.InterfaceByName("null7"); err != nil {
			t.Error(err)
		}
		cancel()
	}
	if err := Run(ctx, o); err != nil {
		t.Error(err)
	}
	testnet.Gone(t, "null7")
	o.Device = "name that is too long"
	if err := Run(t.Context(), o); err == nil {
		t.Error("an impossible device was made")
	}
	o.Device, o.Local = "null8", netip.MustParseAddrPort("192.0.2.9:1")
	if err := Run(t.Context(), o); err == nil || errors.Is(err, fs.ErrExist) {
		t.Errorf("a socket at a foreign address: %v", err)
	}
}
