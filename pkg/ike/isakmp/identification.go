package isakmp

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/pki"
)

// Range and Ports are parts of a Selector.
type (
	Range = classifier.Range
	Ports = classifier.Ports
)

// IDType is the type of an identification payload (RFC 2407 §4.6.2.1).
type IDType uint8

const (
	IDIPv4Addr   IDType = 1
	IDFQDN       IDType = 2
	IDUserFQDN   IDType = 3
	IDIPv4Subnet IDType = 4
	IDIPv6Addr   IDType = 5
	IDIPv6Subnet IDType = 6
	IDIPv4Range  IDType = 7
	IDIPv6Range  IDType = 8
	IDDERASN1DN  IDType = 9
	IDDERASN1GN  IDType = 10
	IDKeyID      IDType = 11
)

// Identification is the body of an identification payload.
type Identification struct {
	Type     IDType
	Protocol uint8
	Port     uint16
	Data     []byte
}

// ParseIdentification reads the body; Data is a slice of it.
func ParseIdentification(b []byte) (Identification, error) {
	c := cursor{b: b}
	id := Identification{Type: IDType(c.u8()), Protocol: c.u8(), Port: c.u16(), Data: c.rest()}
	if c.failed {
		return id, fmt.Errorf("%w: an identification of %d bytes", ErrSyntax, len(b))
	}
	return id, nil
}

// Append appends the body.
func (id Identification) Append(b []byte) []byte {
	b = append(b, uint8(id.Type), id.Protocol)
	b = binary.BigEndian.AppendUint16(b, id.Port)
	return append(b, id.Data...)
}

// AddrID is the identification of one address.
func AddrID(a netip.Addr) Identification {
	if a.Is4() {
		return Identification{Type: IDIPv4Addr, Data: a.AsSlice()}
	}
	return Identification{Type: IDIPv6Addr, Data: a.AsSlice()}
}

// ParseID turns what an administrator wrote into an identification: an address, user@name, a name (also with a leading @),
// or keyid:TEXT and keyid:0xHEX.
func ParseID(s string) (Identification, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return AddrID(a.Unmap().WithZone("")), nil
	}
	if rest, ok := strings.CutPrefix(s, "keyid:"); ok {
		data := []byte(rest)
		if h, ok := strings.CutPrefix(rest, "0x"); ok {
			var err error
			if data, err = hex.DecodeString(h); err != nil {
				return Identification{}, fmt.Errorf("identity %q: %w", s, err)
			}
		}
		return Identification{Type: IDKeyID, Data: data}, nil
	}
	name, at := strings.CutPrefix(s, "@")
	if name == "" {
		return Identification{}, fmt.Errorf("identity %q is empty: write an address, a name, user@name or keyid:TEXT", s)
	}
	if !at && strings.Contains(s, "@") {
		return Identification{Type: IDUserFQDN, Data: []byte(s)}, nil
	}
	return Identification{Type: IDFQDN, Data: []byte(name)}, nil
}

// Same reports whether two identifications name the same party: type and value, not protocol and port. Names compare without
// regard to the case of ASCII letters.
func (id Identification) Same(other Identification) bool {
	if id.Type != other.Type {
		return false
	}
	if id.Type == IDFQDN || id.Type == IDUserFQDN {
		return strings.EqualFold(string(id.Data), string(other.Data))
	}
	return string(id.Data) == string(other.Data)
}

// Addr is the address of an address identification.
func (id Identification) Addr() (netip.Addr, bool) {
	if id.Type != IDIPv4Addr && id.Type != IDIPv6Addr {
		return netip.Addr{}, false
	}
	r, err := id.Range()
	return r.From, err == nil
}

