package ah

import (
	"bytes"
	"testing"

	"github.com/goipsec/goipsec/pkg/suite"
)

const (
	addrA = "20010db8000000000000000000000001"
	addrB = "20010db8000000000000000000000002"
	addrC = "20010db8000000000000000000000003"
	addrD = "20010db8000000000000000000000004"
)

// D15: what the ICV is computed over, written out by hand from RFC 4302 §3.3.3.1 and appendix A.
var maskRows = []struct{ name, header, masked string }{
	{"IPv4, no options: TOS, DF, TTL and checksum are zero",
		"45b80054 1234 4000 3f 33 abcd c0000201 c0000202",
		"45000054 1234 0000 00 33 0000 c0000201 c0000202"},
	{"IPv4, the reserved flag is zero",
		"45000054 1234 8000 40 33 abcd c0000201 c0000202",
		"45000054 1234 0000 00 33 0000 c0000201 c0000202"},
	{"IPv4, immutable options stay: NOP, security, extended security, commercial security, router alert, multi-destination, end",
		"4b000070 0001 0000 40 33 0000 c0000201 c0000202 01 8203ff 8503ee 8603dd 94040000 9506c0000203 00000000",
		"4b000070 0001 0000 00 33 0000 c0000201 c0000202 01 8203ff 8503ee 8603dd 94040000 9506c0000203 00000000"},
	{"IPv4, record route, time stamp and traceroute go whole, type and length too",
		"4b000070 0001 0000 40 33 0000 c0000201 c0000202 070704c0000209 01 4408050012345678 5208aabbccddeeff",
		"4b000070 0001 0000 00 33 0000 c0000201 c0000202 00000000000000 01 0000000000000000 0000000000000000"},
	{"IPv4, an unknown option goes whole",
		"46000070 0001 0000 40 33 0000 c0000201 c0000202 de04aabb",
		"46000070 0001 0000 00 33 0000 c0000201 c0000202 00000000"},
	{"IPv4, loose source route on its way: the destination is the last address",
		"48000070 0001 0000 40 33 0000 c0000201 0a000001 830b040a000002 c0000202 00",
		"48000070 0001 0000 00 33 0000 c0000201 c0000202 00000000000000 00000000 00"},
	{"IPv4, strict source route on its last hop",
		"48000070 0001 0000 40 33 0000 c0000201 0a000002 890b080a000001 c0000202 00",
		"48000070 0001 0000 00 33 0000 c0000201 c0000202 00000000000000 00000000 00"},
	{"IPv4, loose source route used up: the destination stays",
		"48000070 0001 0000 40 33 0000 c0000201 c0000202 830b0c0a000001 0a000002 00",
		"48000070 0001 0000 00 33 0000 c0000201 c0000202 00000000000000 00000000 00"},
	{"IPv4, an empty source route changes nothing",
		"46000070 0001 0000 40 33 0000 c0000201 c0000202 830304 01",
		"46000070 0001 0000 00 33 0000 c0000201 c0000202 000000 01"},
	{"IPv4, an option of two bytes at the end of the header",
		"46000070 0001 0000 40 33 0000 c0000201 c0000202 0101 5202",
		"46000070 0001 0000 00 33 0000 c0000201 c0000202 0101 0000"},
	{"IPv4, a pointer at the last byte of the route is not past its end",
		"47000070 0001 0000 40 33 0000 c0000201 0a000001 830707 c0000202 00",
		"47000070 0001 0000 00 33 0000 c0000201 c0000202 000000 00000000 00"},
	{"IPv4, behind the end of the options nothing is an option",
		"46000070 0001 0000 40 33 0000 c0000201 c0000202 00070401",
		"46000070 0001 0000 00 33 0000 c0000201 c0000202 00070401"},
	{"IPv6: traffic class, flow label and hop limit are zero",
		"6fffffff 0044 33 3f" + addrA + addrB,
		"60000000 0044 33 00" + addrA + addrB},
	{"IPv6, hop-by-hop: the data of an option that may change is zero, its type and length stay",
		"60000000 0054 00 40" + addrA + addrB + "3c01 3e04aabbccdd 1e02eeff 00 0102 0000" + "3300 0504 00000000 00",
		""}, // cut off: see the rows below
	{"IPv6, hop-by-hop and destination options",
		"60000000 0054 00 40" + addrA + addrB + "3c01 3e04aabbccdd 1e02eeff 010200 00" + "3300 e104 11223344 ",
		"60000000 0054 00 00" + addrA + addrB + "3c01 3e0400000000 1e02eeff 010200 00" + "3300 e104 00000000 "},
	{"IPv6, padding of two bytes at the end of the options",
		"60000000 0054 3c 40" + addrA + addrB + "3300 3e02aabb 0100",
		"60000000 0054 3c 00" + addrA + addrB + "3300 3e020000 0100"},
	{"IPv6, routing header type 0 with all segments left",
		"60000000 0054 2b 40" + addrA + addrB + "3304 0002 00000000" + addrC + addrD,
		"60000000 0054 2b 00" + addrA + addrD + "3304 0000 00000000" + addrB + addrC},
	{"IPv6, routing header type 0 with one segment left",
		"60000000 0054 2b 40" + addrA + addrC + "3304 0001 00000000" + addrB + addrD,
		"60000000 0054 2b 00" + addrA + addrD + "3304 0000 00000000" + addrB + addrC},
	{"IPv6, routing header type 0 that has arrived",
		"60000000 0054 2b 40" + addrA + addrD + "3304 0000 00000000" + addrB + addrC,
		"60000000 0054 2b 00" + addrA + addrD + "3304 0000 00000000" + addrB + addrC},
	{"IPv6, routing header type 2 of mobile IPv6",
		"60000000 0054 2b 40" + addrA + addrB + "3302 0201 00000000" + addrC,
		"60000000 0054 2b 00" + addrA + addrC + "3302 0200 00000000" + addrB},
	{"IPv6, routing header of another type that has arrived",
		"60000000 0054 2b 40" + addrA + addrB + "3302 0400 00000000" + addrC,
		"60000000 0054 2b 00" + addrA + addrB + "3302 0400 00000000" + addrC},
}

