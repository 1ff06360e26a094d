package ikev1

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// quickModeScript is quick mode (RFC 2409 §5.5), with NAT-OA where RFC 3947 §5.2 puts it. The hash payloads are checked and made by
// phase2.go, which sees the bytes:
//
//	Initiator                        Responder
//	-----------                      -----------
//	 HDR*, HASH(1), SA, Ni
//	   [, KE ] [, IDci, IDcr ] -->
//	                          <--    HDR*, HASH(2), SA, Nr
//	                                       [, KE ] [, IDci, IDcr ]
//	 HDR*, HASH(3)             -->
var quickModeScript = isakmp.Script[*quickMode]{
	{From: isakmp.Initiator, Need: quickPayloads, Once: isakmp.Set(isakmp.PayloadKE), May: quickExtras, Build: (*quickMode).offer, Accept: (*quickMode).takeOffer},
	{From: isakmp.Responder, Need: quickPayloads, Once: isakmp.Set(isakmp.PayloadKE), May: quickExtras, Build: (*quickMode).answer, Accept: (*quickMode).takeAnswer},
	{From: isakmp.Initiator, Need: isakmp.Set(isakmp.PayloadHash), May: isakmp.Set(isakmp.PayloadNotify),
		Build: (*quickMode).confirm, Accept: (*quickMode).takeConfirm},
}

var (
	quickPayloads = isakmp.Set(isakmp.PayloadHash, isakmp.PayloadSA, isakmp.PayloadNonce)
	quickExtras   = isakmp.Set(isakmp.PayloadID, isakmp.PayloadNotify, isakmp.PayloadNATOA, isakmp.PayloadVendor)
)

// quickMode is one quick mode exchange.
type quickMode struct {
	s     *mainMode
	m     *Machine
	id    uint32 // message ID
	run   isakmp.Run[*quickMode]
	began time.Time
	iv    []byte

	want     *want // initiator
	filter   *policy.QuickModeFilter
	selector isakmp.Selector
	queue    int
	ci, cr   []byte // identities as they were on the wire, nil if omitted
	allowed  []phase2Suite
	choice   choice
	spiIn    map[isakmp.ProtocolID]uint32
	// offeredSPI is the first that the initiator offered: a refusal names it, so that the initiator knows what is meant.
	offeredSPI []byte
	doubtful   bool // refused for its proposals: the ends may see different NATs
	full       bool // refused because there are too many
	refused    bool // by the peer, authenticated
	ni, nr     []byte
	kex        suite.KeyExchange
	public     []byte
	gxy        []byte
	lifetime   *isakmp.Notify // RESPONDER-LIFETIME to send, or received

	originalLocal, originalRemote netip.Addr

	seconds, kilobytes uint32
	child              *child
	flight             flight
	end                alarm
}

// maxChildren is how many children one peer may have here (security.md A7).
const maxChildren = 1024

func (q *quickMode) role() isakmp.Role { return q.run.Role }

// message 1

func (q *quickMode) offer() ([]isakmp.Payload, error) {
	q.ni = make([]byte, nonceLen)
	if err := q.m.random(q.ni); err != nil {
		return nil, err
	}
	sa := phase2SA(q.allowed, func(p isakmp.ProtocolID) uint32 { return q.spiIn[p] })
	ps := []isakmp.Payload{{Type: isakmp.PayloadSA, Body: sa.Append(nil)}, {Type: isakmp.PayloadNonce, Body: q.ni}}
	if g := q.filter.Rule.Action.PFS; g != suite.GroupNone {
		if err := q.makeKey(g); err != nil {
			return nil, err
		}
		ps = append(ps, isakmp.Payload{Type: isakmp.PayloadKE, Body: q.public})
	}
	ci, cr, err := clientIDs(q.selector)
	if err != nil {
		return nil, err
	}
	q.ci, q.cr = ci.Append(nil), cr.Append(nil)
	ps = append(ps, isakmp.Payload{Type: isakmp.PayloadID, Body: q.ci}, isakmp.Payload{Type: isakmp.PayloadID, Body: q.cr})
	return append(append(ps, q.originalAddresses()...), q.queueNotify()...), nil
}

