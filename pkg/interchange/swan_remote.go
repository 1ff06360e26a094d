package interchange

import (
	"net/netip"
	"strings"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/policy"
)

// remoteAccess is what a connection of a gateway and its clients has besides: inner addresses by mode config, and a login by XAUTH.
type remoteAccess struct {
	ask      bool         // this host asks the peer for an address
	pool     netip.Prefix // this host gives peers addresses of it
	dns      []netip.Addr
	user     string // this host logs in
	password policy.Secret
}

// maxNameServers is how many a policy file takes.
const maxNameServers = 8

// addServers takes name servers that clients are told of, and reports whether all were taken.
func (a *remoteAccess) addServers(list []string) bool {
	for _, s := range list {
		addr, err := netip.ParseAddr(s)
		if err != nil || len(a.dns) == maxNameServers || addr.IsUnspecified() || addr.IsMulticast() || addr.Zone() != "" {
			return false
		}
		a.dns = append(a.dns, addr.Unmap())
	}
	return true
}

// setPool takes the addresses to be given away. They have to be a prefix here.
func (a *remoteAccess) setPool(s string) bool {
	p, err := netip.ParsePrefix(strings.TrimSpace(s))
	if err != nil {
		from, to, _ := strings.Cut(s, "-")
		lo, err1 := netip.ParseAddr(strings.TrimSpace(from))
		hi, err2 := netip.ParseAddr(strings.TrimSpace(to))
		var ok bool
		if p, ok = (classifier.Range{From: lo, To: hi}).Prefix(); err1 != nil || err2 != nil || !ok {
			return false
		}
	}
	if p = p.Masked(); p.Bits() == 0 || p.Addr().IsMulticast() || p.Addr().IsLoopback() || p.Addr().Is4In6() {
		return false
	}
	a.pool = p
	return true
}

// checkAccess refuses what a policy file does not take together.
func (c *connection) checkAccess() string {
	switch a := &c.access; {
	case a.ask && c.remote == "":
		return "it asks for an address by mode config, and which peer it asks is not said"
	case a.user != "" && c.remote == "":
		return "it logs in by XAUTH, and at which peer is not said"
	case a.pool.IsValid() && c.remote != "":
		return "it gives an address to one peer by mode config; here that is for peers that call from anywhere"
	}
	if c.access.ask || c.access.user != "" || c.access.pool.IsValid() {
		for _, x := range c.children {
			if x.kind == policy.Negotiate && !x.tunnel {
				return "mode config and XAUTH are for tunnels"
			}
		}
	}
	return ""
}

// inside puts into a tunnel what is agreed on by mode config, and says what is dynamic on its two sides.
func (a *remoteAccess) inside(t *policy.Tunnel, own, peer *policy.AddrSpec) {
	if t == nil {
		return
	}
	t.AskAddress, t.Pool, t.DNS = a.ask, a.pool, a.dns
	if a.ask {
		*own = policy.AddrSpec{Kind: policy.Me}
	}
	if a.pool.IsValid() {
		*peer = policy.AddrSpec{Kind: policy.Subnet, Range: classifier.RangeOf(a.pool)}
		if a.pool.IsSingleIP() {
			peer.Kind = policy.Host
		}
	} else {
		t.DNS = nil
	}
}

// goodUser reports whether a policy file takes a name for XAUTH.
func goodUser(s string) bool {
	return s != "" && len(s) <= 255 && !strings.ContainsFunc(s, func(c rune) bool { return c == ':' || c < ' ' || c == 0x7f })
}
