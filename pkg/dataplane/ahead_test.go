package dataplane

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
	"github.com/goipsec/goipsec/pkg/tun"
)

// manyFilters are policies about UDP from 10.1.0.5, by destination, of every kind; and dynamic ones.
func manyFilters() (fixed, dynamic []*policy.QuickModeFilter) {
	rules := []*policy.Rule{{}, {Tunnel: &policy.Tunnel{Local: netip.MustParseAddr("192.0.2.1"), Remote: netip.MustParseAddr("192.0.2.2")}},
		{Tunnel: &policy.Tunnel{Local: netip.MustParseAddr("192.0.2.1")}}}
	kinds := []policy.ActionKind{policy.Permit, policy.Block, policy.Negotiate}
	for i := range 3 * many {
		dst := netip.AddrFrom4([4]byte{10, 2, byte(i >> 8), byte(i)})
		f := &policy.QuickModeFilter{ID: fmt.Sprint(i), Action: kinds[i%3], Rule: rules[i/3%3],
			Filter: classifier.Filter{Src: classifier.HostRange(netip.MustParseAddr("10.1.0.5")), Dst: classifier.HostRange(dst)}}
		switch i % 8 {
		case 0: // no filter is about it
		case 1:
			f.Dynamic = true
			dynamic = append(dynamic, f)
		default:
			fixed = append(fixed, f)
		}
	}
	return fixed, dynamic
}

// TestWhatIsLearntAhead holds what the look ahead puts into the flows of a batch to what each packet would look up by itself.
func TestWhatIsLearntAhead(t *testing.T) {
	w := newWorld(t)
	fixed, dynamic := manyFilters()
	w.a.plane.Apply(&policy.Compiled{Policy: &policy.Policy{Exemptions: policy.ExemptKerberos}, Outbound: fixed}, dynamic...)
	kinds := map[string]int{}
	for round := range 20 {
		var list []tun.Packet
		for i := range aheadOf {
			port := uint16(53)
			if i%7 == 0 {
				port = 88
			}
			at := (round*aheadOf + i) * 4
			p := udpPorts("10.1.0.5", fmt.Sprintf("10.2.%d.%d", at>>8, at&255), 1000, port, 8)
			list = append(list, tun.Packet{Buf: p, N: len(p)})
		}
		list[1] = list[0]                          // of one flow
		list[2].Buf[0] = 0                         // malformed
		list[3].Buf[6] |= 0x20                     // a fragment
		list[4].N = 0                              // nothing at all
		copy(list[5].Buf[16:], "\xe0\x00\x00\x01") // noise
		o := &w.a.out
		o.begin()
		o.lookAhead(list)
		for i := range list {
			h := &o.header
			if i >= 2 && i <= 5 {
				continue
			}
			check(t, h.Parse(list[i].Bytes()))
			f := o.slot(list[i].Bytes())
			if f.batch != o.batches || f.key != h.Key {
				t.Errorf("%v was not learnt", h.Key)
				continue
			}
			want := o.snap.find(&h.Key)
			if f.entry != want {
				t.Errorf("%v: another entry was learnt than is looked up", h.Key)
			}
			if want == nil {
				kinds["none"]++
			} else {
				kinds[fmt.Sprint(want.action, want.hanging, want.filter.Dynamic)]++
			}
		}
		if o.ahead.n > aheadOf-5 {
			t.Errorf("%d flows were learnt", o.ahead.n)
		}
	}
	if len(kinds) < 6 {
		t.Errorf("too few kinds of filters were met: %v", kinds)
	}
}

// TestBatchesOfManyFlowsGoTheWayOfTheirFilters sends a flow under each of many filters, all at once.
func TestBatchesOfManyFlowsGoTheWayOfTheirFilters(t *testing.T) {
	w := newWorld(t)
	fixed, dynamic := manyFilters()
	w.a.plane.Apply(&policy.Compiled{Policy: &policy.Policy{}, Outbound: fixed}, dynamic...)
	var want Counters
	var packets [][]byte
	for i := range 1000 {
		packets = append(packets, udpPorts("10.1.0.5", fmt.Sprintf("10.2.%d.%d", i>>8, i&255), 1000, 53, 8))
		switch {
		case i%8 == 0 || i%3 == 0:
			want.Permitted.Add(1)
		case i%3 == 1:
			want.add(Blocked)
		default:
			want.Held.Add(1)
		}
	}
	w.a.send(packets...)
	c := &w.a.plane.count
	if c.Permitted.Load() != want.Permitted.Load() || c.Count(Blocked) != want.Count(Blocked) || c.Held.Load() != want.Held.Load() {
		t.Errorf("%d permitted, %d blocked, %d held; want %d, %d, %d", c.Permitted.Load(), c.Count(Blocked), c.Held.Load(), want.Permitted.Load(), want.Count(Blocked), want.Held.Load())
	}
	w.a.conserve()
}

