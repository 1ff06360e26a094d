package packet

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/testdata"
)

func TestParseKeys(t *testing.T) {
	hop := ext{protoHopByHop, optionsHeader(0)}
	dest := ext{protoDestOpts, optionsHeader(1)}
	for _, c := range []struct {
		name     string
		pkt      []byte
		proto    uint8
		src, dst uint16
		flags    KeyFlags
		upper    int
	}{
		{"tcp", ip4(protoTCP, nil, tcp(2, nil, nil)), protoTCP, 40000, 443, ProtoKnown | PortsKnown, 20},
		{"udp behind options", ip4(protoUDP, []byte{148, 4, 0, 0}, udp(nil)), protoUDP, 5000, 53, ProtoKnown | PortsKnown, 24},
		{"udp-lite", ip4(protoUDPLite, nil, udp(nil)), protoUDPLite, 5000, 53, ProtoKnown | PortsKnown, 20},
		{"sctp", ip4(protoSCTP, nil, udp(nil)), protoSCTP, 5000, 53, ProtoKnown | PortsKnown, 20},
		{"dccp", ip4(protoDCCP, nil, udp(nil)), protoDCCP, 5000, 53, ProtoKnown | PortsKnown, 20},
		{"icmp echo", ip4(protoICMP, nil, []byte{8, 3, 0, 0}), protoICMP, 8, 3, ProtoKnown | PortsKnown, 20},
		{"esp has no ports", ip4(protoESP, nil, pattern(16)), protoESP, 0, 0, ProtoKnown, 20},
		{"ah is upper layer", ip6(protoAH, []ext{hop}, pattern(24)), protoAH, 0, 0, ProtoKnown, 48},
		{"no room for ports", ip4(protoTCP, nil, []byte{1, 2, 3}), protoTCP, 0, 0, ProtoKnown, 20},
		{"no room for a type", ip4(protoICMP, nil, []byte{8}), protoICMP, 0, 0, ProtoKnown, 20},
		{"no payload", ip4(protoMobility, nil, []byte{8}), protoMobility, 0, 0, ProtoKnown, 20},
		{"icmpv6", ip6(protoICMPv6, nil, []byte{128, 0, 0, 0}), protoICMPv6, 128, 0, ProtoKnown | PortsKnown, 40},
		{"chain", ip6(protoTCP, []ext{hop, dest, {protoRouting, routingHeader(0)}, dest}, tcp(2, nil, nil)), protoTCP, 40000, 443, ProtoKnown | PortsKnown, 104},
		{"mobility header", ip6(protoMobility, nil, []byte{59, 0, 5, 0, 0, 0, 0, 0}), protoMobility, 5, 0, ProtoKnown | PortsKnown, 40},
		{"no next header", ip6(protoNoNext, []ext{hop}, nil), protoNoNext, 0, 0, ProtoKnown, 48},
		{"atomic fragment is whole", ip6(protoUDP, []ext{{protoFragment, fragmentHeader(0, false, 1)}}, udp(nil)), protoUDP, 5000, 53, ProtoKnown | PortsKnown, 48},
		{"first fragment", ip6(protoUDP, []ext{{protoFragment, fragmentHeader(0, true, 1)}}, udp(nil)), protoUDP, 5000, 53, ProtoKnown | PortsKnown | Fragment, 48},
		{"later fragment", ip6(protoUDP, []ext{{protoFragment, fragmentHeader(8, true, 1)}}, udp(nil)), protoUDP, 0, 0, ProtoKnown | Fragment | NonFirst, 48},
		{"later fragment of a chain", ip6(protoUDP, []ext{{protoFragment, fragmentHeader(8, false, 1)}, dest}, udp(nil)), 0, 0, 0, Fragment | NonFirst, 48},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := parsed(t, append(c.pkt, 0xee, 0xee)) // link-layer padding
			if h.Key.Proto != c.proto || h.Key.SrcPort != c.src || h.Key.DstPort != c.dst || h.Key.Flags != c.flags || h.UpperOffset != c.upper || h.TotalLen != len(c.pkt) {
				t.Errorf("got %+v", h)
			}
			if h.Key.Flags&NonFirst == 0 && c.pkt[h.NextHeaderOffset] != c.proto {
				t.Errorf("NextHeaderOffset %d names protocol %d", h.NextHeaderOffset, c.pkt[h.NextHeaderOffset])
			}
		})
	}
}

func TestParseFields(t *testing.T) {
	b := ip4(protoUDP, nil, udp(nil))
	b[1], b[6], b[7] = 0xb9, 0x60, 0x03
	h := parsed(t, b)
	if h.TOS != 0xb9 || !h.DF || !h.MF || h.FragOffset != 24 || h.ID != 0x1234 || h.TTL != 64 || h.Version != 4 || h.Key.Src != src4 || h.Key.Dst != dst4 {
		t.Errorf("IPv4: %+v", h)
	}
	o := Outer{Src: src6, Dst: dst6, Proto: protoNoNext, TOS: 0xb9, TTL: 3, FlowLabel: 0xabcde}
	b = make([]byte, o.Len())
	o.Put(b, 40)
	h = parsed(t, b)
	if h.TOS != 0xb9 || !h.DF || h.FlowLabel != 0xabcde || h.TTL != 3 || h.Version != 6 || h.Key.Src != src6 || h.Key.Dst != dst6 || h.SourceRouted {
		t.Errorf("IPv6: %+v", h)
	}
}

