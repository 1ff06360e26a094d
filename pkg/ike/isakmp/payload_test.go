package isakmp

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// message is a whole message with three payloads, as seeds need one.
func seedMessage() []byte {
	sa := SA{DOI: DOIIPsec, Situation: SituationIdentityOnly, Proposals: []Proposal{{Number: 1, Protocol: ProtoESP, SPI: []byte{1, 2, 3, 4},
		Transforms: []Transform{{Number: 1, ID: 12, Attributes: []Attribute{BasicAttribute(6, 128), NumberAttribute(2, 100000)}}}}}}
	body, _ := AppendPayloads(nil, []Payload{{Type: PayloadSA, Body: sa.Append(nil)}, {Type: PayloadNonce, Body: []byte("12345678")}, {Type: PayloadVendor, Body: VendorDPD}})
	h := Header{InitiatorCookie: Cookie{1}, NextPayload: PayloadSA, Version: Version1, Exchange: MainMode, Length: HeaderLen + len(body)}
	return append(h.Append(nil), body...)
}

func FuzzHeader(f *testing.F) {
	f.Add(seedMessage())
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseHeader(b)
		if err != nil {
			return
		}
		if h.Length != len(b) || !bytes.Equal(h.Append(nil), b[:HeaderLen]) {
			t.Errorf("%+v", h)
		}
	})
}

func FuzzPayloads(f *testing.F) {
	f.Add(uint8(1), seedMessage()[HeaderLen:], false)
	f.Add(uint8(130), []byte{131, 0, 0, 5, 9, 0, 0, 0, 4, 0, 0}, true)
	f.Fuzz(func(t *testing.T, first uint8, b []byte, padded bool) {
		ps, err := ParsePayloads(PayloadType(first), b, padded)
		if err != nil {
			return
		}
		out, err := AppendPayloads(nil, ps)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParsePayloads(FirstType(ps), out, false)
		if err != nil || !cmp.Equal(ps, again) || len(ps) > MaxPayloads {
			t.Errorf("%v %v %v", ps, again, err)
		}
	})
}

func FuzzAttributes(f *testing.F) {
	f.Add([]byte{0x80, 1, 0, 2, 0, 2, 0, 4, 1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, b []byte) {
		as, err := ParseAttributes(b)
		if err == nil && !bytes.Equal(AppendAttributes(nil, as), b) {
			t.Errorf("%x became %x", b, AppendAttributes(nil, as))
		}
		for _, a := range as {
			a.Number()
		}
	})
}

func FuzzSA(f *testing.F) {
	f.Add(seedMessage()[HeaderLen+4 : HeaderLen+52])
	f.Fuzz(func(t *testing.T, b []byte) {
		sa, err := ParseSA(b)
		if err != nil {
			return
		}
		again, err := ParseSA(sa.Append(nil))
		if err != nil || !cmp.Equal(sa, again) {
			t.Errorf("%v: %v", err, cmp.Diff(sa, again))
		}
	})
}

func FuzzIdentification(f *testing.F) {
	f.Add([]byte{1, 17, 1, 244, 192, 0, 2, 1})
	f.Add([]byte{4, 0, 0, 0, 10, 1, 0, 0, 255, 255, 255, 0})
	f.Add([]byte{8, 0, 0, 0, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9})
	f.Fuzz(func(t *testing.T, b []byte) {
		id, err := ParseIdentification(b)
		if err != nil {
			return
		}
		if !bytes.Equal(id.Append(nil), b) || !id.Same(id) || strings.ContainsAny(id.String(), "\x1b\n") {
			t.Errorf("%v", id)
		}
		r, err := id.Range()
		if err != nil {
			return
		}
		again, err := RangeID(r, id.Protocol, id.Port).Range()
		if err != nil || again != r || r.To.Less(r.From) {
			t.Errorf("%v became %v: %v", r, again, err)
		}
	})
}

func FuzzNotify(f *testing.F) {
	f.Add(Notify{DOI: 1, Protocol: ProtoISAKMP, Type: DPDRequest, SPI: make([]byte, 16), Data: []byte{0, 0, 0, 1}}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := ParseNotify(b)
		if err == nil && !bytes.Equal(n.Append(nil), b) {
			t.Errorf("%+v", n)
		}
		_ = n.Type.String()
	})
}

