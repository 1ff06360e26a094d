package isakmp

import (
	"encoding/binary"
	"fmt"
)

// Attribute is a data attribute of a transform (RFC 2408 §3.3), in its basic (two bytes) or its variable form.
type Attribute struct {
	Type  uint16 // without the format bit
	Basic bool
	Value []byte // two bytes if Basic
}

// BasicAttribute makes an attribute in the short form.
func BasicAttribute(t, v uint16) Attribute {
	return Attribute{Type: t, Basic: true, Value: []byte{uint8(v >> 8), uint8(v)}}
}

// NumberAttribute makes the short form where v fits, else four bytes in the variable form.
func NumberAttribute(t uint16, v uint32) Attribute {
	if v <= 0xffff {
		return BasicAttribute(t, uint16(v))
	}
	return Attribute{Type: t, Value: binary.BigEndian.AppendUint32(nil, v)}
}

// Number is the value as an unsigned number. It is not ok for values of none or more than eight bytes.
func (a Attribute) Number() (n uint64, ok bool) {
	if len(a.Value) == 0 || len(a.Value) > 8 {
		return 0, false
	}
	for _, b := range a.Value {
		n = n<<8 | uint64(b)
	}
	return n, true
}

// ParseAttributes reads attributes to the end of b.
func ParseAttributes(b []byte) ([]Attribute, error) {
	c := cursor{b: b}
	return parseAttributes(&c)
}

func parseAttributes(c *cursor) ([]Attribute, error) {
	var out []Attribute
	for !c.done() {
		t := c.u16()
		a := Attribute{Type: t & 0x7fff, Basic: t&0x8000 != 0}
		if a.Basic {
			a.Value = c.take(2)
		} else {
			a.Value = c.take(int(c.u16()))
		}
		if c.failed {
			return nil, fmt.Errorf("%w: attribute %d runs past the end", ErrSyntax, a.Type)
		}
		out = append(out, a)
	}
	return out, nil
}

// AppendAttributes appends attributes.
func AppendAttributes(b []byte, as []Attribute) []byte {
	for _, a := range as {
		if a.Basic {
			b = binary.BigEndian.AppendUint16(b, a.Type|0x8000)
			b = append(b, a.Value[:2]...)
			continue
		}
		b = binary.BigEndian.AppendUint16(b, a.Type)
		b = binary.BigEndian.AppendUint16(b, uint16(len(a.Value)))
		b = append(b, a.Value...)
	}
	return b
}
