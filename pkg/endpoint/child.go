package endpoint

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"time"

	"github.com/goipsec/goipsec/pkg/ah"
	"github.com/goipsec/goipsec/pkg/dataplane"
	"github.com/goipsec/goipsec/pkg/esp"
	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/sa"
	"github.com/goipsec/goipsec/pkg/suite"
)

// child is one child SA on the data plane: an inbound and an outbound SA for each of its protocols.
type child struct {
	info   *isakmp.ChildSA
	rule   *policy.Rule
	in     []*sa.Inbound // in the order of info.Protocols: ESP before AH
	bundle *dataplane.Bundle
	manual bool
	// up is set once the outbound half is in use, since then is when the child was made.
	up    bool
	since time.Time
	// packetsIn and packetsOut are the counts when the key exchange was last told of traffic.
	packetsIn, packetsOut uint64
	mtu                   int
}

// pair is the two hosts of a transport child.
func (c *child) pair() dataplane.Pair {
	return dataplane.Pair{Local: c.info.Selector.Src.From, Remote: c.info.Selector.Dst.From}
}

// buildChild turns the keys of a child SA, negotiated or manual, into transforms and SAs. It is the only place that does.
// Errors are algorithms that are not there and keys of a wrong length; nothing is installed.
func buildChild(info *isakmp.ChildSA, rule *policy.Rule, pathMTU int, now time.Time) (*child, error) {
	c := &child{info: info, rule: rule, since: now, manual: rule.Manual != nil, mtu: pathMTU,
		bundle: &dataplane.Bundle{Mode: info.Mode, MTU: int32(pathMTU), DF: dataplane.DFOf(rule.Peer.CopyDF), Child: info.ID, Queue: uint8(info.Queue)}}
	var authenticated bool // by an AH that covers the ESP
	for i := range info.Protocols {
		authenticated = authenticated || info.Protocols[i].Protocol == suite.AH
	}
	margin := jitter()
	var under *sa.Inbound
	c.in = make([]*sa.Inbound, len(info.Protocols))
	// The outermost protocol comes first here, so that the SA within can name the one that it must arrive in.
	for i := len(info.Protocols) - 1; i >= 0; i-- {
		k := &info.Protocols[i]
		seal, open, err := transforms(k, info, authenticated)
		if err != nil {
			return nil, err
		}
		life := sa.Limits(info.Seconds, info.Kilobytes, k.Encr, info.ESN, margin)
		life.SoftTime = 0 // the key exchange renews in time, by a clock of its own that keeps the two ends apart
		if c.manual {
			life = sa.Limits(0, 0, k.Encr, info.ESN, 0)
			life.SoftTime, life.HardTime, life.SoftBytes, life.HardBytes = 0, 0, 0, 0
		}
		out := sa.NewOutbound(sa.OutboundConfig{SPI: k.SPIOut, Protocol: k.Protocol, Mode: info.Mode, Sealer: seal, Local: info.Local,
			Remote: info.Remote, ESN: info.ESN, Lifetime: life}, now)
		in := sa.NewInbound(sa.InboundConfig{SPI: k.SPIIn, Protocol: k.Protocol, Mode: info.Mode, Opener: open, Local: info.Local,
			Remote: info.Remote, ESN: info.ESN, Lifetime: life, Window: window(rule), Under: under, Selector: info.Selector.Mirror(),
			Bundled: k.Protocol == suite.AH && len(info.Protocols) > 1, ID: info.ID}, now)
		c.in[i], under = in, in
		if k.Protocol == suite.AH {
			c.bundle.AH = out
		} else {
			c.bundle.ESP = out
		}
		if c.bundle.Outer == nil {
			c.bundle.Outer = out.Config()
		}
	}
	if c.bundle.Outer == nil {
		return nil, errors.New("the child SA has no protocol")
	}
	return c, nil
}

// window is the replay window of a rule. Manual SAs outlive their peer's counters, so they have none unless the rule says so (RFC 4303 §3.4.3).
func window(rule *policy.Rule) int {
	if rule.Manual != nil && rule.Peer.ReplayWindow == 0 {
		return -1
	}
	return rule.Peer.ReplayWindow
}

