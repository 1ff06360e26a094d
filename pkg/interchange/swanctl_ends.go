package interchange

import (
	"net/netip"
	"strings"

	"github.com/goipsec/goipsec/pkg/policy"
)

// ends reads how the two ends authenticate.
func (r *swanctlReader) ends(s *section, c *connection, fail func(string, ...any)) {
	var local, remote *section
	rounds := 0
	for _, x := range s.sections {
		switch {
		case strings.HasPrefix(x.name, "local"):
			rounds++
			local = x
		case strings.HasPrefix(x.name, "remote"):
			rounds++
			remote = x
		}
	}
	if rounds > 2 {
		local, remote = r.login(s, c, fail)
	}
	empty := &section{}
	if local == nil {
		local = empty
	}
	if remote == nil {
		remote = empty
	}
	mine, theirs := authMethod(local.value("auth", "pubkey")), authMethod(remote.value("auth", "pubkey"))
	switch {
	case mine == 0 || theirs == 0:
		fail("it authenticates by %s and %s, which IKEv1 main mode has not here", quote(local.value("auth", "pubkey")), quote(remote.value("auth", "pubkey")))
	case mine != theirs:
		fail("its two ends authenticate in different ways, which IKEv1 cannot")
	default:
		c.method = mine
	}
	c.localID, c.localIDs = r.identity(c, local.value("id", ""), fail)
	c.remoteID, c.peerIDs = r.identity(c, remote.value("id", ""), fail)
	if c.method == policy.Certificate {
		for _, name := range splitList(local.value("certs", "")) {
			c.certificates = append(c.certificates, r.path("x509", name))
		}
		for _, name := range splitList(remote.value("cacerts", "")) {
			c.authorities = append(c.authorities, r.path("x509ca", name))
		}
		if c.authorities == nil && r.opts.Glob != nil {
			names, _ := r.opts.Glob("x509ca/*")
			for _, n := range names {
				c.authorities = append(c.authorities, r.path("", n))
			}
		}
		if len(r.private) == 1 {
			c.key = r.private[0]
		}
	}
	known := map[string]bool{"xauth_id": true, "auth": true, "id": true, "certs": true, "cacerts": true, "round": true, "revocation": true}
	for _, end := range []*section{local, remote} {
		for _, x := range end.settings {
			if !known[x.key] {
				r.leave(x, "there is nothing like it here")
			}
		}
	}
}

// unusedPools notes the pools that no connection names.
func (r *swanctlReader) unusedPools() {
	if r.pools != nil {
		for _, x := range r.pools.sections {
			if !r.given[x.name] {
				r.at(x).lost(x.line, "the pool %s is left out: no connection names it", quote(x.name))
			}
		}
	}
	r.file = ""
}

// pool reads the addresses that a connection gives away, and the name servers beside them.
func (r *swanctlReader) pool(c *connection, name string, fail func(string, ...any)) {
	var p *section
	if r.pools != nil {
		p = r.pools.child(name)
		r.given[name] = true
	}
	switch {
	case p == nil:
		fail("its pool %s is not there", quote(name))
	case c.access.pool.IsValid():
		r.lost(p.line, "the pool %s is left out: a connection has one here", quote(name))
	case !c.access.setPool(p.value("addrs", "")):
		fail("the addresses of its pool %s are no prefix", quote(name))
	case !c.access.addServers(splitList(p.value("dns", ""))):
		r.lost(p.line, "name servers of the pool %s are left out: here they are addresses, %d at most", quote(name), maxNameServers)
	}
}

// login finds the rounds of a client that logs in by XAUTH beside the method of both ends.
func (r *swanctlReader) login(s *section, c *connection, fail func(string, ...any)) (local, remote *section) {
	for _, x := range s.sections {
		xauth := strings.HasPrefix(x.value("auth", "pubkey"), "xauth")
		switch {
		case strings.HasPrefix(x.name, "local") && xauth && c.access.user == "":
			c.access.user = x.value("xauth_id", x.value("id", ""))
		case strings.HasPrefix(x.name, "local") && local == nil && !xauth:
			local = x
		case strings.HasPrefix(x.name, "remote") && remote == nil && !xauth:
			remote = x
		case strings.HasPrefix(x.name, "local"), strings.HasPrefix(x.name, "remote"):
			fail("it has rounds of authentication that are not here: a gateway's users (make a users_file with goipsec xauth hash), or EAP")
		}
	}
	c.access.password = r.password(c.access.user)
	if c.problem == "" && (!goodUser(c.access.user) || c.access.password.Len() == 0) {
		fail("the name or the password for its XAUTH is not there")
	}
	return local, remote
}

// authMethod is the method that a word of strongSwan means; 0 for one that is not here.
func authMethod(s string) policy.AuthKind {
	word, _, _ := strings.Cut(strings.ToLower(s), "-")
	switch {
	case word == "psk" || word == "secret":
		return policy.PSK
	case word == "pubkey" || word == "rsa" || word == "ecdsa" || word == "rsasig" || word == "ecdsasig":
		return policy.Certificate
	}
	return 0
}

// identity reads an identity: as the policy file writes it, "" for any; and the names by which secrets may know it.
func (r *swan) identity(c *connection, s string, fail func(string, ...any)) (id string, names []string) {
	s = strings.TrimSpace(s)
	if s == "" || s == "%any" || s == "%any6" {
		return "", nil
	}
	s = plainID(s)
	bad := strings.ContainsFunc(s, func(x rune) bool { return x <= ' ' || x > '~' }) || strings.ContainsAny(s, "*=#:") && !isAddress(s) || len(s) > 255
	if c.method == policy.PSK && bad {
		fail("its identity %s is of a kind that goes with certificates only here", quote(s))
		return "", nil
	}
	return s, []string{s}
}

func isAddress(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// plainID takes the marks off an identity that tell its type where its form tells it as well.
func plainID(s string) string {
	s = strings.TrimSpace(s)
	for _, prefix := range []string{"fqdn:", "dns:", "email:", "rfc822:", "userfqdn:", "ipv4:", "ipv6:", "asn1dn:"} {
		if rest, ok := strings.CutPrefix(s, prefix); ok && !strings.HasPrefix(rest, "#") {
			return rest
		}
	}
	if strings.HasPrefix(s, "@") && !strings.HasPrefix(s, "@#") && !strings.HasPrefix(s, "@@") {
		return s[1:]
	}
	return strings.TrimPrefix(s, "@@")
}
