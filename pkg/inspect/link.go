package inspect

import (
	"encoding/binary"
	"fmt"

	"github.com/google/gopacket/layers"
)

// linkSLL2 is link type 276, of Linux's "any" interface today, of which gopacket keeps the low octet. What 20 itself stands for is not in use.
const linkSLL2 = 276 & 0xff

// network returns the IP datagram in a frame, or nil if it holds none. An error tells of a link type that is not read.
func network(link layers.LinkType, b []byte) ([]byte, error) {
	switch link {
	case layers.LinkTypeEthernet:
		return ethernet(b), nil
	case layers.LinkTypeRaw, 12, 14, layers.LinkTypeIPv4, layers.LinkTypeIPv6:
		return b, nil
	case layers.LinkTypeNull, layers.LinkTypeLoop:
		return from(b, 4), nil
	case layers.LinkTypeLinuxSLL:
		return typed(b, 14, 16), nil
	case linkSLL2:
		return typed(b, 0, 20), nil
	}
	return nil, fmt.Errorf("link type %d is not read: capture on an Ethernet, raw IP or Linux \"any\" interface", link)
}

// ethernet strips the Ethernet header and its VLAN tags.
func ethernet(b []byte) []byte {
	at := 12
	for len(b) >= at+2 {
		switch binary.BigEndian.Uint16(b[at:]) {
		case 0x0800, 0x86dd:
			return b[at+2:]
		case 0x8100, 0x88a8, 0x9100:
			at += 4
		default:
			return nil
		}
	}
	return nil
}

// typed returns what begins at off if the EtherType at typeAt is that of IP.
func typed(b []byte, typeAt, off int) []byte {
	if len(b) < off {
		return nil
	}
	if t := binary.BigEndian.Uint16(b[typeAt:]); t != 0x0800 && t != 0x86dd {
		return nil
	}
	return b[off:]
}

func from(b []byte, off int) []byte {
	if len(b) < off {
		return nil
	}
	return b[off:]
}
