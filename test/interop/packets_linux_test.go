package interop

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/ah"
	"github.com/goipsec/goipsec/pkg/esp"
	"github.com/goipsec/goipsec/pkg/suite"
	"github.com/goipsec/goipsec/test/interop/lab"
)

// sizes of echo data: around the padding of every cipher, and a long one.
var sizes = []int{0, 1, 2, 3, 5, 8, 13, 16, 1000}

// TestKernelAndPackagesAgree protects echo requests with packages esp and ah alone, and opens the kernel's replies with them: for
// every transform that the kernel has, in every mode and family, with and without ESN.
func TestKernelAndPackagesAgree(t *testing.T) {
	for _, s := range shapes() {
		t.Run(s.name, func(t *testing.T) {
			l := lab.New(t)
			k, a := furnish(l, s, beyond32Bits)
			sender, capture := a.RawSender(), a.Capture("eth0")
			defer capture.Stop()
			for _, c := range cells(s) {
				t.Run(c.String(), func(t *testing.T) { converse(t, c, sender, capture) })
			}
			counted := make(map[string]uint64)
			for _, state := range k.States() {
				counted[state.SPI] += state.Packets
			}
			for _, c := range cells(s) {
				proto := suite.ESP
				if c.encr == suite.EncrNone {
					proto = suite.AH
				}
				if n := counted[fmt.Sprintf("0x%08x", c.spi(proto, fromUs))]; n != uint64(len(sizes)) {
					t.Errorf("%v: the kernel accepted %d packets of %d", c, n, len(sizes))
				}
			}
		})
	}
}

func converse(t *testing.T, c cell, sender *lab.RawSender, capture *lab.Capture) {
	out, err := newProtector(c)
	if err != nil {
		t.Fatal(err)
	}
	in, err := newUnprotector(c)
	if err != nil {
		t.Fatal(err)
	}
	for i, size := range sizes {
		sequence := uint16(i + 1)
		packet, err := out.protect(echo(c.ourInner(), c.itsInner(), false, sequence, size), sequence)
		if err != nil {
			t.Fatal(err)
		}
		seen := len(capture.Frames())
		sender.Send(packet)
		frame, ok := capture.Await(20*time.Second, seen, c.isReply)
		if !ok {
			t.Fatalf("no protected reply to %d bytes of data", size)
		}
		got, err := in.unprotect(frame.Raw[14:])
		if err != nil {
			t.Fatalf("reply to %d bytes: %v", size, err)
		}
		if want := echo(c.itsInner(), c.ourInner(), true, sequence, size); !bytes.Equal(got, want) {
			t.Fatalf("reply to %d bytes of data is\n%x, want\n%x", size, got, want)
		}
	}
}

// isReply tells the kernel's protected packets to the cell's own address.
func (c cell) isReply(f *lab.Frame) bool {
	return f.Src == netip.MustParseAddr(c.itsOuter()) && f.Dst == netip.MustParseAddr(c.ourOuter()) && (f.Protocol == protoESP || f.Protocol == protoAH)
}

// seqHigh is where the sequence numbers begin.
func (c cell) seqHigh() uint64 {
	if c.esn {
		return 1 << 32
	}
	return 0
}

type protector struct {
	cell
	esp *esp.Sealer
	ah  *ah.Sealer
}

func (c cell) espOptions() []esp.Option {
	if c.ah != suite.IntegNone {
		return []esp.Option{esp.CoveredByAH}
	}
	return nil
}

func newProtector(c cell) (p *protector, err error) {
	p = &protector{cell: c}
	if c.encr != suite.EncrNone {
		p.esp, err = esp.NewSealer(c.encr, c.encrKey(fromUs), c.integ, c.integKey(fromUs), c.spi(suite.ESP, fromUs), c.esn, nil, c.espOptions()...)
	}
	if err == nil && c.ah != suite.IntegNone {
		p.ah, err = ah.NewSealer(c.transform.ah, c.ahKey(fromUs), c.spi(suite.AH, fromUs), c.esn, c.outer6)
	}
	return p, err
}

// protect makes the whole packet, outer IP header included, around an ICMP message.
func (p *protector) protect(message []byte, sequence uint16) ([]byte, error) {
	payload, next := message, uint8(protoICMP4)
	if p.inner6 {
		next = protoICMP6
	}
	if p.tunnel {
		payload = append(header(p.ourInner(), p.itsInner(), next, len(message)), message...)
		next = protoIP4
		if p.inner6 {
			next = protoIP6
		}
	}
	seq := p.seqHigh() + uint64(sequence)
	if p.esp != nil {
		sealed := make([]byte, p.esp.SealedLen(len(payload)))
		copy(sealed[p.esp.Head():], payload)
		if err := p.esp.Seal(sealed, 0, len(payload), next, seq); err != nil {
			return nil, err
		}
		payload, next = sealed, protoESP
	}
	if p.ah == nil {
		return append(header(p.ourOuter(), p.itsOuter(), next, len(payload)), payload...), nil
	}
	packet := header(p.ourOuter(), p.itsOuter(), protoAH, p.ah.SealedLen(len(payload)))
	hlen := len(packet)
	packet = append(packet, make([]byte, p.ah.Head())...)
	packet = append(packet, payload...)
	return packet, p.ah.Seal(packet, hlen, len(payload), next, seq)
}

type unprotector struct {
	cell
	esp *esp.Opener
	ah  *ah.Opener
}

func newUnprotector(c cell) (u *unprotector, err error) {
	u = &unprotector{cell: c}
	if c.encr != suite.EncrNone {
		u.esp, err = esp.NewOpener(c.encr, c.encrKey(toUs), c.integ, c.integKey(toUs), c.spi(suite.ESP, toUs), c.esn, c.espOptions()...)
	}
	if err == nil && c.ah != suite.IntegNone {
		u.ah, err = ah.NewOpener(c.transform.ah, c.ahKey(toUs), c.spi(suite.AH, toUs), c.esn)
	}
	return u, err
}

// unprotect returns the ICMP message in a packet that begins with its outer IP header.
func (u *unprotector) unprotect(packet []byte) ([]byte, error) {
	payload, next := payloadOf(packet)
	hlen := len(packet) - len(payload)
	if !u.outer6 {
		hlen = 20
		packet = packet[:binary.BigEndian.Uint16(packet[2:])]
	}
	if u.ah != nil {
		if next != protoAH {
			return nil, fmt.Errorf("the outermost protocol is %d, want AH", next)
		}
		seq, err := u.ah.Sequence(packet, hlen)
		if err != nil {
			return nil, err
		}
		off, n, inside, err := u.ah.Open(packet, hlen, u.seqHigh()+uint64(seq))
		if err != nil {
			return nil, err
		}
		payload, next = packet[off:off+n], inside
	}
	if u.esp != nil {
		if next != protoESP {
			return nil, fmt.Errorf("protocol %d, want ESP", next)
		}
		seq, err := u.esp.Sequence(payload, 0)
		if err != nil {
			return nil, err
		}
		off, n, inside, err := u.esp.Open(payload, 0, u.seqHigh()+uint64(seq))
		if err != nil {
			return nil, err
		}
		payload, next = payload[off:off+n], inside
	}
	if u.tunnel {
		if want := uint8(protoIP4); next != want && !u.inner6 {
			return nil, fmt.Errorf("protocol %d inside, want %d", next, want)
		}
		payload, next = payloadOf(payload)
	}
	if next != protoICMP4 && next != protoICMP6 {
		return nil, fmt.Errorf("protocol %d inside, want ICMP", next)
	}
	return payload, nil
}
