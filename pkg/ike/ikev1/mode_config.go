package ikev1

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
)

// Mode config (draft-ietf-ipsec-isakmp-mode-cfg-05): the initiator of main mode asks the responder, a gateway, for an address inside. Some gateways tell it unasked.
//
//	Client                            Gateway
//	------                            -------
//	 REQUEST (IP4-ADDRESS, DNS, …) -->
//	                               <-- REPLY (IP4-ADDRESS, DNS, …)
//	or
//	                               <-- SET (IP4-ADDRESS, DNS, …)
//	 ACK (IP4-ADDRESS, DNS, …)     -->
//
// A client begins no quick mode before it has its address. A gateway lets a client use no address but the one it gave it (selectors.go).

// config is what mode config has done under a main-mode SA.
type config struct {
	pending bool       // client: the gateway was asked
	address netip.Addr // client: what the gateway said
	lease   *lease     // gateway: what the client was given
}

// application is what a gateway says that it runs, if it is asked: a name, no version.
const application = "goipsec"

// asksAddress reports whether this host asks the peer for an address under s.
func (s *mainMode) asksAddress() bool {
	return s.role() == isakmp.Initiator && s.rule.Tunnel != nil && s.rule.Tunnel.AskAddress
}

// innerAddress is the address that one side was given, invalid if none was.
func (s *mainMode) innerAddress() netip.Addr {
	if s.config.lease != nil {
		return s.config.lease.address
	}
	return s.config.address
}

// the client's side

// askAddress asks the gateway for an address, the old one if there was one.
func (m *Machine) askAddress(now time.Time, s *mainMode) {
	s.config.pending = true
	kinds := []uint16{isakmp.ConfigIP4Address, isakmp.ConfigIP4Netmask, isakmp.ConfigIP4DNS}
	if s.rule.AsksIPv6() {
		kinds = []uint16{isakmp.ConfigIP6Address, isakmp.ConfigIP6DNS}
	}
	question := isakmp.Configuration{Type: isakmp.ConfigRequest}
	for _, k := range kinds {
		question.Attributes = append(question.Attributes, isakmp.Attribute{Type: k})
	}
	if old := s.rule.Tunnel.Inner; old.IsValid() && old.Addr().Is6() == s.rule.AsksIPv6() {
		question.Attributes[0].Value = old.Addr().AsSlice()
	}
	m.startTransaction(now, s, question, func(now time.Time, answer isakmp.Configuration) { m.takeAddress(now, s, answer) },
		func(now time.Time) {
			m.noAddress(now, s, "the gateway does not answer the question for an address (mode config)")
		})
}

// takeAddress takes what the gateway assigned, and tells the owner, who puts it in force.
func (m *Machine) takeAddress(now time.Time, s *mainMode, x isakmp.Configuration) {
	if !s.config.pending {
		return // a gateway that told it unasked was faster
	}
	address, dns := parseAddress(x, s.rule.AsksIPv6())
	if !address.IsValid() || address == s.local.Addr() || address == s.remote.Addr() {
		m.noAddress(now, s, "the gateway assigned no address that can be used inside (mode config)")
		return
	}
	s.config.pending, s.config.address = false, address
	m.emit(isakmp.Configured{PeerID: s.id, Rule: s.rule.Name, Remote: s.remote, Address: address, DNS: dns})
	// What waits for a quick mode was asked for with another address, and is asked for again with this one.
	for _, w := range append([]*want(nil), s.peer.wants...) {
		if t := w.filter.Rule.Tunnel; w.qm == nil && t != nil && t.AskAddress && t.Inner.Addr() != address {
			m.putOff(now, s.peer, w)
		}
	}
	m.pursue(now, s.peer)
}

func (m *Machine) noAddress(now time.Time, s *mainMode, what string) {
	if !s.config.pending {
		return
	}
	f := isakmp.Failure{What: what + ": " + s.remote.String(), Why: "the gateway has no pool of addresses for this host, or all of them are in use",
		Next: "look at the gateway's log, or write the inner address into the policy (tunnel: {address: ADDRESS})", Answered: true}
	p := s.peer
	p.failed(now, f)
	s.config.pending = false
	m.failWants(now, p, s.local, s.remote, f)
	m.endSA(now, s, "no address was assigned", true)
}

// parseAddress reads an assigned address and the name servers beside it. What is no address for a host is none.
func parseAddress(x isakmp.Configuration, six bool) (address netip.Addr, dns []netip.Addr) {
	kind, servers, size := uint16(isakmp.ConfigIP4Address), uint16(isakmp.ConfigIP4DNS), 4
	if six {
		kind, servers, size = isakmp.ConfigIP6Address, isakmp.ConfigIP6DNS, 16
	}
	value, ok := x.One(kind)
	if six && len(value) == 17 { // some write the length of a prefix behind it
		value = value[:16]
	}
	if !ok || len(value) != size {
		return netip.Addr{}, nil
	}
	a, _ := netip.AddrFromSlice(value)
	if !assignable(a) {
		return netip.Addr{}, nil
	}
	for _, v := range x.All(servers) {
		if d, ok := netip.AddrFromSlice(v); ok && len(v) == size && assignable(d) && len(dns) < maxToldServers {
			dns = append(dns, d)
		}
	}
	return a, dns
}

