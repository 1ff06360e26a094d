package ikev1

import (
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
)

// Two ends live by the shorter of their lifetimes, but a peer that has proved who it is cannot make this host negotiate all day: what it asks for counts down
// to policy.FloorSeconds and policy.FloorKilobytes only, unless this host's own rule is shorter. If the peer means it, it deletes its SA at its own
// time, and traffic makes a new one.

// shorter is the smaller of two limits, where 0 is none.
func shorter(a, b uint32) uint32 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// agreed is the limit that follows from this host's own and the peer's; 0 is none.
func agreed(own, peers, floor uint32) uint32 {
	if peers != 0 {
		peers = max(peers, floor)
	}
	return shorter(own, peers)
}

// agreeLifetime settles the lifetimes of what was offered, or chosen, and prepares RESPONDER-LIFETIME where this responder's is shorter than
// what the initiator believes (RFC 2407 §4.6.3.1).
func (q *quickMode) agreeLifetime(offered phase2Suite) error {
	t := offered.any()
	var own phase2Transform
	for _, a := range q.allowed {
		if a.same(offered) {
			own = a.any()
			break
		}
	}
	q.seconds = agreed(own.seconds, t.seconds, policy.FloorSeconds)
	q.kilobytes = agreed(own.kilobytes, t.kilobytes, policy.FloorKilobytes)
	less := func(ours, theirs uint32) bool { return ours != 0 && (theirs == 0 || ours < theirs) }
	if q.role() != isakmp.Responder || !less(q.seconds, t.seconds) && (!less(q.kilobytes, t.kilobytes) || q.kilobytes >= unspokenKilobytes) {
		return nil
	}
	as := []isakmp.Attribute{isakmp.BasicAttribute(attr2LifeType, lifeSeconds), isakmp.NumberAttribute(attr2LifeDuration, q.seconds)}
	if q.kilobytes != 0 && q.kilobytes < unspokenKilobytes {
		as = append(as, isakmp.BasicAttribute(attr2LifeType, lifeKilobytes), isakmp.NumberAttribute(attr2LifeDuration, q.kilobytes))
	}
	q.lifetime = &isakmp.Notify{DOI: isakmp.DOIIPsec, Type: isakmp.ResponderLifetime, Data: isakmp.AppendAttributes(nil, as)}
	return nil
}

// takeResponderLifetime honours RESPONDER-LIFETIME in message 2.
func (q *quickMode) takeResponderLifetime(msg *isakmp.Message) {
	for _, b := range msg.All(isakmp.PayloadNotify) {
		n, err := isakmp.ParseNotify(b)
		if err != nil || n.Type != isakmp.ResponderLifetime {
			continue
		}
		as, err := isakmp.ParseAttributes(n.Data)
		if err != nil {
			continue
		}
		l := lifetimes{}
		for _, a := range as {
			if l.add(a, attr2LifeType) != nil {
				return
			}
		}
		q.seconds, q.kilobytes = agreed(q.seconds, l.seconds, policy.FloorSeconds), agreed(q.kilobytes, l.kilobytes, policy.FloorKilobytes)
	}
}

// agreedMainMode is the lifetime of a main-mode SA: the policy's, or the one of the peer's proposal or choice if that is shorter. It is one of time only.
func (s *mainMode) agreedMainMode(k policy.KeyExchange) time.Duration {
	life := mainModeLifetime(k)
	if peers := time.Duration(s.suite.seconds) * time.Second; peers > 0 {
		life = min(life, max(peers, policy.FloorSeconds*time.Second))
	}
	return life
}
