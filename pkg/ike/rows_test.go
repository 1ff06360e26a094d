package ike

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// Rows of the security catalogue that are about a whole engine.

// answers hands one datagram to host n, as from that address, and returns what is sent because of it.
func (w *world) answers(n int, from netip.AddrPort, data []byte) [][]byte {
	h := w.hosts[n]
	h.e.Receive(w.now, isakmp.Datagram{Local: netip.AddrPortFrom(h.addr, 500), Remote: from, Data: bytes.Clone(data)})
	var out [][]byte
	for ev, ok := h.e.Next(); ok; ev, ok = h.e.Next() {
		if tx, ok := ev.(isakmp.Transmit); ok {
			out = append(out, tx.Data)
		}
	}
	return out
}

// heap is how many bytes are in use after a collection.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestP1P3P10HostileRowsThatAreToBeDropped: what the rows say to drop or ignore draws no answer at all, and keeps nothing for any time.
func TestP1P3P10HostileRowsThatAreToBeDropped(t *testing.T) {
	dropped := 0
	for _, r := range hostileRows(t) {
		data, err := hex.DecodeString(r.UDPPayload)
		if err != nil {
			t.Fatal(err)
		}
		expect := strings.ToLower(r.Expect)
		if r.Dport != 500 || !strings.HasPrefix(expect, "drop") && !strings.HasPrefix(expect, "ignore") || len(data) > 17 && data[17]>>4 == 2 {
			continue
		}
		w := newWorld(t, permissive(), permissive())
		out := w.answers(1, netip.AddrPortFrom(addrA, 500), data)
		if st := w.hosts[1].e.Stats(); len(out) != 0 || st.HalfOpen != 0 || st.Peers != 0 || st.Panics != 0 {
			t.Errorf("%s: %d answers, %+v; expect: %s", r.ID, len(out), st, r.Expect)
		}
		dropped++
	}
	if dropped < 40 {
		t.Errorf("only %d rows", dropped)
	}
}

// TestP9PayloadFloods: a message of many payloads is refused before any is looked at.
func TestP9PayloadFloods(t *testing.T) {
	first := mm1(t, 3)
	h, _ := isakmp.ParseHeader(first)
	ps, err := isakmp.ParsePayloads(h.NextPayload, first[isakmp.HeaderLen:], false)
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]int{10: 1, 65: 0, 1000: 0, 9000: 0} {
		list := ps[:1:1]
		for range n {
			list = append(list, isakmp.Payload{Type: isakmp.PayloadVendor, Body: []byte("x")})
		}
		body, _ := isakmp.AppendPayloads(nil, list)
		data := append(bytes.Clone(first[:isakmp.HeaderLen]), body...)
		length := len(data)
		data[24], data[25], data[26], data[27] = byte(length>>24), byte(length>>16), byte(length>>8), byte(length)
		w := newWorld(t, defaults(), defaults())
		if out := w.answers(1, netip.AddrPortFrom(addrA, 500), data); len(out) != want {
			t.Errorf("%d vendor IDs: %d answers, %+v", n, len(out), w.hosts[1].e.Stats())
		}
	}
}

// TestP10FragmentsOfStrangersAreNotKept: fragments for which there is no exchange going cost a counter, however many they are.
func TestP10FragmentsOfStrangersAreNotKept(t *testing.T) {
	w := newWorld(t, defaults(), defaults())
	data := bytes.Clone(mm1(t, 4)[:isakmp.HeaderLen])
	data = append(data, 0, 0, 1, 244, 0, 1, 1, 0) // fragment ID 1, number 1
	data = append(data, make([]byte, 492)...)
	data[16], data[26], data[27] = 132, byte(len(data)>>8), byte(len(data))
	before := heap()
	for i := range 20000 {
		data[0], data[1], data[33], data[34] = byte(i), byte(i>>8), byte(i>>4), byte(i)
		for _, cookie := range []byte{0, 7} { // as a first message, and as one of an SA
			data[8] = cookie
			if out := w.answers(1, netip.AddrPortFrom(addrA, 500), data); len(out) != 0 {
				t.Fatalf("a fragment was answered: %x", out[0])
			}
		}
	}
	if after := heap(); after > before+1<<20 {
		t.Errorf("%d bytes are kept", after-before)
	}
	if st := w.hosts[1].e.Stats(); st.HalfOpen != 0 || st.Peers != 0 || st.Malformed+st.Unknown+st.Refused != 40000 {
		t.Errorf("%+v", st)
	}
}