func FuzzDelete(f *testing.F) {
	f.Add(Delete{DOI: 1, Protocol: ProtoESP, SPIs: [][]byte{{1, 2, 3, 4}, {5, 6, 7, 8}}}.Append(nil))
	f.Add(Delete{DOI: 1, Protocol: ProtoISAKMP, SPIs: [][]byte{make([]byte, 16)}}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := ParseDelete(b)
		if err == nil && !bytes.Equal(d.Append(nil), b) {
			t.Errorf("%+v", d)
		}
	})
}

// TestP1Lengths: datagrams shorter than a header, headers that lie, payloads of 0 to 3 bytes or past the end.
func TestP1Lengths(t *testing.T) {
	good := seedMessage()
	for n := range good {
		if _, err := ParseHeader(good[:n]); !errors.Is(err, ErrSyntax) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	for _, length := range []uint32{0, 27, 28, uint32(len(good)) + 1, 1 << 31, 1<<32 - 1} {
		b := bytes.Clone(good)
		binary.BigEndian.PutUint32(b[24:], length)
		if _, err := ParseHeader(b); !errors.Is(err, ErrSyntax) {
			t.Errorf("length %d: %v", length, err)
		}
	}
	for _, length := range []uint16{0, 1, 2, 3, 0xffff, uint16(len(good))} {
		b := bytes.Clone(good[HeaderLen:])
		binary.BigEndian.PutUint16(b[2:], length)
		if _, err := ParsePayloads(PayloadSA, b, true); !errors.Is(err, ErrSyntax) {
			t.Errorf("payload of %d: %v", length, err)
		}
	}
	if _, err := ParsePayloads(PayloadNone, []byte{1}, false); !errors.Is(err, ErrSyntax) {
		t.Error("trailing bytes were taken")
	}
	big := make([]byte, 1<<16+1)
	binary.BigEndian.PutUint32(big[24:], uint32(len(big)))
	if _, err := ParseHeader(big); !errors.Is(err, ErrSyntax) {
		t.Error("more than 64 KiB were taken")
	}
}

func TestP9PayloadFlood(t *testing.T) {
	b := bytes.Repeat([]byte{13, 0, 0, 4}, MaxPayloads+1)
	b[len(b)-4] = 0
	if _, err := ParsePayloads(PayloadVendor, b, false); !errors.Is(err, ErrSyntax) {
		t.Error("65 payloads were taken")
	}
	b = b[4:]
	if ps, err := ParsePayloads(PayloadVendor, b, false); err != nil || len(ps) != MaxPayloads {
		t.Errorf("64 payloads: %d, %v", len(ps), err)
	}
}

func TestP14SituationAndDOI(t *testing.T) {
	body := seedMessage()[HeaderLen+4:]
	for _, at := range []int{0, 3, 4, 7} {
		b := bytes.Clone(body)
		b[at] ^= 2
		if _, err := ParseSA(b); !errors.Is(err, ErrSyntax) {
			t.Errorf("byte %d: %v", at, err)
		}
	}
}

func TestAppendPayloadsRefusesWhatDoesNotFit(t *testing.T) {
	if _, err := AppendPayloads(nil, []Payload{{Type: PayloadVendor, Body: make([]byte, 0xfffc)}}); err == nil {
		t.Error("a payload of 64 KiB was built")
	}
}

// TestRangeIDProperty: every range of addresses comes back from the identity that names it.
func TestRangeIDProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]int{4, 16}).Draw(t, "size")
		a, _ := netip.AddrFromSlice(rapid.SliceOfN(rapid.Byte(), size, size).Draw(t, "from"))
		b, _ := netip.AddrFromSlice(rapid.SliceOfN(rapid.Byte(), size, size).Draw(t, "to"))
		if rapid.Bool().Draw(t, "prefix") {
			p, _ := a.Prefix(rapid.IntRange(0, size*8).Draw(t, "bits"))
			a, b = p.Addr(), lastOf(p)
		}
		if b.Less(a) {
			a, b = b, a
		}
		id := RangeID(Range{From: a, To: b}, 6, 25)
		parsed, err := ParseIdentification(id.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		if r, err := parsed.Range(); err != nil || r.From != a || r.To != b {
			t.Fatalf("%v-%v became %v (type %d): %v", a, b, r, id.Type, err)
		}
	})
}

