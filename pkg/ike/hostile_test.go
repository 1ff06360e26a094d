package ike

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// row is one datagram that anybody may send (testdata/unauthenticated.ndjson.gz, made for this project).
type row struct {
	ID         string `json:"id"`
	Dport      int    `json:"dport"`
	UDPPayload string `json:"udp_payload"`
	Expect     string `json:"expect"`
}

func hostileRows(tb testing.TB) []row {
	tb.Helper()
	f, err := os.Open("testdata/unauthenticated.ndjson.gz")
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	var rows []row
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r row
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			tb.Fatal(err)
		}
		rows = append(rows, r)
	}
	return rows
}

// permissive allows what the rows offer, so that nothing is refused for want of a method.
func permissive() settings {
	s := defaults()
	s.main = nil
	for _, e := range []suite.Encr{suite.AESCBC, suite.TripleDES} {
		for _, h := range []suite.Hash{suite.SHA1, suite.SHA256, suite.MD5} {
			for _, g := range []suite.Group{suite.MODP1024, suite.MODP2048} {
				for _, bits := range []int{128, 256} {
					s.main = append(s.main, policy.MainModeMethod{Encr: e, KeyBits: bits, Hash: h, Group: g})
				}
			}
		}
	}
	return s
}

// TestHostileRows answers every row as its expectation says: never a panic, never an SA, never more than a small reply.
func TestHostileRows(t *testing.T) {
	counts := map[string]int{}
	for _, r := range hostileRows(t) {
		data, err := hex.DecodeString(r.UDPPayload)
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(t, permissive(), permissive())
		h := w.hosts[1]
		local, remote := netip.AddrPortFrom(addrB, uint16(r.Dport)), netip.AddrPortFrom(addrA, 500)
		if r.Dport == 4500 {
			// What the NAT-T socket does before IKE sees anything (RFC 3948 §2.2).
			if len(data) < 4 || !bytes.Equal(data[:4], make([]byte, 4)) {
				counts["not IKE"]++
				continue
			}
			data, remote = data[4:], netip.AddrPortFrom(addrA, 4500)
		}
		h.e.Receive(w.now, isakmp.Datagram{Local: local, Remote: remote, Data: data})
		var replies [][]byte
		for ev, ok := h.e.Next(); ok; ev, ok = h.e.Next() {
			switch ev := ev.(type) {
			case isakmp.Transmit:
				replies = append(replies, ev.Data)
			case isakmp.ChildUp, isakmp.InboundReady, isakmp.PeerUp, isakmp.ChildDown, isakmp.PeerDown:
				t.Errorf("%s: %T", r.ID, ev)
			}
		}
		judge(t, r, data, replies, counts, h)
		h.e.Advance(w.now.Add(time.Minute))
		if st := h.e.Stats(); st.HalfOpen != 0 || st.MainModes != 0 || st.Panics != 0 || st.Peers != 0 {
			t.Errorf("%s: left behind: %+v", r.ID, st)
		}
	}
	t.Logf("%v", counts)
	for name, least := range map[string]int{"version 2": 200, "silence": 100, "refused": 5, "answered": 1, "not IKE": 5} {
		if counts[name] < least {
			t.Errorf("%s: %d rows, want at least %d", name, counts[name], least)
		}
	}
}

func judge(t *testing.T, r row, data []byte, replies [][]byte, counts map[string]int, h *host) {
	t.Helper()
	if len(replies) > 1 {
		t.Errorf("%s: %d replies", r.ID, len(replies))
	}
	st := h.e.Stats()
	if len(data) > 17 && data[17]>>4 != 1 {
		counts["version 2"]++
		if len(replies) == 1 && (len(replies[0]) > len(data) || isakmp.NotifyType(replies[0][39]) != isakmp.InvalidMajorVersion) || st.HalfOpen != 0 {
			t.Errorf("%s: replies %x, %d half-open", r.ID, replies, st.HalfOpen)
		}
		return
	}
	if len(replies) == 0 {
		counts["silence"]++
		if strings.Contains(r.Expect, "normal response") {
			t.Errorf("%s: no answer to a good request: %+v", r.ID, st)
		}
		return
	}
	out := replies[0]
	// security.md P16: no reply exceeds the request by more than 128 bytes, an error reply has at most 64.
	if len(out) > len(data)+128 {
		t.Errorf("%s: %d bytes for %d", r.ID, len(out), len(data))
	}
	header, err := isakmp.ParseHeader(out)
	if err != nil {
		t.Fatal(err)
	}
	if header.Exchange == isakmp.Informational {
		counts["refused"]++
		if len(out) > 64 || len(out) > len(data) {
			t.Errorf("%s: a refusal of %d bytes for %d", r.ID, len(out), len(data))
		}
		return
	}
	counts["answered"]++
	expect := strings.ToLower(r.Expect)
	for _, no := range []string{"drop", "reject", "no_proposal", "no-proposal", "invalid"} {
		if strings.HasPrefix(expect, no) && !strings.Contains(expect, "or ignore") && !strings.Contains(expect, "or default") {
			t.Errorf("%s: answered with main mode, but: %s", r.ID, r.Expect)
		}
	}
	if strings.HasPrefix(r.ID, "v1/attr-3-") {
		t.Errorf("%s: an authentication method other than a pre-shared key was accepted", r.ID)
	}
}