// TestP16Sizes: whatever the first and third message, the answer is one datagram of at most 128 bytes more; a refusal has at most 64.
func TestP16Sizes(t *testing.T) {
	// The hash with the longest NAT-D payloads makes the longest answer.
	s := defaults()
	s.main[0].Hash = suite.SHA512
	build := func(first []byte, ps []isakmp.Payload) []byte {
		h, _ := isakmp.ParseHeader(first)
		body, err := isakmp.AppendPayloads(nil, ps)
		if err != nil {
			t.Fatal(err)
		}
		h.NextPayload, h.Length = isakmp.FirstType(ps), isakmp.HeaderLen+len(body)
		return append(h.Append(nil), body...)
	}
	w := newWorld(t, s, s)
	w.want(0)
	first := w.wire[0].data.Data
	h, _ := isakmp.ParseHeader(first)
	ps, err := isakmp.ParsePayloads(h.NextPayload, first[isakmp.HeaderLen:], false)
	if err != nil {
		t.Fatal(err)
	}
	from := netip.AddrPortFrom(addrA, 500)
	for vendors := range len(ps) {
		data := build(first, ps[:1+vendors])
		data[0] = byte(vendors)
		out := w.answers(1, from, data)
		if len(out) != 1 || len(out[0]) > len(data)+128 {
			t.Errorf("message 1 of %d bytes: %d answers, %d bytes", len(data), len(out), len(out[0]))
		}
		first = data
	}
	// The smallest message 3 that is well-formed, without NAT-D; and the one of a real peer, with it.
	ke, nonce := isakmp.Payload{Type: isakmp.PayloadKE, Body: bytes.Repeat([]byte{9}, 32)}, isakmp.Payload{Type: isakmp.PayloadNonce, Body: []byte("8 bytes.")}
	natd := isakmp.Payload{Type: isakmp.PayloadNATD, Body: make([]byte, 64)}
	for _, extra := range [][]isakmp.Payload{nil, {natd}, {natd, natd}} {
		v := newWorld(t, s, s)
		out := v.answers(1, from, first)
		if len(out) != 1 {
			t.Fatalf("%d answers", len(out))
		}
		data := build(out[0], append([]isakmp.Payload{ke, nonce}, extra...))
		if out = v.answers(1, from, data); len(out) != 1 || len(out[0]) > len(data)+128 {
			t.Errorf("message 3 of %d bytes with %d NAT-D: %d answers, of %d bytes", len(data), len(extra), len(out), len(out[0]))
		}
	}
	// Refusals.
	weak := newWorld(t, defaults(), permissive())
	weak.want(0)
	data := weak.wire[0].data.Data
	other := defaults()
	other.main[0].Group = suite.MODP2048
	x := newWorld(t, other, other)
	if out := x.answers(1, from, data); len(out) != 1 || len(out[0]) > 64 || len(out[0]) > len(data) {
		t.Errorf("a refusal: %x", out)
	}
}

// TestP19NobodyElseIsAnswered: no hostile row from an address that no filter covers draws an answer, in either version of IKE.
func TestP19NobodyElseIsAnswered(t *testing.T) {
	w := newWorld(t, permissive(), permissive())
	n := 0
	for _, r := range hostileRows(t) {
		data, _ := hex.DecodeString(r.UDPPayload)
		for _, from := range []string{"203.0.113.7:500", "[2001:db8::7]:500", "192.0.2.3:4500"} {
			if out := w.answers(1, netip.MustParseAddrPort(from), data); len(out) != 0 {
				t.Errorf("%s from %s is answered", r.ID, from)
			}
			n++
		}
	}
	w.hosts[1].e.Advance(w.now.Add(time.Minute))
	if st := w.hosts[1].e.Stats(); n < 1500 || st.HalfOpen != 0 || st.Peers != 0 || st.Uncovered == 0 {
		t.Errorf("%d datagrams: %+v", n, st)
	}
}

// anybody is a policy that covers every address, as that of a gateway for road warriors does.
func anybody(tb testing.TB, s settings, local netip.Addr) *policy.Compiled {
	tb.Helper()
	r := &policy.Rule{Name: "r", Action: policy.FilterAction{Kind: policy.Negotiate, Methods: s.methods},
		Auth:    []policy.AuthMethod{{Kind: policy.PSK, PSK: policy.NewSecret([]byte(s.psk))}},
		Filters: []policy.GenericFilter{{Src: policy.AddrSpec{Kind: policy.Me}, Dst: policy.AddrSpec{Kind: policy.Subnet, Range: classifier.RangeOf(netip.MustParsePrefix("0.0.0.0/0"))}, Mirrored: true}}}
	c, err := policy.Compile(&policy.Policy{Rules: []*policy.Rule{r}, KeyExchange: policy.KeyExchange{Methods: s.main}}, []netip.Addr{local})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// TestP34Flood: 30,000 first messages from as many addresses. Memory stays bounded, established SAs keep renewing, a new peer gets through,
// and after half a minute nothing is left.
func TestP34Flood(t *testing.T) {
	w := newWorld(t, defaults(), defaults())
	h := w.hosts[1]
	h.compiled = anybody(t, defaults(), addrB)
	h.boot(7)
	w.want(0)
	w.run(5 * time.Second)
	w.agree(1)
	child := w.only(0).ID
	data := mm1(t, 8)
	before, most := heap(), 0
	for i := range 30_000 {
		data[0], data[1], data[2] = byte(i), byte(i>>8), byte(i>>16)
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{byte(11 + i%97), byte(i >> 3), byte(i >> 7), byte(i)}), 500)
		if out := w.answers(1, from, data); len(out) > 1 {
			t.Fatalf("%d answers", len(out))
		}
		most = max(most, h.e.Stats().HalfOpen)
		if i == 15_000 { // in the middle of it a child is renewed
			if err := w.hosts[0].e.Rekey(w.now, child); err != nil {
				t.Fatal(err)
			}
			w.busy(time.Second)
			if w.only(0).ID == child {
				t.Error("no rekey under the flood")
			}
		}
	}
	if most > 1024 {
		t.Errorf("%d half-open entries", most)
	}
	if after := heap(); after > before+16<<20 {
		t.Errorf("%d bytes more in use", after-before)
	}
	// A peer that is honest begins while the table is full.
	w.hosts[0].boot(8)
	w.hosts[0].peersUp = map[uint64]isakmp.PeerInfo{}
	w.want(0)
	w.run(3 * time.Second)
	if len(w.hosts[0].inUse) != 1 {
		t.Errorf("an honest peer does not get through: %+v", w.hosts[0].failed)
	}
	w.busy(40 * time.Second)
	w.agree(1)
}
