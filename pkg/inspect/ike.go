package inspect

import (
	"fmt"
	"strings"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
)

// message prints one IKE message, without its marker.
func (c *conversations) message(p *Packet, b []byte) {
	h, err := isakmp.ParseHeader(b)
	if err != nil {
		p.malformed("IKE message", err)
		return
	}
	p.Kind = kindIKE
	switch h.Version >> 4 {
	case 1:
		p.Summary = "IKEv1 " + exchangeV1(h.Exchange)
		p.header(&h, flagsV1(h.Flags))
		c.bodyV1(p, &h, b[isakmp.HeaderLen:])
	case 2:
		p.Summary = "IKEv2 " + exchangeV2(uint8(h.Exchange)) + directionV2(h.Flags)
		p.header(&h, flagsV2(h.Flags))
		p.bodyV2(uint8(h.NextPayload), b[isakmp.HeaderLen:])
	default:
		p.Summary = fmt.Sprintf("IKE of version %d.%d, which is not known", h.Version>>4, h.Version&15)
	}
}

func (p *Packet) header(h *isakmp.Header, flags string) {
	p.add(0, "initiator %x, responder %x, message ID %08x, flags %s, %d bytes", h.InitiatorCookie, h.ResponderCookie, h.MessageID, flags, h.Length)
}

func exchangeV1(x isakmp.ExchangeType) string {
	switch x {
	case 1:
		return "base exchange"
	case 6:
		return "transaction (mode config)"
	}
	return x.String()
}

func flagsV1(f uint8) string {
	return flagText(f, []flagName{{isakmp.FlagEncryption, "encrypted"}, {isakmp.FlagCommit, "commit"}, {isakmp.FlagAuthOnly, "authentication only"}})
}

// flagName is the name of one bit.
type flagName struct {
	bit  uint8
	name string
}

// flagText names the bits of f, unknown ones by their value.
func flagText(f uint8, names []flagName) string {
	var parts []string
	for _, n := range names {
		if f&n.bit != 0 {
			parts = append(parts, n.name)
			f &^= n.bit
		}
	}
	if f != 0 {
		parts = append(parts, fmt.Sprintf("%#02x", f))
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, "+")
}
