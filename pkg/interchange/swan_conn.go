package interchange

import (
	"net/netip"
	"time"

	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// connection is what swanctl.conf and ipsec.conf say of a peer, read into numbers where both have the same words.
type connection struct {
	line   int
	file   string
	name   string
	starts bool // its traffic is expected to be protected: by a trap, or from the start

	problem string // why it cannot be expressed, "" if it can

	local, remote     string // addresses; "" for any
	localIDs, peerIDs []string
	localID, remoteID string
	method            policy.AuthKind
	certificates      []string // files
	key               string
	authorities       []string
	access            remoteAccess
	aggressive        bool

	main     []policy.MainModeMethod
	lifetime time.Duration // of main mode; 0: not said
	peer     policy.PeerOptions
	children []*child
}

// child is what is negotiated below a connection.
type child struct {
	line          int
	file          string
	name          string
	kind          policy.ActionKind
	starts        bool // by a trap, or from the start
	tunnel        bool
	local, remote []selector
	methods       []policy.Method
	pfs           suite.Group
	lifetime      policy.Lifetime
	idle          time.Duration
	replay        int
	df            string
}

// swan makes a policy of connections.
type swan struct {
	notes
	opts    Options
	secrets []swanSecret
	logins  []swanSecret // passwords of XAUTH
	conns   []*connection
	keys    keyring
}

// draft turns the connections into one policy, a rule for each child.
func (s *swan) draft() *draft {
	p := &policyDraft{name: "imported"}
	taken := names{}
	for _, c := range s.conns {
		s.file = c.file
		auth := s.authentication(c)
		if c.problem != "" && !c.starts {
			s.lost(c.line, "the connection %s is left out: %s", quote(c.name), c.problem)
			continue
		}
		if c.problem != "" {
			s.lost(c.line, "the connection %s blocks here what it protects there: %s", quote(c.name), c.problem)
		} else {
			s.mainMode(p, c)
		}
		for _, x := range c.children {
			for _, r := range s.rules(c, x, auth) {
				r.Name = taken.take(r.Name)
				p.rules = append(p.rules, r)
			}
		}
	}
	s.unusedSecrets()
	return &draft{policies: []*policyDraft{p}, assigned: p.name}
}

// mainMode adds what the connection asks of main mode to what the policy has: here that is one for all peers.
func (s *swan) mainMode(p *policyDraft, c *connection) {
	k := &p.keyExchange
	protects := false
	for _, x := range c.children {
		protects = protects || x.kind == policy.Negotiate
	}
	if !protects {
		return
	}
	if k.Methods == nil {
		k.Methods = append(k.Methods, c.main...)
	} else if extra := missingMethods(k.Methods, c.main); len(extra) > 0 || len(missingMethods(c.main, k.Methods)) > 0 {
		s.lost(c.line, "the connection %s has other proposals for IKE than those before it; here all peers have one list, and each is offered all of it: split the policy if one of them must not be", quote(c.name))
		k.Methods = append(k.Methods, extra...)
	}
	if c.lifetime != 0 && (k.Lifetime == 0 || c.lifetime < k.Lifetime) {
		if k.Lifetime != 0 {
			s.remark(c.line, "main-mode SAs of all peers have the shortest lifetime of them, %v", c.lifetime)
		}
		k.Lifetime = c.lifetime
	}
}

// missingMethods returns those of b that a does not have.
func missingMethods(a, b []policy.MainModeMethod) (list []policy.MainModeMethod) {
	have := map[policy.MainModeMethod]bool{}
	for _, m := range a {
		have[m] = true
	}
	for _, m := range b {
		if !have[m] {
			list = append(list, m)
		}
	}
	return list
}

// authentication finds the key or the files by which the two ends prove who they are. What is missing makes the connection one that cannot be expressed.
func (s *swan) authentication(c *connection) []authDraft {
	if c.problem == "" && c.negotiates() {
		c.problem = c.checkAccess()
	}
	if c.problem == "" && c.aggressive && c.method != policy.PSK {
		c.problem = "it uses aggressive mode with certificates; here that is spoken with pre-shared keys only"
	}
	if c.problem != "" || !c.negotiates() {
		return nil
	}
	a := authDraft{AuthMethod: policy.AuthMethod{Kind: c.method, LocalID: c.localID, RemoteID: c.remoteID}}
	switch c.method {
	case policy.PSK:
		x := chooseSecret(s.secrets, append(c.localIDs, c.local), append(c.peerIDs, c.remote))
		if x == nil {
			c.problem = "there is no secret for it among those that were read"
			return nil
		}
		x.used = true
		a.PSK, a.keyFile = x.secret, s.keys.file(x.secret, c.name)
	default:
		if c.problem = s.certificateFiles(c, &a); c.problem != "" {
			return nil
		}
	}
	if x := &c.access; x.user != "" {
		a.XAuth = &policy.XAuth{User: x.user, Password: x.password}
		a.user, a.passwordFile = x.user, s.keys.password(x.password, x.user)
	}
	return []authDraft{a}
}

// setDPD sets the times of dead peer detection: no time between signs of life, none at all.
func setDPD(o *policy.PeerOptions, interval, timeout time.Duration) {
	const most = 24 * time.Hour
	if o.DPDInterval = min(interval, most); interval == 0 {
		o.DPDInterval = -1
		return
	}
	o.DPDTimeout = min(timeout, most)
}

func (c *connection) negotiates() bool {
	for _, x := range c.children {
		if x.kind == policy.Negotiate {
			return true
		}
	}
	return false
}

// certificateFiles names the files of an authentication by certificates, or says which is not known.
func (s *swan) certificateFiles(c *connection, a *authDraft) (problem string) {
	switch {
	case len(c.certificates) == 0:
		return "the file of its certificate is not named"
	case c.key == "":
		return "which private key belongs to its certificate is not known"
	case len(c.authorities) == 0:
		return "no certification authority is known"
	}
	a.certificates, a.key, a.authorities = c.certificates, c.key, c.authorities
	return ""
}

// protect fills in what a negotiation needs.
func (s *swan) protect(c *connection, x *child, r *ruleDraft, auth []authDraft) {
	r.auth, r.Peer, r.Aggressive = auth, c.peer, c.aggressive
	r.Peer.IdleTimeout, r.Peer.ReplayWindow = x.idle, x.replay
	r.Action.Methods, r.Action.PFS = x.methods, x.pfs
	for i := range r.Action.Methods {
		r.Action.Methods[i].Lifetime = x.lifetime
	}
	if !x.tunnel {
		return
	}
	r.Peer.CopyDF = x.df
	r.Tunnel = &policy.Tunnel{}
	r.Tunnel.Local, _ = netip.ParseAddr(c.local)
	r.Tunnel.Remote, _ = netip.ParseAddr(c.remote)
}
