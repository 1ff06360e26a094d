package netio

import (
	"encoding/binary"
	"net/netip"
	"os"
	"testing"
)

func writeFile(tb testing.TB, name, text string) {
	tb.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		tb.Error(err)
	}
}

// tooBig4 returns an IPv4 datagram with an ICMP "fragmentation needed" that quotes what is given.
func tooBig4(mtu uint16, quoted []byte) []byte {
	b := make([]byte, 28, 28+len(quoted))
	b[0], b[9], b[20], b[21] = 0x45, 1, 3, 4
	binary.BigEndian.PutUint16(b[26:], mtu)
	b = append(b, quoted...)
	sum := uint32(0)
	for i := 20; i < len(b); i += 2 {
		sum += uint32(b[i]) << 8
		if i+1 < len(b) {
			sum += uint32(b[i+1])
		}
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	binary.BigEndian.PutUint16(b[22:], ^uint16(sum))
	return b
}

func quote4(n int) []byte {
	q := make([]byte, 20+n)
	q[0] = 0x45
	copy(q[16:], []byte{192, 0, 2, 7})
	return q
}

func TestRFC1191Section3TooBigIsParsed(t *testing.T) {
	for _, n := range []int{8, 9, 500} {
		e, ok := parseTooBig4(tooBig4(1400, quote4(n)))
		if !ok || e.MTU != 1400 || e.Remote != netip.MustParseAddr("192.0.2.7") || len(e.Quoted) != 20+n {
			t.Errorf("quote of %d: %v %+v", n, ok, e)
		}
	}
	bad := tooBig4(1400, quote4(8))
	bad[30] ^= 1
	for name, b := range map[string][]byte{
		"a wrong checksum":        bad,
		"a quote of 7 octets":     tooBig4(1400, quote4(7)),
		"a quote of IPv6":         tooBig4(1400, append([]byte{0x60}, make([]byte, 60)...)),
		"options beyond the end":  tooBig4(1400, append([]byte{0x4f}, make([]byte, 30)...)),
		"a header length below 5": tooBig4(1400, append([]byte{0x44}, make([]byte, 30)...)),
		"nothing":                 nil,
		"half a header":           tooBig4(1400, nil)[:24],
	} {
		if e, ok := parseTooBig4(b); ok {
			t.Errorf("%s was accepted: %+v", name, e)
		}
	}
}

func FuzzTooBig(f *testing.F) {
	f.Add(tooBig4(1400, quote4(8)))
	f.Add(append([]byte{2, 0, 0, 0, 0, 0, 5, 0x14, 0x60}, make([]byte, 60)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, parse := range []func([]byte) (PathEvent, bool){parseTooBig4, parseTooBig6} {
			if e, ok := parse(b); ok && (!e.Remote.IsValid() || e.MTU < 0 || e.MTU > 65535 || len(e.Quoted) < 28 || len(e.Quoted) > len(b)) {
				t.Errorf("%+v", e)
			}
		}
	})
}
