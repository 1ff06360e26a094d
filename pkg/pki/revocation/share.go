package revocation

import (
	"context"
	"crypto/x509"
	"time"
)

// share is what one certificate of a chain may use of its check: an equal part of the time, and of that an equal part for each place that it names. What one place leaves, the later ones have. So
// a server that swallows what it is sent keeps no other from being asked, and no certificate that from being asked about.
type share struct {
	end    time.Time     // of the certificate's part; zero: the check has no deadline
	place  time.Duration // for one place, at least
	places int           // that are not asked yet
	kept   int           // URLs that stay for the certificates below, one for each
}

// shareFor makes the share of a certificate of a chain with below others to check after it, of all.
func (k *check) shareFor(c *x509.Certificate, below, all int) share {
	s := share{places: len(fetchable(c.CRLDistributionPoints)), kept: below}
	if !k.rules.NoOCSP {
		s.places += len(fetchable(c.OCSPServer))
	}
	part := MaxTime / time.Duration(all)
	if end, ok := k.ctx.Deadline(); ok {
		s.end = end.Add(-part * time.Duration(below))
	}
	s.place = part / time.Duration(max(1, s.places))
	return s
}

// turn is the context of the next place's turn.
func (k *check) turn() (context.Context, context.CancelFunc) {
	s := &k.share
	s.places = max(0, s.places-1)
	until := s.end.Add(-s.place * time.Duration(s.places))
	// A check that had less than MaxTime from the beginning is late for every turn: each is as long as it would be, while there is time.
	ctx, cancel := context.WithTimeout(k.ctx, s.place)
	if end, ok := ctx.Deadline(); ok && end.Before(until) {
		cancel()
		return context.WithDeadline(k.ctx, until)
	}
	return ctx, cancel
}