// String shows the identification to a person, escaped and cut.
func (id Identification) String() string {
	if r, err := id.Range(); err == nil {
		if r.From == r.To {
			return r.From.String()
		}
		return r.From.String() + "-" + r.To.String()
	}
	switch id.Type {
	case IDFQDN, IDUserFQDN:
		return Escape(string(id.Data))
	case IDKeyID:
		return "keyid:" + Escape(string(id.Data))
	case IDDERASN1DN:
		if dn := pki.FormatDN(id.Data); dn != "" {
			return Escape(dn)
		}
	}
	return fmt.Sprintf("identity type %d of %d bytes", id.Type, len(id.Data))
}

// Range is the set of addresses that a quick-mode identification names.
func (id Identification) Range() (Range, error) {
	size := 4
	switch id.Type {
	case IDIPv6Addr, IDIPv6Subnet, IDIPv6Range:
		size = 16
	case IDIPv4Addr, IDIPv4Subnet, IDIPv4Range:
	default:
		return Range{}, fmt.Errorf("identity type %d names no addresses", id.Type)
	}
	single := id.Type == IDIPv4Addr || id.Type == IDIPv6Addr
	if want := size * 2; single && len(id.Data) != size || !single && len(id.Data) != want {
		return Range{}, fmt.Errorf("%w: an identity of type %d with %d bytes", ErrSyntax, id.Type, len(id.Data))
	}
	first, _ := netip.AddrFromSlice(id.Data[:size])
	if single {
		return Range{From: first, To: first}, nil
	}
	second, _ := netip.AddrFromSlice(id.Data[size:])
	if id.Type == IDIPv4Range || id.Type == IDIPv6Range {
		if second.Less(first) {
			return Range{}, fmt.Errorf("%w: an address range that ends before it starts", ErrSyntax)
		}
		return Range{From: first, To: second}, nil
	}
	return maskRange(id.Data[:size], id.Data[size:])
}

// maskRange is the subnet addr with mask; the mask must be contiguous. Host bits of the address are ignored.
func maskRange(addr, mask []byte) (Range, error) {
	from, to := make([]byte, len(addr)), make([]byte, len(addr))
	ended := false
	for i, m := range mask {
		if inv := ^m; ended && m != 0 || inv&(inv+1) != 0 {
			return Range{}, fmt.Errorf("%w: a subnet mask with a hole", ErrSyntax)
		}
		ended = ended || m != 0xff
		from[i], to[i] = addr[i]&m, addr[i]|^m
	}
	f, _ := netip.AddrFromSlice(from)
	t, _ := netip.AddrFromSlice(to)
	return Range{From: f, To: t}, nil
}

// RangeID is the shortest identification of a range of addresses: address, subnet or range.
func RangeID(r Range, protocol uint8, port uint16) Identification {
	id := Identification{Protocol: protocol, Port: port}
	four := r.From.Is4()
	switch bits, ok := prefixLen(r); {
	case r.From == r.To:
		id.Type, id.Data = pick(four, IDIPv4Addr, IDIPv6Addr), r.From.AsSlice()
	case ok:
		id.Type = pick(four, IDIPv4Subnet, IDIPv6Subnet)
		id.Data = append(r.From.AsSlice(), mask(r.From.BitLen()/8, bits)...)
	default:
		id.Type = pick(four, IDIPv4Range, IDIPv6Range)
		id.Data = append(r.From.AsSlice(), r.To.AsSlice()...)
	}
	return id
}

func pick(four bool, a, b IDType) IDType {
	if four {
		return a
	}
	return b
}

func mask(size, bits int) []byte {
	m := make([]byte, size)
	for i := range bits {
		m[i/8] |= 0x80 >> (i % 8)
	}
	return m
}

// prefixLen is the length of the prefix that equals r, if one does.
func prefixLen(r Range) (int, bool) {
	from, to := r.From.AsSlice(), r.To.AsSlice()
	bits := 0
	for bits < len(from)*8 && bit(from, bits) == bit(to, bits) {
		bits++
	}
	for i := bits; i < len(from)*8; i++ {
		if bit(from, i) != 0 || bit(to, i) != 1 {
			return 0, false
		}
	}
	return bits, true
}

func bit(b []byte, i int) byte { return b[i/8] >> (7 - i%8) & 1 }
