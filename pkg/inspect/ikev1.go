package inspect

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
)

// bodyV1 prints the payloads of an IKEv1 message, decrypted if its key is known.
func (c *conversations) bodyV1(p *Packet, h *isakmp.Header, body []byte) {
	if h.Flags&isakmp.FlagEncryption != 0 {
		ps, err := c.decrypt(h, body)
		if err != nil {
			p.add(0, "encrypted, %d bytes, first payload %s; not decrypted: %v", len(body), payloadV1(h.NextPayload), err)
			return
		}
		p.add(0, "decrypted:")
		p.payloadsV1(h, ps)
		return
	}
	ps, err := isakmp.ParsePayloads(h.NextPayload, body, false)
	if err != nil {
		p.malformed("IKEv1 "+exchangeV1(h.Exchange)+" message", err)
		return
	}
	if h.Exchange == isakmp.MainMode || h.Exchange == isakmp.Aggressive {
		c.find(h.InitiatorCookie).learn(&isakmp.Message{Header: *h, Payloads: ps})
	}
	p.payloadsV1(h, ps)
}

func (p *Packet) payloadsV1(h *isakmp.Header, ps []isakmp.Payload) {
	for i := range ps {
		if err := p.payloadBodyV1(h, &ps[i]); err != nil {
			p.add(0, "%s: malformed: %v", payloadV1(ps[i].Type), err)
		}
	}
}

// payloadNames are those of RFC 2408 §3.1, RFC 3947 §5 and the vendors.
var payloadNames = map[isakmp.PayloadType]string{isakmp.PayloadNone: "none", isakmp.PayloadSA: "SA", 2: "proposal", 3: "transform", isakmp.PayloadKE: "KE", isakmp.PayloadID: "ID",
	isakmp.PayloadCert: "CERT", isakmp.PayloadCertRequest: "CERTREQ", isakmp.PayloadHash: "HASH", isakmp.PayloadSignature: "SIG", isakmp.PayloadNonce: "NONCE",
	isakmp.PayloadNotify: "NOTIFY", isakmp.PayloadDelete: "DELETE", isakmp.PayloadVendor: "VENDOR", isakmp.PayloadAttributes: "ATTRIBUTES", isakmp.PayloadNATD: "NAT-D", isakmp.PayloadNATOA: "NAT-OA", isakmp.PayloadFragment: "FRAGMENT"}

func payloadV1(t isakmp.PayloadType) string {
	if s, ok := payloadNames[t]; ok {
		return s
	}
	return fmt.Sprintf("payload %d", uint8(t))
}

func (p *Packet) payloadBodyV1(h *isakmp.Header, x *isakmp.Payload) error {
	name := payloadV1(x.Type)
	switch x.Type {
	case isakmp.PayloadSA:
		return p.saV1(x.Body)
	case isakmp.PayloadID, isakmp.PayloadNATOA:
		id, err := isakmp.ParseIdentification(x.Body)
		if err != nil {
			return err
		}
		p.add(0, "%s: %s%s", name, id, upperID(&id))
	case isakmp.PayloadNotify:
		return p.notifyV1(x.Body)
	case isakmp.PayloadDelete:
		return p.deleteV1(x.Body)
	case isakmp.PayloadVendor:
		p.add(0, "%s: %s", name, vendorName(x.Body))
	case isakmp.PayloadNATD:
		p.add(0, "%s: %.40x", name, x.Body)
	case isakmp.PayloadCert, isakmp.PayloadCertRequest:
		if len(x.Body) == 0 {
			return errShort
		}
		p.add(0, "%s: encoding %d, %d bytes", name, x.Body[0], len(x.Body)-1)
	default:
		p.add(0, "%s: %d bytes", name, len(x.Body))
	}
	return nil
}

func upperID(id *isakmp.Identification) string {
	if id.Protocol == 0 && id.Port == 0 {
		return ""
	}
	return fmt.Sprintf(", %s port %d", protocolName(id.Protocol), id.Port)
}

