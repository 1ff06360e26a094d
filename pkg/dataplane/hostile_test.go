package dataplane

import (
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/esp"
	"github.com/goipsec/goipsec/pkg/sa"
	"github.com/goipsec/goipsec/pkg/suite"
)

type malformed struct {
	SA struct {
		SPI, Key, Salt string
	}
	Packets []struct {
		ID     string
		Packet string `json:"esp_packet"`
		Expect string
	}
}

// D2, D9: packets with a valid ICV whose inside is wrong. Everything but the listed ones must be dropped, each in one counter.
func TestD2D9AuthenticatedButMalformed(t *testing.T) {
	// What may be delivered: well-formed data for the selectors, however odd.
	deliver := map[string]bool{"control-v4": true, "pad-255": true, "seq-jump-2^31": true, "inner-totlen-too-short": true, "inner-frag-nonfirst": true,
		"inner-frag-overlap-offset1": true, "inner-frag-tiny": true, "inner-is-esp-same-spi": true, "inner-nested-ipip": true, "inner-bad-checksum": true, "tos-ce-on-not-ect": true}
	for _, ports := range []bool{false, true} {
		w := newWorld(t)
		data := readMalformed(t)
		filter := classifier.Filter{Src: subnet("10.2.0.0/24"), Dst: subnet("10.1.0.0/24")}
		if ports {
			filter.Proto, filter.DstPorts = 17, classifier.Port(0x0457) // as a port-selecting SA would; nothing the file sends
		}
		key, _ := hex.DecodeString(data.SA.Key + data.SA.Salt)
		open, err := esp.NewOpener(suite.AESGCM16, key, 0, nil, 0xc0000001, false)
		check(t, err)
		in := sa.NewInbound(sa.InboundConfig{SPI: 0xc0000001, Protocol: suite.ESP, Mode: suite.Tunnel, Opener: open, Window: 64,
			Local: netip.AddrPortFrom(w.b.addr[0], 4500), Remote: netip.AddrPortFrom(w.a.addr[0], 4500), Selector: filter, ID: 1}, w.now)
		check(t, w.b.db.InstallManual(in))
		for _, p := range data.Packets {
			raw, err := hex.DecodeString(p.Packet)
			check(t, err)
			got := feed(w, raw)
			c := &w.b.plane.count
			if len(got) == 1 && (ports || !deliver[p.ID]) {
				t.Errorf("%s was delivered (ports %v); expect: %s", p.ID, ports, p.Expect)
			}
			if len(got) == 0 && !ports && (p.ID == "control-v4" || p.ID == "pad-255") {
				t.Errorf("%s was dropped: %v", p.ID, c.Drops())
			}
			if p.ID == "inner-totlen-too-short" && len(got) == 1 && len(got[0]) != int(got[0][2])<<8|int(got[0][3]) {
				t.Errorf("%s: bytes behind the datagram were forwarded", p.ID)
			}
			var drops uint64
			for _, n := range c.Drops() {
				drops += n
			}
			if in := c.FromWire.Load(); in != drops+c.Delivered.Load() {
				t.Fatalf("%s: %d datagrams in, %d dropped, %d delivered: %v", p.ID, in, drops, c.Delivered.Load(), c.Drops())
			}
		}
	}
}

// D14, RFC 6040 §4.2: congestion experienced outside and not ECN-capable inside is dropped.
func TestD14CongestionOnNotECT(t *testing.T) {
	w := newWorld(t)
	s := setup{mode: suite.Tunnel, esp: true, udp: true}
	w.protect(s)
	w.a.send(s.inner(w, 40))
	in := w.b.ins[0]
	d := w.wire.Captured()[0]
	m := in.msgs[0]
	copy(m.Buf[m.Off:], d.Data)
	m.N, m.Segment, m.TOS, m.Remote = len(d.Data), 0, 3, d.From
	in.now = w.now
	in.batch(append(in.msgs[:0:0], m))
	if w.b.plane.count.Count(ECNViolation) != 1 || len(w.b.delivered()) != 0 {
		t.Fatalf("%v", w.b.plane.count.Drops())
	}
}

func feed(w *world, payload []byte) [][]byte {
	in := w.b.ins[0]
	m := in.msgs[0]
	copy(m.Buf[m.Off:], payload)
	m.N, m.Segment, m.TOS, m.Remote = len(payload), 0, 0, netip.AddrPortFrom(w.a.addr[0], 4500)
	in.now = w.now
	in.batch(append(in.msgs[:0:0], m))
	return w.b.delivered()
}

func readMalformed(t *testing.T) malformed {
	t.Helper()
	raw, err := os.ReadFile("../esp/testdata/authenticated_malformed.json")
	check(t, err)
	var m malformed
	check(t, json.NewDecoder(strings.NewReader(string(raw))).Decode(&m))
	if len(m.Packets) < 40 {
		t.Fatalf("only %d packets in the file", len(m.Packets))
	}
	return m
}
