package config

import (
	"net/netip"
	"strings"

	"github.com/goipsec/goipsec/pkg/password"
	"github.com/goipsec/goipsec/pkg/policy"
)

// maxUsersFile bounds a file of users, in bytes.
const maxUsersFile = 4 << 20

// xauth reads the client's half of extended authentication, user and password_file, or the server's, users_file.
func (r *reader) xauth(n *node) *policy.XAuth {
	x := &policy.XAuth{}
	var user, passwordFile, users *node
	ok := r.each(n, "xauth", xauthKeys, func(key string, _, v *node) {
		switch key {
		case "user":
			user = v
			x.User = r.userName(v)
		case "password_file":
			passwordFile = v
			x.Password = r.passwordFile(v)
		case "users_file":
			users = v
			x.Users = r.usersFile(v)
		}
	})
	switch {
	case !ok:
	case users != nil && (user != nil || passwordFile != nil):
		r.fail(users, "write user and password_file for a client, or users_file for a gateway", "users_file stands beside user or password_file")
	case users == nil && (user == nil || passwordFile == nil):
		r.fail(n, "write user: NAME and password_file: FILE for a client, or users_file: FILE for a gateway", "xauth is neither a client's half nor a gateway's")
	}
	return x
}

// userName reads a name that XAUTH shows.
func (r *reader) userName(n *node) string {
	s, ok := r.str(n, "user")
	if ok && !goodUser(s) {
		r.fail(n, "", "user must have 1 to 255 printable characters, none of them a colon")
		return ""
	}
	return s
}

func goodUser(s string) bool {
	return s != "" && len(s) <= 255 && !strings.ContainsFunc(s, func(c rune) bool { return c == ':' || c < ' ' || c == 0x7f })
}

// passwordFile reads a password: all of the file but one line end.
func (r *reader) passwordFile(n *node) policy.Secret {
	data, ok := r.secretFile(n, "password_file", maxKey)
	if !ok {
		return policy.Secret{}
	}
	if len(data) == 0 || len(data) > password.MaxLen {
		r.fail(n, "", "the password must have 1 to %d bytes", password.MaxLen)
		return policy.Secret{}
	}
	return policy.NewSecret(data)
}

// usersFile reads names and hashes of passwords, NAME:HASH on each line. Empty lines and such that begin with # do not count.
func (r *reader) usersFile(n *node) map[string]password.Hash {
	users := map[string]password.Hash{}
	data, ok := r.secretFile(n, "users_file", maxUsersFile)
	if !ok {
		return users
	}
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		if line = strings.TrimRight(line, "\r\n"); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, text, ok := strings.Cut(line, ":")
		if !ok || !goodUser(name) {
			r.fail(n, "each line is NAME:HASH; goipsec xauth hash NAME makes one", "line %d of the users' file has no name and hash", number)
			continue
		}
		if _, twice := users[name]; twice {
			r.fail(n, "keep one of them", "line %d of the users' file names the user %q again", number, shorten(name))
			continue
		}
		hash, err := password.Parse(text)
		if err != nil {
			r.fail(n, "goipsec xauth hash NAME makes a line", "line %d of the users' file: the hash of %q: %v", number, shorten(name), err)
			continue
		}
		users[name] = hash
	}
	if len(users) == 0 && number == 0 {
		r.warn(n, "the users' file is empty: nobody can log in")
	}
	return users
}

// checkXAuth checks what extended authentication needs of its rule.
func (r *reader) checkXAuth(n *node, rule *policy.Rule) {
	for _, a := range rule.Auth {
		if a.XAuth == nil {
			continue
		}
		t := rule.Tunnel
		answers := t != nil && !t.Remote.IsValid() && !t.Endpoint.IsValid()
		switch {
		case a.XAuth.Server() && !answers:
			r.fail(n, "write tunnel: {remote: any}", "xauth with users_file is for a gateway that peers call, and this rule's tunnel is not for any peer")
		case !a.XAuth.Server() && (t == nil || answers || t.Endpoint.IsValid()):
			r.fail(n, "write tunnel: {remote: ADDRESS}", "xauth with user is for a client of a gateway, and this rule has no tunnel to one")
		}
	}
	for _, a := range rule.Auth[min(1, len(rule.Auth)):] {
		if (a.XAuth == nil) != (rule.Auth[0].XAuth == nil) {
			r.fail(n, "give all of them xauth, or none", "rule %q wants extended authentication with some of its methods only: the peer would choose one without", rule.Name)
			return
		}
	}
}