func (p *Packet) notifyV1(b []byte) error {
	n, err := isakmp.ParseNotify(b)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("NOTIFY: %s (%s)", n.Type, protocolV1(n.Protocol))
	if len(n.SPI) > 0 {
		text += fmt.Sprintf(", SPI %.16x", n.SPI)
	}
	switch {
	case (n.Type == isakmp.DPDRequest || n.Type == isakmp.DPDReply) && len(n.Data) == 4:
		text += fmt.Sprintf(", sequence %d", uint32(n.Data[0])<<24|uint32(n.Data[1])<<16|uint32(n.Data[2])<<8|uint32(n.Data[3]))
	case n.Type == isakmp.ResponderLifetime:
		if as, err := isakmp.ParseAttributes(n.Data); err == nil {
			text += ", " + attributesText(as, attributeV1Phase2)
		}
	case len(n.Data) > 0:
		text += fmt.Sprintf(", data %s", isakmp.Escape(string(n.Data)))
	}
	p.add(0, "%s", text)
	return nil
}

func (p *Packet) deleteV1(b []byte) error {
	d, err := isakmp.ParseDelete(b)
	if err != nil {
		return err
	}
	spis := make([]string, len(d.SPIs))
	for i, s := range d.SPIs {
		spis[i] = fmt.Sprintf("%x", s)
	}
	p.add(0, "DELETE: %s SPI %s", protocolV1(d.Protocol), strings.Join(spis, ", "))
	return nil
}

func protocolV1(p isakmp.ProtocolID) string {
	switch p {
	case 0:
		return "no protocol"
	case isakmp.ProtoISAKMP:
		return "ISAKMP"
	case isakmp.ProtoAH:
		return "AH"
	case isakmp.ProtoESP:
		return "ESP"
	case 4:
		return "IPComp"
	}
	return fmt.Sprintf("protocol %d", uint8(p))
}

// vendors are vendor IDs that people meet, by their first bytes in hexadecimal.
var vendors = []struct{ prefix, name string }{
	{string(isakmp.VendorNATT), "NAT-T (RFC 3947)"},
	{string(isakmp.VendorDPD), "dead peer detection (RFC 3706)"},
	{"\x09\x00\x26\x89\xdf\xd6\xb7\x12", "XAUTH"},
	{"\x40\x48\xb7\xd5\x6e\xbc\xe8\x85\x25\xe7\xde\x7f\x00\xd6\xc2\xd3", "IKE fragmentation"},
	{"\x90\xcb\x80\x91\x3e\xbb\x69\x6e\x08\x63\x81\xb5\xec\x42\x7b\x1f", "NAT-T (draft 02)"},
	{"\xcd\x60\x46\x43\x35\xdf\x21\xf8\x7c\xfd\xb2\xfc\x68\xb6\xa4\x48", "NAT-T (draft 02)"},
	{"\x7d\x94\x19\xa6\x53\x10\xca\x6f\x2c\x17\x9d\x92\x15\x52\x9d\x56", "NAT-T (draft 03)"},
	{"\x44\x85\x15\x2d\x18\xb6\xbb\xcd\x0b\xe8\xa8\x46\x95\x79\xdd\xcc", "NAT-T (draft 00)"},
	{"\x12\xf5\xf2\x8c\x45\x71\x68\xa9\x70\x2d\x9f\xe2\x74\xcc\x01\x00", "Cisco Unity"},
	{"\x88\x2f\xe5\x6d\x6f\xd2\x0d\xbc\x22\x51\x61\x3b\x2e\xbe\x5b\xeb", "strongSwan"},
}

// vendorName names a vendor ID, or shows it.
func vendorName(b []byte) string {
	for _, v := range vendors {
		if bytes.HasPrefix(b, []byte(v.prefix)) {
			return v.name
		}
	}
	if text := isakmp.Escape(string(b)); len(b) > 0 && !strings.Contains(text, `\`) {
		return text
	}
	return fmt.Sprintf("%.32x (%d bytes)", b, len(b))
}