func hexField(t testing.TB, s string) []byte {
	return unhex(t, string(bytes.ReplaceAll([]byte(s), []byte(" "), nil)))
}

func TestD15RFC4302Section3_3_3_1(t *testing.T) {
	for _, r := range maskRows {
		got, err := mask(nil, hexField(t, r.header))
		if r.masked == "" {
			if err == nil {
				t.Errorf("%s: masked to %x, want an error", r.name, got)
			}
			continue
		}
		if want := hexField(t, r.masked); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s:\n%x, %v, want\n%x", r.name, got, err, want)
		}
	}
}

// RFC 4302 §3.3.3.1.2.3 and §3.3.3.1.1: the ICV of the sender, whose packet has its route before it, is that of the receiver, where the route is used up.
func TestD15SourceRoutesArrive(t *testing.T) {
	for _, r := range []struct{ sent, arrived string }{
		{"48000038 0001 0000 40 33 0000 c0000201 0a000001 830b040a000002 c0000202 00", "48000038 0001 0000 3e 33 1111 c0000201 c0000202 830b0c0a000001 0a000002 00"},
		{"60000000 0054 2b 40" + addrA + addrB + "3304 0002 00000000" + addrC + addrD, "60000000 0054 2b 3e" + addrA + addrD + "3304 0000 00000000" + addrB + addrC},
	} {
		sent, arrived := hexField(t, r.sent), hexField(t, r.arrived)
		s, o := pairOf(t, suite.HMACSHA256_128, false, sent[0]>>4 == 6)
		pkt := append(bytes.Clone(sent), make([]byte, s.SealedLen(8))...)
		if err := s.Seal(pkt, len(sent), 8, 17, 1); err != nil {
			t.Fatal(err)
		}
		copy(pkt, arrived)
		if _, _, _, err := o.Open(pkt, len(arrived), 1); err != nil {
			t.Errorf("%s: %v", r.arrived, err)
		}
		pkt[len(arrived)-20] ^= 1 // an address: IPv4 source, or one that the IPv6 packet visited
		if _, _, _, err := o.Open(pkt, len(arrived), 1); err != ErrIntegrity {
			t.Errorf("%s with another address: %v", r.arrived, err)
		}
	}
}

// RFC 4302 §3.4.1: "an AH received on a fragment" is dropped; and none is made.
func TestRFC4302Section3_4_1Fragments(t *testing.T) {
	for _, h := range []string{
		"45000054 1234 2000 3f 33 0000 c0000201 c0000202",
		"45000054 1234 0001 3f 33 0000 c0000201 c0000202",
		"45000054 1234 3fff 3f 33 0000 c0000201 c0000202",
		"60000000 0054 2c 40" + addrA + addrB + "3300 0001 00000001",
		"60000000 0054 00 40" + addrA + addrB + "2c00 0104 00000000" + "3300 0000 00000001",
	} {
		checkRefused(t, h, ErrFragment)
	}
}