// jitter spreads the rekeying of many SAs: a random number from 0 to 1.
func jitter() float64 {
	n, err := rand.Int(rand.Reader, big.NewInt(1<<20))
	if err != nil {
		return 0
	}
	return float64(n.Int64()) / (1 << 20)
}

// transforms makes the two halves of one protocol.
func transforms(k *isakmp.ProtocolKeys, info *isakmp.ChildSA, covered bool) (sa.Sealer, sa.Opener, error) {
	switch k.Protocol {
	case suite.AH:
		v6 := info.Local.Addr().Is6()
		seal, err := ah.NewSealer(k.Integ, k.IntegOut, k.SPIOut, info.ESN, v6)
		if err != nil {
			return nil, nil, fmt.Errorf("AH outbound: %w", err)
		}
		open, err := ah.NewOpener(k.Integ, k.IntegIn, k.SPIIn, info.ESN)
		if err != nil {
			return nil, nil, fmt.Errorf("AH inbound: %w", err)
		}
		return seal, open, nil
	case suite.ESP:
		var opts []esp.Option
		if covered {
			opts = append(opts, esp.CoveredByAH)
		}
		seal, err := esp.NewSealer(k.Encr, k.EncrOut, k.Integ, k.IntegOut, k.SPIOut, info.ESN, rand.Reader, opts...)
		if err != nil {
			return nil, nil, fmt.Errorf("ESP outbound: %w", err)
		}
		open, err := esp.NewOpener(k.Encr, k.EncrIn, k.Integ, k.IntegIn, k.SPIIn, info.ESN, opts...)
		if err != nil {
			return nil, nil, fmt.Errorf("ESP inbound: %w", err)
		}
		return seal, open, nil
	}
	return nil, nil, fmt.Errorf("protocol %d is neither ESP nor AH", k.Protocol)
}

// manualChild makes the child of a manually keyed rule from its one specific filter.
func manualChild(id uint64, f *policy.QuickModeFilter, local, remote netip.Addr, natPort uint16) (*isakmp.ChildSA, error) {
	r, m := f.Rule, f.Rule.Manual
	if len(r.Action.Methods) != 1 {
		return nil, fmt.Errorf("rule %q has manual keys and %d security methods; it needs exactly one", r.Name, len(r.Action.Methods))
	}
	method := r.Action.Methods[0]
	c := &isakmp.ChildSA{ID: id, Filter: f.ID, Rule: r.Name, Local: netip.AddrPortFrom(local, 0), Remote: netip.AddrPortFrom(remote, 0),
		Mode: suite.Transport, Selector: f.Filter, ESN: method.ESN, Initiator: true}
	if r.Tunnel != nil {
		c.Mode = suite.Tunnel
	}
	if r.Peer.ForceUDP {
		port := r.Peer.Port
		if port == 0 || port == ikePort {
			port = natPort
		}
		c.Local, c.Remote = netip.AddrPortFrom(local, natPort), netip.AddrPortFrom(remote, port)
	}
	spiIn, spiOut := m.SPIIn, m.SPIOut
	if method.ESP != nil {
		c.Protocols = append(c.Protocols, isakmp.ProtocolKeys{Protocol: suite.ESP, SPIIn: spiIn, SPIOut: spiOut, Encr: method.ESP.Encr,
			KeyBits: method.ESP.KeyBits, Integ: method.ESP.Integ, EncrIn: m.EncrIn.Bytes(), EncrOut: m.EncrOut.Bytes(),
			IntegIn: m.IntegIn.Bytes(), IntegOut: m.IntegOut.Bytes()})
		spiIn, spiOut = m.AHSPIIn, m.AHSPIOut
	}
	if method.AH != nil {
		c.Protocols = append(c.Protocols, isakmp.ProtocolKeys{Protocol: suite.AH, SPIIn: spiIn, SPIOut: spiOut, Integ: method.AH.Integ,
			IntegIn: m.AHIn.Bytes(), IntegOut: m.AHOut.Bytes()})
	}
	if c.Mode == suite.Transport && (!f.Filter.Src.IsHost() || !f.Filter.Dst.IsHost()) {
		return nil, fmt.Errorf("rule %q has manual keys in transport mode, but its filter %v is not between two single addresses; "+
			"write the two hosts, or use a tunnel", r.Name, f.Filter)
	}
	return c, nil
}