func (q *quickMode) makeKey(g suite.Group) (err error) {
	if q.kex, err = suite.NewKeyExchange(g, q.m.cfg.Rand); err == nil {
		q.public = q.kex.Public()
	}
	return err
}

// originalAddresses are NAT-OAi and NAT-OAr, for UDP-encapsulated transport mode only (RFC 3947 §5.2).
func (q *quickMode) originalAddresses() []isakmp.Payload {
	if q.filter.Rule.Tunnel != nil || !q.s.nat.udp() {
		return nil
	}
	i, r := q.s.local.Addr(), q.s.remote.Addr()
	if q.role() == isakmp.Responder {
		i, r = r, i
	}
	return []isakmp.Payload{{Type: isakmp.PayloadNATOA, Body: isakmp.AddrID(i).Append(nil)},
		{Type: isakmp.PayloadNATOA, Body: isakmp.AddrID(r).Append(nil)}}
}

// takeOriginalAddresses learns what address the peer has behind its NAT, and what it takes this host's for.
func (q *quickMode) takeOriginalAddresses(msg *isakmp.Message) {
	oa := msg.All(isakmp.PayloadNATOA)
	if len(oa) != 2 {
		return
	}
	peer, own := oa[0], oa[1]
	if q.role() == isakmp.Initiator {
		peer, own = own, peer
	}
	if id, err := isakmp.ParseIdentification(peer); err == nil && q.s.nat.remote {
		q.originalRemote, _ = id.Addr()
	}
	if id, err := isakmp.ParseIdentification(own); err == nil && q.s.nat.local {
		q.originalLocal, _ = id.Addr()
	}
}

func (q *quickMode) takeOffer(msg *isakmp.Message) error {
	sa, err := isakmp.ParseSA(msg.First(isakmp.PayloadSA))
	if err != nil {
		return err
	}
	if q.offeredSPI = sa.Proposals[0].SPI; len(q.offeredSPI) != 4 {
		q.offeredSPI = nil
	}
	if q.ni = msg.First(isakmp.PayloadNonce); len(q.ni) < minNonce || len(q.ni) > maxNonce {
		return fmt.Errorf("%w: a nonce of %d bytes", isakmp.ErrSyntax, len(q.ni))
	}
	offered, err := q.takeIDs(msg)
	if err != nil {
		return err
	}
	if err := q.decide(sa, offered); err != nil {
		return err
	}
	q.takeOriginalAddresses(msg)
	q.takeQueue(msg)
	if err := q.checkRoom(); err != nil {
		return err
	}
	g := q.choice.suite.any().group
	ke := msg.First(isakmp.PayloadKE)
	if g == suite.GroupNone {
		return nil // a KE that no transform has a group for is ignored
	}
	if err := q.makeKey(g); err != nil {
		return err
	}
	if q.gxy, err = q.kex.Shared(ke); err != nil {
		return &isakmp.Refusal{Notify: isakmp.InvalidKeyInformation, Failure: isakmp.Failure{What: isakmp.Escape(err.Error()),
			Why: "the peer's key exchange value does not fit the group of the proposal", Next: "look at the peer's log", Answered: true}}
	}
	return nil
}

// takeIDs reads IDci and IDcr; without them the two hosts are meant (RFC 2409 §5.5).
func (q *quickMode) takeIDs(msg *isakmp.Message) (isakmp.Selector, error) {
	ids := msg.All(isakmp.PayloadID)
	if len(ids) == 0 {
		return hostSelector(q.s.local.Addr(), q.s.remote.Addr()), nil
	}
	if len(ids) != 2 {
		return isakmp.Selector{}, fmt.Errorf("%w: %d identities", isakmp.ErrSyntax, len(ids))
	}
	q.ci, q.cr = ids[0], ids[1]
	ci, err1 := isakmp.ParseIdentification(q.ci)
	cr, err2 := isakmp.ParseIdentification(q.cr)
	if err := errors.Join(err1, err2); err != nil {
		return isakmp.Selector{}, err
	}
	sel, err := selectorOf(ci, cr)
	if err != nil {
		return sel, &isakmp.Refusal{Notify: isakmp.InvalidIDInformation, Failure: isakmp.Failure{
			What: "the peer offered identities that cannot be used: " + isakmp.Escape(err.Error()), Why: "the peer's policy or software",
			Next: "look at the peer's log", Answered: true}}
	}
	return sel, nil
}