func TestSourceRoutes(t *testing.T) {
	for _, c := range []struct {
		pkt  []byte
		want bool
	}{
		{ip6(protoUDP, []ext{{protoRouting, routingHeader(1)}}, udp(nil)), true},
		{ip6(protoUDP, []ext{{protoRouting, routingHeader(0)}}, udp(nil)), false},
		{ip4(protoUDP, []byte{131, 7, 4, 1, 2, 3, 4, 0}, udp(nil)), true},
		{ip4(protoUDP, []byte{137, 7, 8, 1, 2, 3, 4, 0}, udp(nil)), false},
	} {
		if h := parsed(t, c.pkt); h.SourceRouted != c.want {
			t.Errorf("%x: source routed %v", c.pkt, h.SourceRouted)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	edit := func(b []byte, at int, v ...byte) []byte { copy(b[at:], v); return b }
	mapped := ip6(protoUDP, nil, udp(nil))
	copy(mapped[8:], []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1})
	long := make([]ext, maxExtensions+1)
	for i := range long {
		long[i] = ext{protoDestOpts, optionsHeader(0)}
	}
	hop := ext{protoHopByHop, optionsHeader(0)}
	frag := ext{protoFragment, fragmentHeader(0, true, 1)}
	for _, c := range []struct {
		name string
		pkt  []byte
		want error
	}{
		{"empty", nil, ErrTruncated},
		{"version 5", []byte{0x50}, ErrVersion},
		{"short v4", ip4(protoUDP, nil, nil)[:19], ErrTruncated},
		{"IHL 4", edit(ip4(protoUDP, nil, nil), 0, 0x44), ErrHeaderLen},
		{"IHL past total", edit(ip4(protoUDP, nil, nil), 0, 0x46), ErrHeaderLen},
		{"total past end", edit(ip4(protoUDP, nil, nil), 2, 0, 21), ErrTruncated},
		{"total zero", edit(ip4(protoUDP, nil, nil), 2, 0, 0), ErrHeaderLen},
		{"option length 0", ip4(protoUDP, []byte{7, 0, 0, 0}, nil), ErrOptions},
		{"option past end", ip4(protoUDP, []byte{7, 5, 0, 0}, nil), ErrOptions},
		{"option without length", ip4(protoUDP, []byte{1, 1, 1, 7}, nil), ErrOptions},
		{"source route without pointer", ip4(protoUDP, []byte{131, 2, 0, 0}, nil), ErrOptions},
		{"ping of death", edit(ip4(protoICMP, nil, pattern(64)), 6, 0x1f, 0xff), ErrOversize},
		{"ping of death v6", ip6(protoUDP, []ext{{protoFragment, fragmentHeader(65528, false, 1)}}, pattern(16)), ErrOversize},
		{"short v6", ip6(protoUDP, nil, nil)[:39], ErrTruncated},
		{"v6 payload past end", edit(ip6(protoUDP, nil, nil), 4, 0, 1), ErrTruncated},
		{"jumbogram", edit(ip6(protoUDP, []ext{hop}, nil), 4, 0, 0), ErrJumbo},
		{"jumbo option", ip6(protoUDP, []ext{{protoHopByHop, []byte{0, 0, 0xc2, 4, 0, 1, 0}}}, nil), ErrJumbo},
		{"mapped source", mapped, ErrMapped},
		{"extension past end", ip6(protoUDP, []ext{{protoDestOpts, optionsHeader(1)[:7]}}, nil), ErrTruncated},
		{"extension cut", ip6(protoDestOpts, nil, []byte{59, 0, 0}), ErrTruncated},
		{"late hop-by-hop", ip6(protoUDP, []ext{{protoDestOpts, optionsHeader(0)}, hop}, nil), ErrExtension},
		{"two fragment headers", ip6(protoUDP, []ext{frag, frag}, nil), ErrExtension},
		{"endless chain", ip6(protoUDP, long, nil), ErrExtension},
	} {
		var h Header
		if err := h.Parse(c.pkt); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestJumboOptionNeedsItsOwnPlace(t *testing.T) {
	// 0xc2 inside another option's data, and a cut-off option list, are no jumbo options.
	for _, opts := range [][]byte{{0, 0, 1, 2, 0xc2, 4, 0}, {0, 0, 5, 9, 0xc2, 4, 0}} {
		parsed(t, ip6(protoUDP, []ext{{protoHopByHop, opts}}, udp(nil)))
	}
}

func TestParseDoesNotAllocate(t *testing.T) {
	four, six := ip4(protoTCP, nil, tcp(2, nil, nil)), ip6(protoUDP, []ext{{protoHopByHop, optionsHeader(0)}}, udp(nil))
	var h Header
	if n := testing.AllocsPerRun(100, func() {
		if h.Parse(four) != nil || h.Parse(six) != nil || h.Parse(four[:10]) == nil {
			t.Fatal("parse")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkParse(b *testing.B) {
	for name, pkt := range map[string][]byte{
		"tcp4":   ip4(protoTCP, nil, tcp(0x10, nil, pattern(1400))),
		"udp6":   ip6(protoUDP, nil, udp(pattern(1400))),
		"chain6": ip6(protoUDP, []ext{{protoHopByHop, optionsHeader(0)}, {protoDestOpts, optionsHeader(0)}}, udp(pattern(1400))),
	} {
		b.Run(name, func(b *testing.B) {
			var h Header
			for b.Loop() {
				if h.Parse(pkt) != nil {
					b.Fatal("parse")
				}
			}
		})
	}
}

// checkParsed holds a header against the bytes that it was read from.
func checkParsed(t *testing.T, b []byte, h *Header) {
	t.Helper()
	if h.TotalLen > len(b) || h.UpperOffset > h.TotalLen || h.NextHeaderOffset >= h.UpperOffset || h.FragHeader+fragHeaderLen > h.UpperOffset && h.FragHeader > 0 {
		t.Fatalf("offsets out of place: %+v", h)
	}
	if h.Key.Flags&PortsKnown != 0 && h.Key.Flags&(ProtoKnown|NonFirst) != ProtoKnown {
		t.Fatalf("ports without a protocol or of a later fragment: %+v", h)
	}
	if (h.Key.Flags&Fragment != 0) != (h.MF || h.FragOffset > 0) || h.Key.Src.Is4() != (h.Version == 4) || h.Key.Dst.Is4() != (h.Version == 4) {
		t.Fatalf("flags: %+v", h)
	}
	again := new(Header)
	if err := again.Parse(b[:h.TotalLen:h.TotalLen]); err != nil || *again != *h {
		t.Fatalf("bytes behind the datagram change its reading: %v", err)
	}
}

// exercise runs every function that takes a parsed datagram.
func exercise(t *testing.T, b []byte) {
	t.Helper()
	ParseQuote(b)
	ParseTooBig(b)
	h := new(Header)
	if h.Parse(b) != nil {
		return
	}
	checkParsed(t, b, h)
	b = bytes.Clone(b)
	ClampMSS(b, h, 536)
	FixTransportChecksum(b, h)
	AdjustTransportChecksum(b, h, h.Key.Dst, h.Key.Src)
	SetTOS(b, 3)
	SetNextHeader(b, h, h.Key.Proto)
	if out := TooBig(nil, b, h, 1280); out != nil {
		if _, quoted, ok := ParseTooBig(out); !ok || !bytes.HasPrefix(b, quoted) {
			t.Fatalf("our own answer does not read: %x", out)
		}
	}
	for _, mtu := range []int{68, 1280} {
		out, err := Fragments(nil, b, h, mtu, 7)
		for _, f := range out {
			if err == nil && len(f) > mtu {
				t.Fatalf("fragment of %d bytes for MTU %d", len(f), mtu)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(ip4(protoTCP, []byte{148, 4, 0, 0}, tcp(2, []byte{2, 4, 5, 180}, nil)))
	f.Add(ip6(protoUDP, []ext{{protoHopByHop, optionsHeader(0)}, {protoRouting, routingHeader(1)}, {protoFragment, fragmentHeader(0, true, 1)}}, udp(nil)))
	big := ip4(protoUDP, nil, udp(pattern(700)))
	f.Add(TooBig(nil, big, parsed(f, big), 576))
	f.Fuzz(exercise)
}

// TestHostileCaptures feeds every frame of the captures, at every offset at which a datagram may begin, and cut short.
func TestHostileCaptures(t *testing.T) {
	file, err := os.Open(testdata.Dir(t, "hostile", "tcpdump-ip.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	zipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	frames := 0
	for archive := tar.NewReader(zipped); ; {
		entry, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(entry.Name, "cap") && !strings.HasSuffix(entry.Name, "pcapng") {
			continue
		}
		b, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		for _, frame := range pcapFrames(b) {
			frames++
			for at := 0; at <= min(len(frame), 64); at++ {
				exercise(t, frame[at:])
			}
			if len(frame) > 14 {
				for n := range min(len(frame)-14, 200) {
					exercise(t, frame[14:14+n])
				}
			}
		}
	}
	if frames < 62 {
		t.Errorf("only %d frames", frames)
	}
	t.Logf("%d frames", frames)
}

// pcapFrames reads a capture file as leniently as hostile captures need: lengths past the end are cut.
func pcapFrames(b []byte) (frames [][]byte) {
	if len(b) < 24 {
		return [][]byte{b}
	}
	var order binary.ByteOrder = binary.LittleEndian
	if b[0] == 0xa1 {
		order = binary.BigEndian
	}
	for b = b[24:]; len(b) > 16; {
		n := min(int(order.Uint32(b[8:])), len(b)-16)
		frames = append(frames, b[16:16+n])
		b = b[16+n:]
	}
	return frames
}