const maxToldServers = 8

func assignable(a netip.Addr) bool {
	return !a.IsUnspecified() && !a.IsLoopback() && !a.IsMulticast() && !a.IsLinkLocalUnicast() && !a.Is4In6() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// takePush takes an address that the gateway tells unasked. It is refused unless this host waits for one.
func (s *mainMode) takePush(x isakmp.Configuration) (answer isakmp.Configuration, then func(time.Time), err error) {
	if !s.asksAddress() || !s.config.pending {
		return answer, nil, errUnasked
	}
	if a, _ := parseAddress(x, s.rule.AsksIPv6()); !a.IsValid() {
		return answer, nil, errUnasked
	}
	answer.Type = isakmp.ConfigAck
	for _, a := range x.Attributes {
		answer.Attributes = append(answer.Attributes, isakmp.Attribute{Type: a.Type})
	}
	return answer, func(now time.Time) { s.m.takeAddress(now, s, x) }, nil
}

// the gateway's side

// assign answers a client's request from the rule's pool.
func (s *mainMode) assign(x isakmp.Configuration) (answer isakmp.Configuration, then func(time.Time), err error) {
	t := s.rule.Tunnel
	if s.role() != isakmp.Responder || t == nil || !t.Pool.IsValid() {
		return answer, nil, errUnasked
	}
	answer.Type = isakmp.ConfigReply
	for _, a := range x.Attributes {
		for _, value := range s.configured(t, a) {
			answer.Attributes = append(answer.Attributes, isakmp.Attribute{Type: a.Type, Value: value})
		}
	}
	return answer, nil, nil
}

// pushAddress tells a client its address unasked, where the rule says so.
func (m *Machine) pushAddress(now time.Time, s *mainMode) {
	t := s.rule.Tunnel
	if s.role() != isakmp.Responder || t == nil || !t.Push || !t.Pool.IsValid() {
		return
	}
	kinds := []uint16{isakmp.ConfigIP4Address, isakmp.ConfigIP4Netmask, isakmp.ConfigIP4DNS}
	if t.Pool.Addr().Is6() {
		kinds = []uint16{isakmp.ConfigIP6Address, isakmp.ConfigIP6DNS}
	}
	question := isakmp.Configuration{Type: isakmp.ConfigSet}
	for _, k := range kinds {
		for _, value := range s.configured(t, isakmp.Attribute{Type: k}) {
			question.Attributes = append(question.Attributes, isakmp.Attribute{Type: k, Value: value})
		}
	}
	if s.config.lease == nil {
		m.endSA(now, s, "the pool of addresses is used up", true)
		return
	}
	m.startTransaction(now, s, question, func(time.Time, isakmp.Configuration) {},
		func(now time.Time) {
			m.endSA(now, s, "the client did not acknowledge the address that it was given", true)
		})
}

// configured are the values of one attribute that a client asks for: none for what is not known here.
func (s *mainMode) configured(t *policy.Tunnel, a isakmp.Attribute) (values [][]byte) {
	six := t.Pool.Addr().Is6()
	switch a.Type {
	case isakmp.ConfigIP4Address, isakmp.ConfigIP6Address:
		if six != (a.Type == isakmp.ConfigIP6Address) {
			return nil
		}
		if l := s.m.leaseFor(s, wished(a.Value)); l != nil {
			return [][]byte{l.address.AsSlice()}
		}
	case isakmp.ConfigIP4Netmask:
		if !six {
			return [][]byte{{255, 255, 255, 255}}
		}
	case isakmp.ConfigIP4DNS, isakmp.ConfigIP6DNS:
		for _, d := range t.DNS {
			if d.Is6() == (a.Type == isakmp.ConfigIP6DNS) {
				values = append(values, d.AsSlice())
			}
		}
	case isakmp.ConfigIP4Subnet:
		for i := range s.rule.Filters {
			if p, ok := s.rule.Filters[i].Src.Range.Prefix(); ok && p.Addr().Is4() {
				mask := [4]byte{}
				for b := range p.Bits() {
					mask[b/8] |= 0x80 >> (b % 8)
				}
				values = append(values, append(p.Addr().AsSlice(), mask[:]...))
			}
		}
	case isakmp.ConfigApplication:
		values = [][]byte{[]byte(application)}
	}
	return values
}

// wished is the address that a client would like to have again.
func wished(value []byte) netip.Addr {
	if len(value) == 17 {
		value = value[:16]
	}
	a, _ := netip.AddrFromSlice(value)
	return a
}

// mayUse reports whether the peer of s may use a remote selector under a rule that assigns addresses: its own address, nothing else.
func (s *mainMode) mayUse(f *policy.QuickModeFilter, sel *isakmp.Selector) bool {
	t := f.Rule.Tunnel
	if t == nil || !t.Pool.IsValid() {
		return true
	}
	l := s.config.lease
	return l != nil && sel.Dst.From == l.address && sel.Dst.To == l.address
}

func (m *Machine) noLease(s *mainMode) {
	m.log(levelWarn, "the pool of addresses is used up: a client got none", "rule", s.rule.Name, "pool", fmt.Sprint(s.rule.Tunnel.Pool), "peer", s.remote)
}
