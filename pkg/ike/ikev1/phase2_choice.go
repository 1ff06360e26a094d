package ikev1

import (
	"errors"
	"fmt"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
)

// choice is an agreed alternative: what it is, the peer's SPIs and the proposal as it goes back to the initiator (SPIs still its own).
type choice struct {
	suite  phase2Suite
	spiOut map[isakmp.ProtocolID]uint32
	answer []isakmp.Proposal
}

// choosePhase2 takes the first of the initiator's alternatives that is allowed. ok is false if none is; the offers are for the
// explanation.
func choosePhase2(sa isakmp.SA, allowed []phase2Suite) (c choice, ok bool, seen []offer) {
	for i := 0; i < len(sa.Proposals); {
		j := i + 1
		for j < len(sa.Proposals) && sa.Proposals[j].Number == sa.Proposals[i].Number {
			j++
		}
		c, ok, offers := chooseOne(sa.Proposals[i:j], allowed)
		if seen = append(seen, offers...); ok {
			return c, true, seen
		}
		i = j
	}
	return choice{}, false, seen
}

// chooseOne looks at the proposals of one number: each of its protocols' transforms in turn. There are one or two protocols.
func chooseOne(and []isakmp.Proposal, allowed []phase2Suite) (c choice, ok bool, seen []offer) {
	parts := map[isakmp.ProtocolID]isakmp.Proposal{}
	for _, p := range and {
		if _, twice := parts[p.Protocol]; twice || len(p.SPI) != 4 || p.Protocol != isakmp.ProtoESP && p.Protocol != isakmp.ProtoAH {
			return c, false, []offer{{err: fmt.Errorf("protocol %d twice, unknown or with an SPI of %d bytes", p.Protocol, len(p.SPI))}}
		}
		if spi := spiNumber(p.SPI); spi < 256 {
			return c, false, []offer{{err: fmt.Errorf("SPI %d is reserved", spi)}}
		}
		parts[p.Protocol] = p
	}
	tried := 0
	for _, e := range alternatives(parts, isakmp.ProtoESP) {
		for _, a := range alternatives(parts, isakmp.ProtoAH) {
			if tried++; tried > 256 {
				return c, false, seen
			}
			s, err := pair(e, a)
			if err != nil {
				seen = append(seen, offer{err: err})
				continue
			}
			seen = append(seen, offer{fields: s.fields()})
			for _, o := range allowed {
				if s.same(o) {
					return makeChoice(s, and, e, a), true, seen
				}
			}
		}
	}
	return c, false, seen
}

// alternative is a transform of one protocol, or (wire nil) that the protocol is not part of the proposal.
type alternative struct {
	wire   *isakmp.Transform
	parsed *phase2Transform
	err    error
}

func alternatives(parts map[isakmp.ProtocolID]isakmp.Proposal, p isakmp.ProtocolID) []alternative {
	prop, ok := parts[p]
	if !ok {
		return []alternative{{}}
	}
	var out []alternative
	for i := range prop.Transforms {
		t, err := parsePhase2Transform(p, prop.Transforms[i])
		out = append(out, alternative{wire: &prop.Transforms[i], parsed: &t, err: err})
	}
	return out
}

func pair(esp, ah alternative) (phase2Suite, error) {
	s := phase2Suite{esp: esp.parsed, ah: ah.parsed}
	if err := errors.Join(esp.err, ah.err); err != nil {
		return s, err
	}
	return s, s.check()
}

func makeChoice(s phase2Suite, and []isakmp.Proposal, esp, ah alternative) choice {
	c := choice{suite: s, spiOut: map[isakmp.ProtocolID]uint32{}}
	for _, p := range and {
		c.spiOut[p.Protocol] = spiNumber(p.SPI)
		wire := esp.wire
		if p.Protocol == isakmp.ProtoAH {
			wire = ah.wire
		}
		p.Transforms = []isakmp.Transform{*wire}
		c.answer = append(c.answer, p)
	}
	return c
}

// acceptPhase2 checks the responder's choice against the offers.
func acceptPhase2(sa isakmp.SA, offered []phase2Suite) (choice, error) {
	for _, p := range sa.Proposals {
		if p.Number != sa.Proposals[0].Number || len(p.Transforms) != 1 {
			return choice{}, errors.New("the responder's choice is not one alternative")
		}
	}
	c, ok, seen := choosePhase2(sa, offered)
	if !ok {
		return c, fmt.Errorf("the responder's choice was not offered:\n%s", sideBySide(seen, suiteFields(offered)))
	}
	return c, nil
}

func suiteFields(ss []phase2Suite) [][]field {
	var out [][]field
	for _, s := range ss {
		out = append(out, s.fields())
	}
	return out
}

func spiNumber(b []byte) uint32 {
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}