// TestHostileRowsAgainstLiveSA sends all rows, with live cookies, at two hosts that have SAs: nothing may change.
func TestHostileRowsAgainstLiveSA(t *testing.T) {
	w := established(t, permissive())
	p := w.hosts[1].e.Peers(w.now)[0]
	before := [2]uint64{w.only(0).ID, w.only(1).ID}
	for _, r := range hostileRows(t) {
		data, _ := hex.DecodeString(r.UDPPayload)
		if len(data) < isakmp.HeaderLen {
			continue
		}
		copy(data, p.InitiatorCookie[:])
		copy(data[8:], p.ResponderCookie[:])
		data[17] = isakmp.Version1
		for flags := range uint8(2) {
			data[19] = flags
			for n, h := range w.hosts {
				h.e.Receive(w.now, isakmp.Datagram{Local: netip.AddrPortFrom(h.addr, 500), Remote: netip.AddrPortFrom(w.hosts[1-n].addr, 500), Data: data})
			}
		}
		w.drain()
	}
	if len(w.wire) != 0 {
		t.Errorf("%d replies to noise for a live SA", len(w.wire))
	}
	w.busy(30 * time.Second)
	w.agree(1)
	if w.only(0).ID != before[0] || w.only(1).ID != before[1] || len(w.hosts[0].peersUp) != 1 {
		t.Error("noise changed an SA")
	}
}

// mm1 is message 1 of main mode as the defaults offer it.
func mm1(tb testing.TB, cookie byte) []byte {
	tb.Helper()
	w := newWorldSeed(tb, defaults(), defaults(), uint64(cookie))
	w.want(0)
	return w.wire[0].data.Data
}

// TestP34HalfOpenTable floods a responder from many addresses of many prefixes: memory stays within the caps, no cookie, no
// Diffie-Hellman, and an honest initiator still gets through.
func TestP34HalfOpenTable(t *testing.T) {
	s := defaults()
	// The rule covers everybody, as that of a gateway for road warriors does.
	w := newWorld(t, s, s)
	h := w.hosts[1]
	first := mm1(t, 9)
	answered := 0
	for i := range 5000 {
		data := bytes.Clone(first)
		data[0], data[1], data[2] = byte(i), byte(i>>8), 1
		h.e.Receive(w.now, isakmp.Datagram{Local: netip.AddrPortFrom(addrB, 500), Remote: netip.AddrPortFrom(addrA, uint16(1000+i)), Data: data})
		for ev, ok := h.e.Next(); ok; ev, ok = h.e.Next() {
			if tx, ok := ev.(isakmp.Transmit); ok {
				answered++
				if len(tx.Data) > len(data)+128 {
					t.Fatal("amplification")
				}
			}
		}
	}
	if answered != 5000 {
		t.Errorf("%d of 5000 answered", answered)
	}
	if st := h.e.Stats(); st.HalfOpen > 64 || st.HalfOpenEvicted < 4000 {
		t.Errorf("one prefix holds %d half-open entries, %d evicted", st.HalfOpen, st.HalfOpenEvicted)
	}
	w.want(0)
	w.run(5 * time.Second)
	w.hosts[1].e.Advance(w.now.Add(time.Minute))
	w.agree(1)
}

func TestP31ReflectedMessages(t *testing.T) {
	w := newWorld(t, defaults(), defaults())
	w.want(0)
	own := w.wire[0].data
	w.hosts[0].e.Receive(w.now, isakmp.Datagram{Local: own.Remote, Remote: own.Local, Data: own.Data})
	if st := w.hosts[0].e.Stats(); st.HalfOpen != 1 || st.Malformed != 1 {
		t.Errorf("own message 1: %+v", st)
	}
	w.run(5 * time.Second)
	w.agree(1)
}