// decide finds the filter that allows the offered selectors, and the first of the offered alternatives that the filter allows.
func (q *quickMode) decide(sa isakmp.SA, offered isakmp.Selector) error {
	var filters []*policy.QuickModeFilter
	for _, mode := range []suite.Mode{suite.Tunnel, suite.Transport} {
		sel, local, remote, ok := localSelectors(q.s, offered, mode)
		if !ok {
			continue
		}
		f := q.m.findFilter(q.s, sel, mode)
		if f == nil && mode == suite.Transport {
			var err error
			if f, err = q.m.dynamicFilter(q.s, sel); err != nil {
				return err
			}
		}
		if f == nil {
			continue
		}
		filters = append(filters, f)
		allowed := phase2Offers(f.Rule, q.s.nat.udp())
		if c, ok, _ := choosePhase2(sa, allowed); ok {
			q.filter, q.selector, q.allowed, q.choice = f, sel, allowed, c
			q.originalLocal, q.originalRemote = local, remote
			return q.agreeLifetime(c.suite)
		}
	}
	if len(filters) == 0 {
		return &isakmp.Refusal{Notify: isakmp.InvalidIDInformation, Failure: isakmp.Failure{
			What: fmt.Sprintf("the peer wants to protect %v, which no rule here names", offered.Mirror()),
			Why:  "the filters of the two policies are not mirror images, or the tunnel endpoints differ",
			Next: fmt.Sprintf("add the filter %v to a rule for this peer, or correct the peer's", offered), Answered: true}}
	}
	var allowed []phase2Suite
	for _, f := range filters {
		allowed = append(allowed, phase2Offers(f.Rule, q.s.nat.udp())...)
	}
	_, _, seen := choosePhase2(sa, nil)
	return &isakmp.Refusal{Notify: isakmp.NoProposalChosen, Failure: isakmp.Failure{
		What:   fmt.Sprintf("no quick-mode proposal of the peer is allowed for %v", offered),
		Why:    "the security methods of the two rules have nothing in common",
		Next:   "make one method (protocols, algorithms, mode, PFS group) equal at both ends; the first difference of each is marked below",
		Detail: sideBySide(seen, suiteFields(allowed)), Answered: true}}
}

// message 2

func (q *quickMode) answer() ([]isakmp.Payload, error) {
	q.nr = make([]byte, nonceLen)
	if err := q.m.random(q.nr); err != nil {
		return nil, err
	}
	sa := isakmp.SA{DOI: isakmp.DOIIPsec, Situation: isakmp.SituationIdentityOnly}
	for _, p := range q.choice.answer {
		p.SPI = be32(q.spiIn[p.Protocol])
		sa.Proposals = append(sa.Proposals, p)
	}
	ps := []isakmp.Payload{{Type: isakmp.PayloadSA, Body: sa.Append(nil)}, {Type: isakmp.PayloadNonce, Body: q.nr}}
	if q.kex != nil {
		ps = append(ps, isakmp.Payload{Type: isakmp.PayloadKE, Body: q.public})
	}
	if q.ci != nil {
		ps = append(ps, isakmp.Payload{Type: isakmp.PayloadID, Body: q.ci}, isakmp.Payload{Type: isakmp.PayloadID, Body: q.cr})
	}
	if n := q.lifetime; n != nil {
		first := q.choice.answer[0].Protocol
		n.Protocol, n.SPI = first, be32(q.spiIn[first])
		ps = append(ps, isakmp.Payload{Type: isakmp.PayloadNotify, Body: n.Append(nil)})
	}
	return append(ps, q.originalAddresses()...), nil
}

