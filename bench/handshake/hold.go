package handshake

import (
	"context"
	"time"

	"github.com/goipsec/goipsec/pkg/ike"
	"github.com/goipsec/goipsec/pkg/suite"
)

// Held is two engines that hold a main-mode SA and an SA pair for each of many peers. Let one go by setting it to nil.
type Held struct {
	Initiator, Responder *ike.Engine

	now time.Time
}

// Hold makes n negotiations with Curve25519, AES-128-GCM and no PFS between two engines and compares the ends, as Run does.
func Hold(ctx context.Context, n int) (*Held, error) {
	var p pair
	for i := range p {
		// A source that keeps nothing: the table of inbound SAs is not the engine's.
		next := uint32(i+1) << 24
		newSPI := func(suite.Protocol, int) (uint32, error) { next++; return next, nil }
		var err error
		if p[i], err = newEnd(exchanges()[0], i == 0, newSPI, 0, 0); err != nil {
			return nil, err
		}
	}
	now := time.Now()
	for k := range n {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err := p.negotiate(now, k); err != nil {
			return nil, err
		}
	}
	if err := verify(p[0], p[1], n); err != nil {
		return nil, err
	}
	return &Held{Initiator: p[0].engine, Responder: p[1].engine, now: now}, nil
}

// Wait lets time go by for both engines, at once. The datagrams between them arrive.
func (h *Held) Wait(d time.Duration) error {
	h.now = h.now.Add(d)
	h.Initiator.Advance(h.now)
	h.Responder.Advance(h.now)
	return pair{{engine: h.Initiator}, {engine: h.Responder}}.settle(h.now)
}