func TestP19OnlyCoveredAddressesAreAnswered(t *testing.T) {
	w := newWorld(t, defaults(), defaults())
	h := w.hosts[1]
	h.e.Receive(w.now, isakmp.Datagram{Local: netip.AddrPortFrom(addrB, 500), Remote: netip.MustParseAddrPort("203.0.113.7:500"), Data: mm1(t, 5)})
	if _, ok := h.e.Next(); ok || h.e.Stats().Uncovered != 1 {
		t.Errorf("a stranger was answered: %+v", h.e.Stats())
	}
}

// TestP36ReplaysHaveNoEffect sends every datagram of a busy association again, later.
func TestP36ReplaysHaveNoEffect(t *testing.T) {
	w := newWorld(t, defaults(), defaults())
	var seen []flying
	w.mangle = func(_ int, d []byte) []byte {
		seen = append(seen, flying{data: isakmp.Datagram{Data: bytes.Clone(d)}})
		return d
	}
	w.want(0)
	w.run(2 * time.Second)
	_ = w.hosts[1].e.Rekey(w.now, w.only(1).ID)
	w.busy(60 * time.Second)
	_ = w.hosts[0].e.Delete(w.now, w.only(0).ID)
	w.run(30 * time.Second)
	w.want(1)
	w.busy(100 * time.Second) // all answers to duplicates are forgotten
	w.agree(1)
	before := w.only(0).ID
	sent := w.sent
	for _, f := range seen {
		for n, h := range w.hosts {
			h.e.Receive(w.now, isakmp.Datagram{Local: netip.AddrPortFrom(h.addr, 500), Remote: netip.AddrPortFrom(w.hosts[1-n].addr, 500), Data: f.data.Data})
		}
	}
	w.drain()
	w.busy(60 * time.Second)
	w.agree(1)
	if w.only(0).ID != before || len(w.hosts[0].children) != 1 {
		t.Error("replays changed the SAs")
	}
	if n := w.sent - sent; n > 12 { // message 1 again is a new beginning, message 3 and 5 may be answered from memory
		t.Errorf("%d datagrams in answer to replays", n)
	}
}

func TestP12UnauthenticatedInformational(t *testing.T) {
	w := established(t, defaults())
	p := w.hosts[0].e.Peers(w.now)[0]
	for _, payload := range []isakmp.Payload{
		{Type: isakmp.PayloadDelete, Body: isakmp.Delete{DOI: 1, Protocol: isakmp.ProtoISAKMP, SPIs: [][]byte{isakmp.CookieSPI(p.InitiatorCookie, p.ResponderCookie)}}.Append(nil)},
		{Type: isakmp.PayloadNotify, Body: isakmp.Notify{DOI: 1, Protocol: isakmp.ProtoISAKMP, Type: isakmp.InitialContact}.Append(nil)},
		{Type: isakmp.PayloadNotify, Body: isakmp.Notify{DOI: 1, Protocol: isakmp.ProtoISAKMP, Type: isakmp.AuthenticationFailed}.Append(nil)},
	} {
		for flags := range uint8(2) {
			body, _ := isakmp.AppendPayloads(nil, []isakmp.Payload{{Type: isakmp.PayloadHash, Body: make([]byte, 20)}, payload})
			for len(body)%16 != 0 {
				body = append(body, 0)
			}
			first := isakmp.PayloadHash
			if flags == 0 {
				body, _ = isakmp.AppendPayloads(nil, []isakmp.Payload{payload})
				first = payload.Type
			}
			d := isakmp.Header{InitiatorCookie: p.InitiatorCookie, ResponderCookie: p.ResponderCookie, NextPayload: first, Version: isakmp.Version1,
				Exchange: isakmp.Informational, Flags: flags, MessageID: 77, Length: isakmp.HeaderLen + len(body)}.Append(nil)
			w.hosts[0].e.Receive(w.now, isakmp.Datagram{Local: p.Local, Remote: p.Remote, Data: append(d, body...)})
		}
	}
	w.busy(10 * time.Second)
	w.agree(1)
	if st := w.hosts[0].e.Stats(); len(w.hosts[0].peersUp) != 1 || st.Unauthenticated != 3 || st.BadProofs != 3 {
		t.Errorf("%+v", st)
	}
}