func (q *quickMode) takeAnswer(msg *isakmp.Message) error {
	sa, err := isakmp.ParseSA(msg.First(isakmp.PayloadSA))
	if err != nil {
		return err
	}
	nr := msg.First(isakmp.PayloadNonce)
	if len(nr) < minNonce || len(nr) > maxNonce || string(nr) == string(q.ni) {
		return fmt.Errorf("%w: a nonce of %d bytes, or our own", isakmp.ErrSyntax, len(nr))
	}
	c, err := acceptPhase2(sa, q.allowed)
	if err != nil {
		return &isakmp.Refusal{Notify: isakmp.BadProposalSyntax, Failure: isakmp.Failure{What: err.Error(), Why: "the peer's software",
			Next: "look at the peer's log", Answered: true}}
	}
	for p, spi := range c.spiOut {
		if spi == q.spiIn[p] { // the keys of both directions would be the same (security.md A6)
			return &isakmp.Refusal{Notify: isakmp.InvalidSPI, Failure: isakmp.Failure{What: "the peer chose the SPI that this host had chosen for the other direction",
				Why: "chance, or the peer's software", Next: "the next attempt has other SPIs; look at the peer's log if it happens again", Answered: true}}
		}
	}
	if err := q.checkIDs(msg); err != nil {
		return err
	}
	if q.kex != nil {
		if q.gxy, err = q.kex.Shared(msg.First(isakmp.PayloadKE)); err != nil {
			return &isakmp.Refusal{Notify: isakmp.InvalidKeyInformation, Failure: isakmp.Failure{What: isakmp.Escape(err.Error()),
				Why: "the peer's key exchange value does not fit the group", Next: "look at the peer's log", Answered: true}}
		}
	}
	q.choice, q.nr = c, nr
	q.takeOriginalAddresses(msg)
	if err := q.agreeLifetime(c.suite); err != nil {
		return err
	}
	q.takeResponderLifetime(msg)
	return nil
}

// checkIDs refuses an answer for other traffic than what was asked for (security.md A5). An answer without identities means the
// two hosts.
func (q *quickMode) checkIDs(msg *isakmp.Message) error {
	ids := msg.All(isakmp.PayloadID)
	sel := hostSelector(q.s.local.Addr(), q.s.remote.Addr())
	if len(ids) == 2 {
		ci, err1 := isakmp.ParseIdentification(ids[0])
		cr, err2 := isakmp.ParseIdentification(ids[1])
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		got, err := selectorOf(ci, cr)
		if err != nil {
			return err
		}
		sel = got.Mirror()
	}
	if len(ids) != 0 && len(ids) != 2 || sel != q.selector {
		return &isakmp.Refusal{Notify: isakmp.InvalidIDInformation, Failure: isakmp.Failure{
			What: fmt.Sprintf("the peer answered for %v, but %v was asked for", sel, q.selector), Why: "the filters of the two policies differ",
			Next: "make the filters mirror images of each other", Answered: true}}
	}
	return nil
}

// message 3

func (q *quickMode) confirm() ([]isakmp.Payload, error) { return nil, nil }

func (q *quickMode) takeConfirm(*isakmp.Message) error { return nil }

// keys derives the keys of one protocol, both directions.
func (q *quickMode) keys(p isakmp.ProtocolID) isakmp.ProtocolKeys {
	t := q.choice.suite.part(p)
	k := isakmp.ProtocolKeys{Protocol: ipProtocol(p), SPIIn: q.spiIn[p], SPIOut: q.choice.spiOut[p], Encr: t.encr, KeyBits: t.keyBits,
		Integ: t.integ}
	encrLen := 0
	if p == isakmp.ProtoESP {
		encrLen = t.encr.KeyMatLen(t.keyBits)
	}
	n := encrLen
	if t.integ != suite.IntegNone {
		n += t.integ.KeyMatLen()
	}
	in := keymat(q.s.suite.hash, q.s.keys.derive, q.gxy, p, k.SPIIn, q.ni, q.nr, n)
	out := keymat(q.s.suite.hash, q.s.keys.derive, q.gxy, p, k.SPIOut, q.ni, q.nr, n)
	k.EncrIn, k.IntegIn = in[:encrLen:encrLen], in[encrLen:]
	k.EncrOut, k.IntegOut = out[:encrLen:encrLen], out[encrLen:]
	return k
}
