package ah

import (
	"bytes"
	"testing"

	"github.com/goipsec/goipsec/pkg/suite"
)

// FuzzVerify gives the opener what anybody could send, and then the same bytes as a header and payload that the peer sealed. Whatever the sealer
// accepts the opener accepts too, also after a router counted the TTL down.
func FuzzVerify(f *testing.F) {
	for i, h := range headers(f) {
		f.Add(uint8(i), i%2 == 0, uint8(len(h)), append(h, "payload of a datagram, and more, and more"...))
	}
	f.Add(uint8(0), false, uint8(20), []byte{0x45})
	f.Add(uint8(3), true, uint8(0), []byte{})
	f.Fuzz(func(t *testing.T, choice uint8, esn bool, hlen uint8, data []byte) {
		integs := suite.Integs()
		integ := integs[int(choice)%len(integs)]
		v6 := len(data) > 0 && data[0]>>4 == 6
		s, o := pairOf(t, integ, esn, v6)

		if _, err := o.Sequence(data, int(hlen)); err == nil {
			if _, _, _, err := o.Open(data, int(hlen), 77); err != ErrIntegrity {
				t.Fatalf("bytes that nobody sealed open: %v", err)
			}
		}

		if int(hlen) > len(data) {
			return
		}
		payload := data[hlen:]
		pkt := make([]byte, len(data)+s.Head())
		copy(pkt, data[:hlen])
		copy(pkt[int(hlen)+s.Head():], payload)
		if err := s.Seal(pkt, int(hlen), len(payload), 17, 77); err != nil {
			return
		}
		if v6 {
			pkt[7]--
		} else {
			pkt[8]--
		}
		off, n, next, err := o.Open(pkt, int(hlen), 77)
		if err != nil || next != 17 || !bytes.Equal(pkt[off:off+n], payload) {
			t.Fatalf("sealed but opened as %x, %d, %v", pkt[off:off+n], next, err)
		}
	})
}