func TestMalformedHeaders(t *testing.T) {
	for _, h := range []string{
		"45",
		"05000054 1234 0000 3f 33 0000 c0000201 c0000202",
		"75000054 1234 0000 3f 33 0000 c0000201 c0000202",
		"44000054 1234 0000 3f 33 0000 c0000201 c0000202",
		"46000054 1234 0000 3f 33 0000 c0000201 c0000202",
		"45000054 1234 0000 3f 06 0000 c0000201 c0000202",
		"46000054 1234 0000 3f 33 0000 c0000201 c0000202 01010107",
		"46000054 1234 0000 3f 33 0000 c0000201 c0000202 07010101",
		"46000054 1234 0000 3f 33 0000 c0000201 c0000202 07050101",
		"46000054 1234 0000 3f 33 0000 c0000201 c0000202 07000101",
		"46000054 1234 0000 3f 33 0000 c0000201 c0000202 83040401",
		"46000054 1234 0000 3f 33 0000 c0000201 c0000202 01018302",
		"60000000 0044 33 3f" + addrA,
		"60000000 0044 06 3f" + addrA + addrB,
		"60000000 0044 33 3f" + addrA + addrB + "3300 0000 00000000", // the AH would start before hlen
		"60000000 0044 00 3f" + addrA + addrB,
		"60000000 0044 00 3f" + addrA + addrB + "3301 0000 00000000",
		"60000000 0044 00 3f" + addrA + addrB + "3300 0105 00000000",
		"60000000 0044 00 3f" + addrA + addrB + "3300 0103 00000001",
		"60000000 0044 00 3f" + addrA + addrB + "3300 0500 0000003e",
		"60000000 0044 87 3f" + addrA + addrB + "3300 0104 00000000",
		"60000000 0044 2b 3f" + addrA + addrB + "3300 0001 00000000",
		"60000000 0044 2b 3f" + addrA + addrB + "3302 0002 00000000" + addrC,
		"60000000 0044 2b 3f" + addrA + addrB + "3302 0401 00000000" + addrC,
		"60000000 0044 2b 3f" + addrA + addrB + "3303 0001 00000000" + addrC + "0000000000000000",
	} {
		checkRefused(t, h, ErrHeader)
	}
	// Seventeen empty extension headers are more than any sender needs.
	long := "60000000 00cc 3c 3f" + addrA + addrB
	for range maxExtension {
		long += "3c00 0104 00000000"
	}
	checkRefused(t, long+"3300 0104 00000000", ErrHeader)
}

// checkRefused expects the header to be refused by Seal, Sequence and Open alike.
func checkRefused(t *testing.T, header string, want error) {
	t.Helper()
	ip := hexField(t, header)
	s, o := pairOf(t, suite.HMACSHA1_96, false, ip[0]>>4 == 6)
	pkt := append(ip, make([]byte, s.SealedLen(8))...)
	if err := s.Seal(pkt, len(ip), 8, 17, 1); err != want {
		t.Errorf("%s: Seal: %v, want %v", header, err, want)
	}
	pkt[len(ip)+1] = byte(s.Head()/4 - 2)
	if _, err := o.Sequence(pkt, len(ip)); err != want {
		t.Errorf("%s: Sequence: %v, want %v", header, err, want)
	}
	if _, _, _, err := o.Open(pkt, len(ip), 1); err != want {
		t.Errorf("%s: Open: %v, want %v", header, err, want)
	}
}

// D15, bit by bit: of the header, exactly the bits that routers may change can change.
func TestD15EveryBit(t *testing.T) {
	for _, r := range []struct{ name, header, mutable string }{
		{"IPv4",
			"45b80054 1234 0000 3f 33 abcd c0000201 c0000202",
			"00ff0000 0000 c000 ff 00 ffff 00000000 00000000"},
		// The route goes whole, so its type may become any that also goes whole (0x82 does not), and its pointer any that is past the end.
		{"IPv4 with router alert and a route that is used up",
			"48b80054 1234 4000 3f 33 abcd c0000201 c0000202 94040000 830708 0a000001 00",
			"00ff0000 0000 c000 ff 00 ffff 00000000 00000000 00000000 fe00f7 ffffffff 00"},
		{"IPv6 with options",
			"60000000 0054 00 40" + addrA + addrB + "3c01 3e04aabbccdd 1e02eeff 010200 00" + "3300 0104 00000000 ",
			"0fffffff 0000 00 ff" + zeros(64) + "0000 0000ffffffff 00000000 000000 00" + "0000 0000 00000000 "},
	} {
		header, mutable := hexField(t, r.header), hexField(t, r.mutable)
		s, o := pairOf(t, suite.HMACSHA256_128, true, header[0]>>4 == 6)
		pkt := append(header, make([]byte, s.SealedLen(20))...)
		if err := s.Seal(pkt, len(header), 20, 17, 1<<32|5); err != nil {
			t.Fatalf("%s: %v", r.name, err)
		}
		for bit := range 8 * len(pkt) {
			pkt[bit/8] ^= 1 << (bit % 8)
			_, _, _, err := o.Open(pkt, len(header), 1<<32|5)
			pkt[bit/8] ^= 1 << (bit % 8)
			free := bit/8 < len(mutable) && mutable[bit/8]&(1<<(bit%8)) != 0
			if free != (err == nil) {
				t.Errorf("%s: byte %d, bit %d: %v, though it may change: %v", r.name, bit/8, bit%8, err, free)
			}
		}
	}
}

func zeros(n int) string { return string(bytes.Repeat([]byte{'0'}, n)) }