func TestLookingAheadDoesNotAllocate(t *testing.T) {
	w := newWorld(t)
	fixed, dynamic := manyFilters()
	w.a.plane.Apply(&policy.Compiled{Policy: &policy.Policy{}, Outbound: fixed}, dynamic...)
	var list []tun.Packet
	for i := range aheadOf {
		p := udpPorts("10.1.0.5", fmt.Sprintf("10.2.0.%d", i), 1000, 53, 8)
		list = append(list, tun.Packet{Buf: p, N: len(p)})
	}
	if n := testing.AllocsPerRun(20, func() {
		w.a.out.begin()
		w.a.out.lookAhead(list)
	}); n != 0 || w.a.out.ahead.n != aheadOf {
		t.Errorf("%v allocations, %d flows", n, w.a.out.ahead.n)
	}
}

func TestAlike(t *testing.T) {
	base, base6 := udpPorts("10.1.0.5", "10.2.0.5", 1000, 53, 8), udpPorts("fd00::1", "fd00::2", 1000, 53, 8)
	for _, b := range [][]byte{base, base6} {
		if !alike(b, append([]byte(nil), b...)) {
			t.Error("equal datagrams are not alike")
		}
		for n := range len(b) {
			alike(b[:n], b)
			alike(b, b[:n])
			alike(b[:n], b[:n])
		}
	}
	if alike(base, nil) || alike(nil, nil) || alike(base, base6) {
		t.Error("what is not of one flow is alike")
	}
	for _, other := range [][]byte{udpPorts("10.1.0.6", "10.2.0.5", 1000, 53, 8), udpPorts("10.1.0.5", "10.2.0.6", 1000, 53, 8), udpPorts("10.1.0.5", "10.2.0.5", 1001, 53, 8), udpPorts("10.1.0.5", "10.2.0.5", 1000, 54, 8)} {
		if alike(base, other) {
			t.Errorf("% x is alike % x", other[12:24], base[12:24])
		}
	}
	for _, other := range [][]byte{udpPorts("fd00::3", "fd00::2", 1000, 53, 8), udpPorts("fd00::1", "fd00::3", 1000, 53, 8), udpPorts("fd00::1", "fd00::2", 1000, 54, 8)} {
		if alike(base6, other) {
			t.Errorf("% x is alike % x", other[8:44], base6[8:44])
		}
	}
}

// TestBehindIP finds the SPI in raw datagrams as their parser does, and reads behind no end.
func TestBehindIP(t *testing.T) {
	const spi = 0x01020304
	for _, six := range []bool{false, true} {
		for _, proto := range []suite.Protocol{suite.ESP, suite.AH, 17} {
			o := packet.Outer{Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2"), Proto: uint8(proto), TTL: 9}
			if six {
				o.Src, o.Dst = netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
			}
			b := make([]byte, o.Len()+40)
			o.Put(b, len(b))
			at := o.Len()
			if proto == suite.AH {
				at += 4
			}
			binary.BigEndian.PutUint32(b[at:], spi)
			got := behindIP(b)
			switch {
			case proto == 17 && got != nil:
				t.Error("UDP has an SPI")
			case proto != 17 && binary.BigEndian.Uint32(got) != spi:
				t.Errorf("%v, IPv6 %v: %x", proto, six, got[:4])
			}
			for n := range len(b) {
				behindIP(b[:n])
				if b[0]>>4 == 4 {
					c := append([]byte(nil), b[:n]...)
					if n > 0 {
						c[0] |= 15 // options to behind the end
					}
					behindIP(c)
				}
			}
		}
	}
}
