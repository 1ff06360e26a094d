package isakmp

import (
	"encoding/binary"
	"fmt"
)

// ConfigType is what an attribute payload does (draft-ietf-ipsec-isakmp-mode-cfg-05 §3.2).
type ConfigType uint8

const (
	ConfigRequest ConfigType = iota + 1
	ConfigReply
	ConfigSet
	ConfigAck
)

func (t ConfigType) String() string {
	switch t {
	case ConfigRequest:
		return "request"
	case ConfigReply:
		return "reply"
	case ConfigSet:
		return "set"
	case ConfigAck:
		return "ack"
	}
	return fmt.Sprintf("configuration type %d", uint8(t))
}

// Attributes of mode config (draft-ietf-ipsec-isakmp-mode-cfg-05 §3.3).
const (
	ConfigIP4Address  = 1
	ConfigIP4Netmask  = 2
	ConfigIP4DNS      = 3
	ConfigIP4NBNS     = 4
	ConfigApplication = 7
	ConfigIP6Address  = 8
	ConfigIP6DNS      = 10
	ConfigIP6NBNS     = 11
	ConfigIP4Subnet   = 13
	ConfigIP6Subnet   = 15
)

// Attributes of XAUTH (draft-beaulieu-ike-xauth-02 §6.2).
const (
	XAuthType     = 16520
	XAuthUser     = 16521
	XAuthPassword = 16522
	XAuthPasscode = 16523
	XAuthMessage  = 16524
	XAuthDomain   = 16526
	XAuthStatus   = 16527
	XAuthAnswer   = 16529
)

// Configuration is the body of an attribute payload. The reply to it has the same ID.
type Configuration struct {
	Type       ConfigType
	ID         uint16
	Attributes []Attribute
}

// maxConfigAttributes bounds what one message may ask for or say.
const maxConfigAttributes = 128

// ParseConfiguration reads the body; the values are slices of it.
func ParseConfiguration(b []byte) (Configuration, error) {
	c := cursor{b: b}
	x := Configuration{Type: ConfigType(c.u8())}
	reserved := c.u8()
	x.ID = c.u16()
	if c.failed || reserved != 0 || x.Type < ConfigRequest || x.Type > ConfigAck {
		return x, fmt.Errorf("%w: an attribute payload of %d bytes and type %d", ErrSyntax, len(b), x.Type)
	}
	var err error
	if x.Attributes, err = parseAttributes(&c); err == nil && len(x.Attributes) > maxConfigAttributes {
		err = fmt.Errorf("%w: %d attributes", ErrSyntax, len(x.Attributes))
	}
	return x, err
}

// Append appends the body.
func (x Configuration) Append(b []byte) []byte {
	b = append(b, uint8(x.Type), 0)
	b = binary.BigEndian.AppendUint16(b, x.ID)
	return AppendAttributes(b, x.Attributes)
}

// All returns the values of all attributes of a type.
func (x Configuration) All(attribute uint16) [][]byte {
	var out [][]byte
	for _, a := range x.Attributes {
		if a.Type == attribute {
			out = append(out, a.Value)
		}
	}
	return out
}

// One returns the value of an attribute that must not stand there more than once; ok is false if it does, or is not there.
func (x Configuration) One(attribute uint16) (value []byte, ok bool) {
	all := x.All(attribute)
	if len(all) != 1 {
		return nil, false
	}
	return all[0], true
}
