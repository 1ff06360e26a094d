package isakmp

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// PayloadType is a payload's number (RFC 2408 §3.1, RFC 3947 §5).
type PayloadType uint8

const (
	PayloadNone         PayloadType = 0
	PayloadSA           PayloadType = 1
	PayloadKE           PayloadType = 4
	PayloadID           PayloadType = 5
	PayloadCert         PayloadType = 6
	PayloadCertRequest  PayloadType = 7
	PayloadHash         PayloadType = 8
	PayloadSignature    PayloadType = 9
	PayloadNonce        PayloadType = 10
	PayloadNotify       PayloadType = 11
	PayloadDelete       PayloadType = 12
	PayloadVendor       PayloadType = 13
	PayloadAttributes   PayloadType = 14 // draft-ietf-ipsec-isakmp-mode-cfg-05
	PayloadNATD         PayloadType = 20
	PayloadNATOA        PayloadType = 21
	payloadNATDraft     PayloadType = 130 // NAT-D and NAT-OA of the drafts before RFC 3947
	payloadNATOADraft   PayloadType = 131
	PayloadFragment     PayloadType = 132 // its message is a part of another one
	payloadLastOfBitSet PayloadType = 63
)

// MaxPayloads is how many payloads one message may hold (security.md P9).
const MaxPayloads = 64

// usualPayloads is how many most messages have at the most.
const usualPayloads = 8

// PayloadSet is a set of payload types below 64. All the types that IKEv1 knows fit.
type PayloadSet uint64

// Set makes a PayloadSet.
func Set(types ...PayloadType) PayloadSet {
	var s PayloadSet
	for _, t := range types {
		s |= 1 << (t & payloadLastOfBitSet)
	}
	return s
}

// Has reports whether t is in s.
func (s PayloadSet) Has(t PayloadType) bool { return t <= payloadLastOfBitSet && s&(1<<t) != 0 }

// Payload is one payload of a message: its body is what follows the four bytes of the generic header.
type Payload struct {
	Type PayloadType
	Body []byte
	// Start and End are where the payload, with its generic header, lies in the parsed body; meaningless for a built one.
	Start, End int
}

// ParsePayloads splits a message body into its payloads. If padded is set, bytes may follow the last payload (encryption's
// padding); otherwise they are an error. The bodies are slices of b. Types of the NAT-T drafts come out under their final numbers.
func ParsePayloads(first PayloadType, b []byte, padded bool) ([]Payload, error) {
	out := make([]Payload, 0, usualPayloads)
	at := 0
	for t := first; t != PayloadNone; {
		if len(out) == MaxPayloads {
			return nil, fmt.Errorf("%w: more than %d payloads", ErrSyntax, MaxPayloads)
		}
		if len(b)-at < 4 {
			return nil, fmt.Errorf("%w: payload %d starts beyond the end", ErrSyntax, t)
		}
		length := int(binary.BigEndian.Uint16(b[at+2:]))
		if length < 4 || length > len(b)-at {
			return nil, fmt.Errorf("%w: payload %d claims %d bytes of %d", ErrSyntax, t, length, len(b)-at)
		}
		out = append(out, Payload{Type: finalType(t), Body: b[at+4 : at+length : at+length], Start: at, End: at + length})
		t = PayloadType(b[at])
		at += length
	}
	if at != len(b) && !padded {
		return nil, fmt.Errorf("%w: %d bytes follow the last payload", ErrSyntax, len(b)-at)
	}
	return out, nil
}

func finalType(t PayloadType) PayloadType {
	switch t {
	case payloadNATDraft:
		return PayloadNATD
	case payloadNATOADraft:
		return PayloadNATOA
	}
	return t
}

// usualPadding is room for what encryption adds behind the last payload, in bytes.
const usualPadding = 16

// AppendPayloads chains payloads and returns the extended slice. A body longer than a payload can be is an error of the caller.
func AppendPayloads(b []byte, ps []Payload) ([]byte, error) {
	size := 0
	for i := range ps {
		size += 4 + len(ps[i].Body)
	}
	b = slices.Grow(b, size+usualPadding)
	for i, p := range ps {
		next := PayloadNone
		if i+1 < len(ps) {
			next = ps[i+1].Type
		}
		length := len(p.Body) + 4
		if length > 0xffff {
			return nil, fmt.Errorf("a payload of %d bytes is too long to send", length)
		}
		b = append(b, uint8(next), 0, uint8(length>>8), uint8(length))
		b = append(b, p.Body...)
	}
	return b, nil
}

// FirstType is the type of the first of ps, for the header.
func FirstType(ps []Payload) PayloadType {
	if len(ps) == 0 {
		return PayloadNone
	}
	return ps[0].Type
}