// pool reads the prefix that inner addresses are assigned from.
func (r *reader) pool(n *node) netip.Prefix {
	s, ok := r.text(n, "address_pool")
	if !ok {
		return netip.Prefix{}
	}
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil || p.Addr().Zone() != "":
		r.fail(n, "write a prefix such as 10.9.0.0/24", "address_pool must be a prefix; here is %q", shorten(s))
	case p.Masked() != p:
		r.fail(n, "write "+p.Masked().String(), "address_pool: %q has bits behind its length", shorten(s))
	case p.Addr().IsMulticast() || p.Addr().IsLoopback() || p.Bits() == 0:
		r.fail(n, "", "address_pool: %q has no addresses for hosts", shorten(s))
	default:
		return p
	}
	return netip.Prefix{}
}

// maxNameServers bounds what is told to clients.
const maxNameServers = 8

// nameServers reads the addresses of name servers.
func (r *reader) nameServers(n *node) []netip.Addr {
	var list []netip.Addr
	for _, e := range r.list(n, "dns") {
		if a, ok := r.host(e, "dns"); ok {
			list = append(list, a)
		}
	}
	if len(list) > maxNameServers {
		r.fail(n, "", "dns names %d servers; clients are told of %d at most", len(list), maxNameServers)
	}
	return list
}

// checkAssignment checks who assigns addresses to whom.
func (r *reader) checkAssignment(t *policy.Tunnel, address, pool, more *node) {
	answers := !t.Remote.IsValid() && !t.Endpoint.IsValid()
	switch {
	case t.AskAddress && (answers || t.Endpoint.IsValid()):
		r.fail(address, "name the gateway: remote: ADDRESS", "address: config asks the peer for an address, and the tunnel does not say which peer")
	case pool != nil && !answers:
		r.fail(pool, "write remote: any", "address_pool is for peers that call, and the tunnel is not for any peer")
	case pool != nil && address != nil:
		r.fail(address, "keep one of them", "address and address_pool stand in one tunnel")
	case more != nil && pool == nil:
		r.fail(more, "add address_pool, or delete dns and push", "dns and push are about those who are assigned an address, and there is no address_pool")
	}
}

// checkPool checks that a rule's filters lead to the addresses that it assigns.
func (r *reader) checkPool(rule *policy.Rule, filters []written) {
	pool := rule.Tunnel.Pool
	if !pool.IsValid() {
		return
	}
	for i := range filters {
		f := &filters[i]
		if d := &f.Dst; d.Kind != policy.Any && (!d.Range.Contains(pool.Addr()) || !d.Range.Contains(lastAddr(pool))) {
			r.fail(f.node, "write -> "+pool.String(), "the rule assigns addresses of %v, and its filter does not lead to them", pool)
		}
	}
}

// lastAddr is the last address of a prefix.
func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// exchangeMode reads how IKE begins: main mode, or aggressive mode, which has to be asked for.
func (r *reader) exchangeMode(n *node) (aggressive bool) {
	s, ok := r.word(n, "exchange_mode", "main", "aggressive")
	return ok && s == "aggressive"
}

// checkExchangeMode checks what aggressive mode needs, and says what it costs.
func (r *reader) checkExchangeMode(n *node, rule *policy.Rule) {
	if n == nil || !rule.Aggressive {
		return
	}
	for _, a := range rule.Auth {
		if a.Kind != policy.PSK {
			r.fail(n, "use exchange_mode: main, which needs no more than the certificate", "aggressive mode is spoken with pre-shared keys only")
			return
		}
	}
	r.warn(n, "rule %q uses aggressive mode: whoever asks the responder, or listens, gets a hash of the pre-shared key and can guess it off-line, unseen; "+
		"identities are in the clear. Use main mode where the peer can, and if not a key of %d random characters or more (goipsec psk makes one)", rule.Name, goodPSK)
}