func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

func TestRFC2407Section4_6_2Identities(t *testing.T) {
	bad := []Identification{
		{Type: IDIPv4Addr, Data: make([]byte, 3)}, {Type: IDIPv6Addr, Data: make([]byte, 4)}, {Type: IDIPv4Subnet, Data: make([]byte, 4)},
		{Type: IDIPv4Subnet, Data: []byte{10, 0, 0, 0, 255, 0, 255, 0}}, {Type: IDIPv4Subnet, Data: []byte{10, 0, 0, 0, 253, 0, 0, 0}},
		{Type: IDIPv4Range, Data: []byte{10, 0, 0, 2, 10, 0, 0, 1}}, {Type: IDFQDN, Data: []byte("x")}, {Type: 99},
	}
	for _, id := range bad {
		if r, err := id.Range(); err == nil {
			t.Errorf("%+v names %v", id, r)
		}
	}
	for text, want := range map[string]IDType{"192.0.2.1": IDIPv4Addr, "2001:db8::1": IDIPv6Addr, "a.example": IDFQDN, "@a": IDFQDN, "u@a": IDUserFQDN,
		"keyid:x y": IDKeyID, "keyid:0x0aff": IDKeyID} {
		if id, err := ParseID(text); err != nil || id.Type != want {
			t.Errorf("%s: %+v, %v", text, id, err)
		}
	}
	for _, text := range []string{"", "@", "keyid:0x0"} {
		if id, err := ParseID(text); err == nil {
			t.Errorf("%q is %+v", text, id)
		}
	}
	a, _ := ParseID("A.Example")
	b, _ := ParseID("a.example")
	c, _ := ParseID("a.example.com")
	if !a.Same(b) || a.Same(c) || c.Same(a) {
		t.Error("names compare wrongly")
	}
}

func TestP20Escape(t *testing.T) {
	for in, want := range map[string]string{"plain": "plain", "a\x1b[2Jb": `a\x1b[2Jb`, "q\"\n": `q\"\n`, "\xff\xfe": `\xff\xfe`} {
		if got := Escape(in); got != want {
			t.Errorf("%q became %q", in, got)
		}
	}
	if got := Escape(strings.Repeat("x", 1000)); len(got) > 80 {
		t.Errorf("%d bytes are left", len(got))
	}
}

// TestP2Legality: a missing, a doubled and a foreign payload, in a script of two steps.
func TestP2Legality(t *testing.T) {
	ok := func(*int, *Message) error { return nil }
	build := func(n *int) ([]Payload, error) { *n++; return nil, nil }
	script := Script[*int]{{From: Initiator, Need: Set(PayloadSA, PayloadNonce), May: Set(PayloadVendor, PayloadSA), Accept: ok, Build: build},
		{From: Responder, Accept: ok, Build: build}}
	legal := func(types ...PayloadType) error {
		r, n := Run[*int]{Script: script, Role: Responder}, 0
		m := &Message{}
		for _, t := range types {
			m.Payloads = append(m.Payloads, Payload{Type: t})
		}
		err := r.Accept(&n, m)
		if (err == nil) != (r.At == 1) {
			t.Errorf("%v: at %d after %v", types, r.At, err)
		}
		return err
	}
	for _, types := range [][]PayloadType{{PayloadSA, PayloadNonce}, {PayloadNonce, PayloadVendor, PayloadSA, PayloadVendor, PayloadSA}} {
		if err := legal(types...); err != nil {
			t.Errorf("%v: %v", types, err)
		}
	}
	for _, types := range [][]PayloadType{{}, {PayloadSA}, {PayloadSA, PayloadNonce, PayloadNonce}, {PayloadSA, PayloadNonce, PayloadKE}, {PayloadSA, PayloadNonce, 33},
		{PayloadSA, PayloadNonce, 132}, {PayloadSA, PayloadNonce, 65}} {
		if err := legal(types...); !errors.Is(err, ErrSyntax) {
			t.Errorf("%v: %v", types, err)
		}
	}
	r, n := Run[*int]{Script: script, Role: Responder}, 0
	if _, err := r.Build(&n); !errors.Is(err, ErrTurn) || n != 0 {
		t.Errorf("out of turn: %v", err)
	}
	r.At = 1
	if !r.Sends() || r.Awaits() || r.Accept(&n, &Message{}) == nil {
		t.Error("turns")
	}
	if _, err := r.Build(&n); err != nil || !r.Done() || n != 1 {
		t.Errorf("the last step: %v", err)
	}
}

