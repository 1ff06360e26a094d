package interchange

import (
	"fmt"
	"math"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/goipsec/goipsec/pkg/policy"
)

// ImportSwanctl reads strongSwan's swanctl.conf: the connections that IKEv1 can carry and the secrets in the file. The error is for what is no such file.
func ImportSwanctl(name string, data []byte, opts Options) (*Result, error) {
	s := &swan{opts: opts}
	root, err := parseSettings(name, data, opts, &s.notes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	r := &swanctlReader{swan: s, base: opts.dirOf(name), pools: root.child("pools"), given: map[string]bool{}}
	for _, x := range root.settings {
		r.leave(x, "a setting outside of every section")
	}
	if c := root.child("secrets"); c != nil {
		r.secretSection(c)
	}
	for _, c := range root.sections {
		switch c.name {
		case "connections":
			for _, conn := range c.sections {
				s.conns = append(s.conns, r.connection(conn))
			}
		case "secrets":
		case "pools": // read where a connection names them
		case "authorities":
			for _, x := range c.sections {
				r.at(x).lost(x.line, "the authority %s is left out: name its files in certificates and ca by hand", quote(x.name))
			}
		default:
			r.at(c).remark(c.line, "the section %s is not about connections: skipped", quote(c.name))
		}
	}
	r.unusedPools()
	if len(s.conns) == 0 {
		return nil, fmt.Errorf("%s: it has no connections", name)
	}
	return finish(s.draft(), "Imported from "+filepath.Base(name)+", a swanctl.conf of strongSwan.", s.sorted(), s.keys.files), nil
}

// swanctlReader reads the sections of swanctl.conf.
type swanctlReader struct {
	*swan
	base    string   // the directory of the file, where those of certificates and keys lie
	private []string // files of private keys that are named
	pools   *section
	given   map[string]bool // pools that a connection names
}

// at makes the next notes about the file of a section.
func (r *swanctlReader) at(s *section) *notes {
	r.file = s.file
	return &r.notes
}

// leave notes a setting that is not carried over.
func (r *swanctlReader) leave(x setting, why string) {
	r.file = x.file
	r.lost(x.line, "%s is left out: %s", x.key, why)
}

// secretSection reads shared secrets and the names of private keys.
func (r *swanctlReader) secretSection(c *section) {
	for _, x := range c.sections {
		switch kind := strings.TrimRight(strings.ToLower(x.name), "0123456789-_"); {
		case strings.HasPrefix(kind, "ike"):
			var ids []string
			for _, v := range x.settings {
				if strings.HasPrefix(v.key, "id") {
					ids = append(ids, plainID(v.value))
				}
			}
			secret := secretBytes(x.value("secret", ""))
			if secret.Len() == 0 {
				r.at(x).lost(x.line, "the secret %s is empty or malformed", quote(x.name))
				continue
			}
			r.secrets = append(r.secrets, swanSecret{ids: ids, secret: secret, file: x.file, line: x.line})
		case strings.HasPrefix(kind, "private"), strings.HasPrefix(kind, "rsa"), strings.HasPrefix(kind, "ecdsa"), strings.HasPrefix(kind, "pkcs8"):
			dir := map[byte]string{'p': "private", 'r': "rsa", 'e': "ecdsa"}[kind[0]]
			if strings.HasPrefix(kind, "pkcs8") {
				dir = "pkcs8"
			}
			if file := x.value("file", ""); file != "" {
				r.private = append(r.private, r.path(dir, file))
			}
			if _, ok := x.setting("secret"); ok {
				r.at(x).lost(x.line, "the passphrase of a private key is left out: write it into a file for passphrase_file")
			}
		case strings.HasPrefix(kind, "xauth"), strings.HasPrefix(kind, "eap"):
			var ids []string
			for _, v := range x.settings {
				if strings.HasPrefix(v.key, "id") {
					ids = append(ids, v.value)
				}
			}
			r.logins = append(r.logins, swanSecret{ids: ids, secret: secretBytes(x.value("secret", "")), file: x.file, line: x.line})
		default:
			r.at(x).lost(x.line, "the secret %s is of a kind that is not here", quote(x.name))
		}
	}
}

// path is the file that a name stands for in a directory beside the configuration.
func (r *swanctlReader) path(dir, name string) string { return under(r.base, dir, name) }

// connectionKeys are the settings of a connection that are read below, or that need nothing here.
var connectionKeys = map[string]bool{"version": true, "local_addrs": true, "remote_addrs": true, "local_port": true, "remote_port": true, "proposals": true, "aggressive": true,
	"encap": true, "dpd_delay": true, "dpd_timeout": true, "fragmentation": true, "rekey_time": true, "reauth_time": true, "over_time": true, "rand_time": true, "vips": true, "pools": true,
	"mobike": true, "keyingtries": true, "unique": true, "send_cert": true, "send_certreq": true, "pull": true, "childless": true}

// connection reads a connection with its children.
func (r *swanctlReader) connection(s *section) *connection {
	r.file = s.file
	c := &connection{line: s.line, file: s.file, name: s.name, method: policy.PSK}
	fail := func(format string, args ...any) {
		if c.problem == "" {
			c.problem = fmt.Sprintf(format, args...)
		}
	}
	for _, x := range s.settings {
		if !connectionKeys[x.key] {
			r.leave(x, "there is nothing like it here")
		}
	}
	version := s.value("version", "0")
	if version != "0" && version != "1" {
		fail("it uses IKEv2, which is not here yet")
	}
	if yesWord(s.value("aggressive", "no")) {
		fail("it uses aggressive mode")
	}
	c.access.ask = s.value("vips", "") != ""
	for _, name := range splitList(s.value("pools", "")) {
		r.pool(c, name, fail)
	}
	c.local = r.address(s, "local_addrs", fail)
	c.remote = r.address(s, "remote_addrs", fail)
	r.ends(s, c, fail)
	r.exchange(s, c)
	if list := s.child("children"); list != nil {
		for _, x := range list.sections {
			r.child(x, c, fail)
		}
	}
	if len(c.children) == 0 {
		fail("it has no children, so there is no traffic for it")
	}
	if c.problem != "" || !c.negotiates() {
		return c
	}
	r.file = s.file
	if version == "0" {
		r.remark(s.line, "the connection %s leaves the version of IKE open: here it is IKEv1", quote(s.name))
	}
	if _, ok := s.setting("proposals"); !ok {
		r.remark(s.line, "the connection %s names no proposals for IKE: the defaults here are written, not those of strongSwan", quote(c.name))
	}
	return c
}

// address reads an address list, of which the first entry stays; "" for any.
func (r *swanctlReader) address(s *section, key string, fail func(string, ...any)) string {
	x, ok := s.setting(key)
	if !ok {
		return ""
	}
	list := splitList(x.value)
	if len(list) > 1 {
		r.file = x.file
		r.lost(x.line, "%s has several entries: the first stays", key)
	}
	if len(list) == 0 || strings.HasPrefix(list[0], "%any") || list[0] == "0.0.0.0" || list[0] == "::" || list[0] == "0.0.0.0/0" {
		return ""
	}
	a, err := netip.ParseAddr(list[0])
	if err != nil || a.Zone() != "" {
		fail("%s is no single address (a name is not resolved here)", key)
		return ""
	}
	return a.Unmap().String()
}

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

// exchange reads the settings of main mode and of the path.
func (r *swanctlReader) exchange(s *section, c *connection) {
	c.main = mainModeOf(s.value("proposals", "default"), func(err error) { r.lost(s.line, "proposals of %s: %v", quote(c.name), err) })
	if len(c.main) == 0 && c.problem == "" {
		c.problem = "none of its proposals for IKE can be used"
	}
	rekey, reauth := r.seconds(s, "rekey_time"), r.seconds(s, "reauth_time")
	if base := max(rekey, reauth); base > 0 {
		over := r.seconds(s, "over_time")
		if over == 0 {
			over = base / 10
		}
		c.lifetime = min(base+over, longest).Truncate(time.Second)
	}
	r.at(s)
	c.peer.ForceUDP = yesWord(s.value("encap", "no"))
	if _, ok := s.setting("dpd_delay"); ok {
		setDPD(&c.peer, r.seconds(s, "dpd_delay"), r.seconds(s, "dpd_timeout"))
	}
	if s.value("fragmentation", "yes") == "no" {
		c.peer.FragmentSize = -1
	}
	if port := s.value("remote_port", "500"); port != "500" {
		v, err := strconv.ParseUint(port, 10, 16)
		if err != nil || v == 0 {
			r.lost(s.line, "remote_port is no port")
		} else if v != 4500 {
			c.peer.Port = uint16(v)
		}
	}
	if x, ok := s.setting("local_port"); ok && strings.TrimSpace(x.value) != "500" {
		r.leave(x, "name the ports of this host in listen")
	}
}

// childKeys are the settings of a child that are read below, or that need nothing here.
var childKeys = map[string]bool{"local_ts": true, "remote_ts": true, "mode": true, "esp_proposals": true, "ah_proposals": true, "rekey_time": true, "life_time": true, "rand_time": true,
	"rekey_bytes": true, "life_bytes": true, "rand_bytes": true, "start_action": true, "close_action": true, "dpd_action": true, "inactivity": true, "replay_window": true, "copy_df": true, "sha256_96": true}

// child reads a child.
func (r *swanctlReader) child(s *section, c *connection, fail func(string, ...any)) {
	r.file = s.file
	x := &child{line: s.line, file: s.file, name: s.name, kind: policy.Negotiate}
	switch mode := strings.ToLower(s.value("mode", "tunnel")); mode {
	case "tunnel":
		x.tunnel = true
	case "transport":
	case "pass":
		x.kind = policy.Permit
	case "drop":
		x.kind = policy.Block
	default:
		r.lost(s.line, "the child %s is left out: the mode %s is not here", quote(s.name), quote(mode))
		return
	}
	for _, v := range s.settings {
		if !childKeys[v.key] {
			r.leave(v, "there is nothing like it here")
		}
	}
	if yesWord(s.value("sha256_96", "no")) {
		fail("it cuts HMAC-SHA-256 to 96 bits, which no RFC knows")
	}
	for _, side := range []struct {
		key string
		to  *[]selector
	}{{"local_ts", &x.local}, {"remote_ts", &x.remote}} {
		for _, word := range splitList(s.value(side.key, "dynamic")) {
			t, err := parseSelector(word)
			if err != nil {
				r.lost(s.line, "%s of the child %s: %v", side.key, quote(s.name), err)
				continue
			}
			*side.to = append(*side.to, t)
		}
	}
	if action := s.value("start_action", "none"); action != "none" {
		c.starts = true
	} else if x.kind == policy.Negotiate {
		r.remark(s.line, "the child %s is not started by itself there; here its traffic is always protected", quote(s.name))
	}
	bad := func(err error) { r.lost(s.line, "proposals of the child %s: %v", quote(s.name), err) }
	if ah, ok := s.setting("ah_proposals"); ok {
		x.methods, x.pfs = quickModeOf(ah.value, true, bad)
	}
	if esp, ok := s.setting("esp_proposals"); ok || len(x.methods) == 0 {
		methods, pfs := quickModeOf(esp.value, false, bad)
		x.methods = append(x.methods, methods...)
		if x.pfs == 0 {
			x.pfs = pfs
		}
		if !ok && x.kind == policy.Negotiate {
			r.remark(s.line, "the child %s names no proposals for ESP: the defaults here are written, not those of strongSwan", quote(s.name))
		}
	}
	if len(x.methods) == 0 && x.kind == policy.Negotiate {
		fail("none of the proposals of its child %s can be used", s.name)
	}
	r.limits(s, x)
	c.children = append(c.children, x)
}

// limits reads the lifetimes of a child.
func (r *swanctlReader) limits(s *section, x *child) {
	if life := r.seconds(s, "life_time"); life > 0 {
		x.lifetime.Seconds = uint32(min(life/time.Second, math.MaxUint32))
	} else if rekey := r.seconds(s, "rekey_time"); rekey > 0 {
		x.lifetime.Seconds = uint32(min((rekey+rekey/10)/time.Second, math.MaxUint32))
	}
	for _, key := range []string{"rekey_bytes", "life_bytes"} {
		v, err := strconv.ParseUint(s.value(key, "0"), 10, 64)
		if err != nil {
			r.lost(s.line, "%s of the child %s is no number", key, quote(s.name))
		} else if v > 0 {
			x.lifetime.Kilobytes = uint32(min(max(v/1024, 1), math.MaxUint32))
		}
	}
	x.idle = r.seconds(s, "inactivity")
	if v := s.value("replay_window", ""); v != "" {
		n, err := strconv.ParseUint(v, 10, 32)
		switch {
		case err != nil || n < policy.MinReplayWindow || n > policy.MaxReplayWindow:
			r.lost(s.line, "replay_window of the child %s is left out: here it is a number from %d to %d", quote(s.name), policy.MinReplayWindow, policy.MaxReplayWindow)
		default:
			x.replay = int(n)
		}
	}
	if s.value("copy_df", "yes") == "no" {
		x.df = "clear"
	}
}

// longest is the longest time that a policy file takes.
const longest = 30 * 24 * time.Hour

// time reads a time: a number with s, m, h or d, or of seconds. 0 for none.
func (r *swan) time(line int, key, value string) time.Duration {
	value = strings.ToLower(strings.TrimSpace(value))
	if value == "" || value == "never" {
		return 0
	}
	unit := time.Second
	if u, ok := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}[value[len(value)-1]]; ok {
		unit, value = u, value[:len(value)-1]
	}
	v, err := strconv.ParseUint(value, 10, 32)
	d := time.Duration(v) * unit
	if err != nil || d > longest {
		r.lost(line, "%s is left out: it is no time up to 30 days", key)
		return 0
	}
	return d
}

func (r *swanctlReader) seconds(s *section, key string) time.Duration {
	x, ok := s.setting(key)
	if !ok {
		return 0
	}
	r.file = x.file
	return r.time(x.line, key, x.value)
}

func yesWord(s string) bool {
	switch strings.ToLower(s) {
	case "yes", "true", "1", "on", "enabled", "force", "accept":
		return true
	}
	return false
}

// splitList cuts a list at its commas and spaces.
func splitList(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' || r == '\r' })
}
