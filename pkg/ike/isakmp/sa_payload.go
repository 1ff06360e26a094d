package isakmp

import (
	"encoding/binary"
	"fmt"
)

// ProtocolID is a security protocol as proposals, notifications and deletions name it (RFC 2407 §4.4.1).
type ProtocolID uint8

const (
	ProtoISAKMP ProtocolID = 1
	ProtoAH     ProtocolID = 2
	ProtoESP    ProtocolID = 3
)

const (
	// DOIIPsec is the domain of interpretation of RFC 2407.
	DOIIPsec uint32 = 1
	// SituationIdentityOnly is SIT_IDENTITY_ONLY.
	SituationIdentityOnly uint32 = 1
)

// Bounds of what is read of one SA payload: more is refused, so that hostile input stays cheap.
const (
	maxProposals  = 64
	maxTransforms = 255
)

// SA is the body of a security association payload (RFC 2408 §3.4).
type SA struct {
	DOI, Situation uint32
	Proposals      []Proposal
}

// Proposal is one proposal payload. Those of one number belong together (AND); different numbers are alternatives (OR).
type Proposal struct {
	Number     uint8
	Protocol   ProtocolID
	SPI        []byte
	Transforms []Transform
}

// Transform is one alternative of a proposal.
type Transform struct {
	Number     uint8
	ID         uint8
	Attributes []Attribute
}

// ParseSA reads the body of an SA payload.
func ParseSA(b []byte) (SA, error) {
	c := cursor{b: b}
	sa := SA{DOI: c.u32(), Situation: c.u32()}
	if c.failed {
		return sa, fmt.Errorf("%w: an SA payload of %d bytes", ErrSyntax, len(b))
	}
	if sa.DOI != DOIIPsec || sa.Situation != SituationIdentityOnly {
		return sa, fmt.Errorf("%w: DOI %d with situation %d", ErrSyntax, sa.DOI, sa.Situation)
	}
	for more := true; more; {
		if len(sa.Proposals) == maxProposals {
			return sa, fmt.Errorf("%w: more than %d proposals", ErrSyntax, maxProposals)
		}
		body, last, err := substructure(&c, uint8(PayloadSA+1))
		if err != nil {
			return sa, fmt.Errorf("proposal %d: %w", len(sa.Proposals)+1, err)
		}
		p, err := parseProposal(body)
		if err != nil {
			return sa, err
		}
		sa.Proposals = append(sa.Proposals, p)
		more = !last
	}
	if !c.done() {
		return sa, fmt.Errorf("%w: bytes follow the last proposal", ErrSyntax)
	}
	return sa, nil
}

// substructure takes the next proposal (2) or transform (3): its marker says whether another of its kind follows.
func substructure(c *cursor, kind uint8) (body cursor, last bool, err error) {
	marker := c.u8()
	c.u8()
	length := int(c.u16())
	body = c.sub(length - 4)
	if c.failed || (marker != 0 && marker != kind) {
		return body, false, fmt.Errorf("%w: bad length or next-payload in a proposal or transform", ErrSyntax)
	}
	return body, marker == 0, nil
}

func parseProposal(c cursor) (Proposal, error) {
	p := Proposal{Number: c.u8(), Protocol: ProtocolID(c.u8())}
	spiLen, n := int(c.u8()), int(c.u8())
	p.SPI = c.take(spiLen)
	if c.failed || n == 0 || n > maxTransforms {
		return p, fmt.Errorf("%w: proposal %d has a bad SPI length or no transform", ErrSyntax, p.Number)
	}
	for i := range n {
		body, last, err := substructure(&c, 3)
		if err != nil {
			return p, err
		}
		if last != (i == n-1) {
			return p, fmt.Errorf("%w: proposal %d does not have the %d transforms it claims", ErrSyntax, p.Number, n)
		}
		t := Transform{Number: body.u8(), ID: body.u8()}
		body.u16()
		if body.failed {
			return p, fmt.Errorf("%w: a transform is too short", ErrSyntax)
		}
		if t.Attributes, err = parseAttributes(&body); err != nil {
			return p, err
		}
		p.Transforms = append(p.Transforms, t)
	}
	if !c.done() {
		return p, fmt.Errorf("%w: bytes follow the last transform of proposal %d", ErrSyntax, p.Number)
	}
	return p, nil
}

// Append appends the body of the payload.
func (sa SA) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, sa.DOI)
	b = binary.BigEndian.AppendUint32(b, sa.Situation)
	for i, p := range sa.Proposals {
		start := len(b)
		b = append(b, marker(i, len(sa.Proposals), 2), 0, 0, 0, p.Number, uint8(p.Protocol), uint8(len(p.SPI)), uint8(len(p.Transforms)))
		b = append(b, p.SPI...)
		for j, t := range p.Transforms {
			at := len(b)
			b = append(b, marker(j, len(p.Transforms), 3), 0, 0, 0, t.Number, t.ID, 0, 0)
			b = AppendAttributes(b, t.Attributes)
			binary.BigEndian.PutUint16(b[at+2:], uint16(len(b)-at))
		}
		binary.BigEndian.PutUint16(b[start+2:], uint16(len(b)-start))
	}
	return b
}

func marker(i, n int, kind uint8) uint8 {
	if i+1 < n {
		return kind
	}
	return 0
}