func TestNames(t *testing.T) {
	if MainMode.String() != "main mode" || ExchangeType(99).String() != "exchange 99" || Responder.String() != "responder" || NoProposalChosen.String() != "NO-PROPOSAL-CHOSEN" ||
		NotifyType(40000).String() != "notification 40000" || !InvalidSPI.IsError() || InitialContact.IsError() {
		t.Error("names")
	}
}

func FuzzFragment(f *testing.F) {
	f.Add(Fragment{ID: 7, Number: 1, Data: []byte("a part")}.Append(nil))
	f.Add(Fragment{ID: 1, Number: 255, Last: true, Data: seedMessage()}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := ParseFragment(b)
		if err == nil && !bytes.Equal(x.Append(nil), b) {
			t.Errorf("%+v", x)
		}
	})
}

// TestSplitMessage: the parts of every size, joined, are the message; there are never more than 255.
func TestSplitMessage(t *testing.T) {
	long := seedMessage()
	long = append(long, make([]byte, 40000)...)
	binary.BigEndian.PutUint32(long[24:], uint32(len(long)))
	for _, message := range [][]byte{seedMessage(), long} {
		for _, size := range []int{1, 7, 100, 540, len(message) - 1, len(message), len(message) + 1} {
			parts, err := SplitMessage(message, 0x1234, size)
			if err != nil || len(parts) > 255 || len(message) < 255*size && len(parts) != (len(message)+size-1)/size {
				t.Fatalf("%d bytes in parts of %d: %d parts, %v", len(message), size, len(parts), err)
			}
			var joined []byte
			for i, part := range parts {
				h, err := ParseHeader(part)
				if err != nil || h.NextPayload != PayloadFragment || h.Exchange != MainMode || len(part) > max(size, (len(message)+254)/255)+FragmentOverhead {
					t.Fatalf("part %d: %+v, %v", i, h, err)
				}
				ps, err := ParsePayloads(h.NextPayload, part[HeaderLen:], false)
				if err != nil || len(ps) != 1 {
					t.Fatal(err)
				}
				f, err := ParseFragment(ps[0].Body)
				if err != nil || f.ID != 0x1234 || int(f.Number) != i+1 || f.Last != (i == len(parts)-1) {
					t.Fatalf("part %d: %+v, %v", i, f, err)
				}
				joined = append(joined, f.Data...)
			}
			if !bytes.Equal(joined, message) {
				t.Errorf("parts of %d do not make the message", size)
			}
		}
	}
}

// TestKnowsFragments: the forms in which peers announce it.
func TestKnowsFragments(t *testing.T) {
	for text, want := range map[string]bool{"4048b7d56ebce88525e7de7f00d6c2d3": true, "4048b7d56ebce88525e7de7f00d6c2d380000000": true, "4048b7d56ebce88525e7de7f00d6c2d3c0000000": true,
		"4048b7d56ebce88525e7de7f00d6c2d300000000": false, "4048b7d56ebce88525e7de7f00d6c2d380": false, "4048b7d56ebce88525e7de7f00d6c2d4": false, "": false} {
		v, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if KnowsFragments(v) != want {
			t.Errorf("%s: %v", text, !want)
		}
	}
	if !KnowsFragments(VendorFragmentation) {
		t.Error("our own is not known")
	}
}

func FuzzConfiguration(f *testing.F) {
	f.Add(Configuration{Type: ConfigReply, ID: 7, Attributes: []Attribute{{Type: ConfigIP4Address, Value: []byte{10, 9, 0, 1}}, {Type: ConfigIP4DNS}}}.Append(nil))
	f.Add(Configuration{Type: ConfigSet, Attributes: []Attribute{BasicAttribute(XAuthStatus, 1)}}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := ParseConfiguration(b)
		if err != nil {
			return
		}
		if !bytes.Equal(x.Append(nil), b) || len(x.Attributes) > maxConfigAttributes {
			t.Errorf("%+v", x)
		}
		x.One(XAuthStatus)
		_ = x.Type.String()
	})
}