// TestP16ResponderNeverRepeats: before the initiator has returned the cookie, and until it proves itself, a responder sends one
// datagram for each that it gets and none by itself.
func TestP16ResponderNeverRepeats(t *testing.T) {
	w := newWorld(t, defaults(), defaults())
	fromB := 0
	w.fate = func(_, from int, _ isakmp.Datagram) []time.Duration {
		if from == 0 && fromB < 2 {
			return []time.Duration{time.Millisecond}
		}
		if from == 1 {
			fromB++
			if fromB < 2 {
				return []time.Duration{time.Millisecond}
			}
		}
		return nil
	}
	w.want(0)
	w.run(100 * time.Millisecond) // messages 1 to 4; the last one is lost, and the initiator falls silent
	w.hosts[0].e.Close(w.now)
	w.run(5 * time.Minute)
	if fromB != 2 {
		t.Errorf("the responder sent %d datagrams for 2", fromB)
	}
	if st := w.hosts[1].e.Stats(); st.HalfOpen != 0 || st.Peers != 0 {
		t.Errorf("left: %+v", st)
	}
}

// TestP17LongIdentity proves an identity of 60,000 bytes.
func TestP17LongIdentity(t *testing.T) {
	a, b := defaults(), defaults()
	a.localID = "keyid:" + strings.Repeat("x", 60000)
	b.remoteID = a.localID
	w := newWorld(t, a, b)
	w.want(0)
	w.run(time.Minute)
	w.agree(0)
	if len(w.hosts[1].peersUp) != 0 || len(w.hosts[0].failed) != 1 {
		t.Errorf("%v", w.hosts[0].failed)
	}
}

// TestA7ManyRekeys renews a child a thousand times: nothing piles up.
func TestA7ManyRekeys(t *testing.T) {
	w := established(t, defaults())
	for range 1000 {
		_ = w.hosts[0].e.Rekey(w.now, w.only(0).ID)
		w.busy(time.Second)
		if n := w.hosts[1].e.Stats().Children; n > 70 {
			t.Fatalf("%d children", n)
		}
	}
	w.busy(2 * time.Minute)
	w.agree(1)
	for _, h := range w.hosts {
		if st := h.e.Stats(); st.Children != 1 || st.MainModes != 1 {
			t.Errorf("%+v", st)
		}
	}
}

// TestO2NoRandomness: without randomness there is no start, and no key later.
func TestO2NoRandomness(t *testing.T) {
	w := newWorld(t, defaults(), defaults())
	if _, err := New(Config{Policy: w.hosts[0].compiled, Rand: strings.NewReader(""), NewSPI: func(suite.Protocol, int) (uint32, error) { return 300, nil }}); err == nil {
		t.Error("an engine started without randomness")
	}
	e, err := New(Config{Policy: w.hosts[0].compiled, Rand: strings.NewReader("x1234567"), NewSPI: func(suite.Protocol, int) (uint32, error) { return 300, nil }})
	if err != nil {
		t.Fatal(err)
	}
	w.hosts[0].e = e
	w.want(0)
	w.run(time.Minute)
	if len(w.hosts[1].peersUp) != 0 {
		t.Error("an SA was made without randomness")
	}
}

// TestRecoverBoundary: a fault inside costs nothing but its exchange, and is counted.
func TestRecoverBoundary(t *testing.T) {
	w := newWorld(t, defaults(), defaults())
	faulty := true
	e, err := New(Config{Policy: w.hosts[1].compiled, Rand: newSeeded(5), NewSPI: func(suite.Protocol, int) (uint32, error) {
		if faulty {
			panic("a fault for the test")
		}
		spi := uint32(0x7777)
		w.hosts[1].reserved[spi] = true
		return spi, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	w.hosts[1].e = e
	w.want(0)
	for end := w.now.Add(500 * time.Millisecond); w.step(end); {
	}
	if n := e.Stats().Panics; n != 1 {
		t.Fatalf("%d faults were caught, want one", n)
	}
	faulty = false
	for end := w.now.Add(2 * time.Minute); w.step(end); {
	}
	w.want(0)
	for end := w.now.Add(20 * time.Second); w.step(end); {
	}
	if len(w.hosts[0].inUse) != 1 || len(w.hosts[1].inUse) != 1 {
		t.Errorf("no child after the fault: %+v %+v", w.hosts[0].failed, e.Stats())
	}
	if len(w.hosts[1].logs) != 1 {
		t.Errorf("%d words in the log", len(w.hosts[1].logs))
	}
}
