package isakmp

import (
	"encoding/binary"
	"fmt"
)

// HeaderLen is the length of the ISAKMP header in bytes (RFC 2408 §3.1).
const HeaderLen = 28

// ExchangeType is the exchange a message belongs to.
type ExchangeType uint8

const (
	MainMode      ExchangeType = 2 // Identity Protection
	Aggressive    ExchangeType = 4
	Informational ExchangeType = 5
	Transaction   ExchangeType = 6  // draft-ietf-ipsec-isakmp-mode-cfg-05
	QuickMode     ExchangeType = 32 // RFC 2409 §10
	NewGroupMode  ExchangeType = 33
)

func (x ExchangeType) String() string {
	switch x {
	case MainMode:
		return "main mode"
	case Aggressive:
		return "aggressive mode"
	case Informational:
		return "informational"
	case Transaction:
		return "transaction"
	case QuickMode:
		return "quick mode"
	}
	return fmt.Sprintf("exchange %d", uint8(x))
}

// Flags of the header.
const (
	FlagEncryption uint8 = 1
	FlagCommit     uint8 = 2
	FlagAuthOnly   uint8 = 4
	// FlagV2Initiator and FlagV2Response are those of RFC 7296 §3.1.
	FlagV2Initiator uint8 = 8
	FlagV2Response  uint8 = 32
)

// Version1 is the version octet of IKEv1.
const Version1 = 0x10

// Cookie is half of an ISAKMP SA's name (IKEv2: an SPI).
type Cookie = [8]byte

// Header is the fixed header of every message.
type Header struct {
	InitiatorCookie, ResponderCookie Cookie
	NextPayload                      PayloadType
	Version                          uint8
	Exchange                         ExchangeType
	Flags                            uint8
	MessageID                        uint32
	// Length is that of the whole message in bytes.
	Length int
}

// ParseHeader reads the header. A datagram must be as long as its header says, and between 28 bytes and 64 KiB.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < HeaderLen {
		return Header{}, fmt.Errorf("%w: %d bytes are no header", ErrSyntax, len(b))
	}
	h := Header{NextPayload: PayloadType(b[16]), Version: b[17], Exchange: ExchangeType(b[18]), Flags: b[19],
		MessageID: binary.BigEndian.Uint32(b[20:])}
	copy(h.InitiatorCookie[:], b)
	copy(h.ResponderCookie[:], b[8:])
	length := binary.BigEndian.Uint32(b[24:])
	if uint64(length) != uint64(len(b)) || length > 1<<16 {
		return h, fmt.Errorf("%w: the header says %d bytes, the datagram has %d", ErrSyntax, length, len(b))
	}
	h.Length = int(length)
	return h, nil
}

// Append appends the header.
func (h Header) Append(b []byte) []byte {
	b = append(b, h.InitiatorCookie[:]...)
	b = append(b, h.ResponderCookie[:]...)
	b = append(b, uint8(h.NextPayload), h.Version, uint8(h.Exchange), h.Flags)
	b = binary.BigEndian.AppendUint32(b, h.MessageID)
	return binary.BigEndian.AppendUint32(b, uint32(h.Length))
}
