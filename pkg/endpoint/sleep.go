package endpoint

import "time"

// The clock that everything is measured with stands still while the host is suspended, but lifetimes do not: the peer has counted on.

const (
	// dozed is what two readings of the clocks may differ by without a sleep.
	dozed = 2 * time.Second
	// maxSleeps is how many sleeps are remembered; an SA is not older than that many.
	maxSleeps = 256
)

// sleep is a time for which the host was suspended.
type sleep struct {
	ended time.Time
	took  time.Duration
}

// noticeSleep finds out whether the host has slept since the last call, and ends what expired meanwhile: traffic makes it new. Until the first call after
// waking up, at most a second, an expired SA may still carry packets.
func (e *Endpoint) noticeSleep(now time.Time) {
	total := e.asleep()
	took := total - e.slept
	if took < dozed {
		return
	}
	e.slept = total
	if e.sleeps = append(e.sleeps, sleep{now, took}); len(e.sleeps) > maxSleeps {
		e.sleeps = e.sleeps[1:]
	}
	e.log.Info("the host was suspended", "for", took.Round(time.Second))
	for id, c := range e.children {
		if life := c.in[0].Config().Lifetime.HardTime; !c.manual && life > 0 && now.Sub(c.since)+e.sleptSince(c.since) >= life {
			e.engine.Expired(now, id, "it expired while the host was suspended")
		}
	}
	for _, p := range e.engine.Peers(now) {
		if (p.State == "established" || p.State == "retiring") && p.Remaining <= e.sleptSince(p.Established) {
			_ = e.engine.Delete(now, p.ID)
		}
	}
}

// sleptSince is for how long the host was suspended after t.
func (e *Endpoint) sleptSince(t time.Time) (total time.Duration) {
	for _, s := range e.sleeps {
		if s.ended.After(t) {
			total += s.took
		}
	}
	return total
}
