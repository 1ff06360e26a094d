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

// ImportIPsecConf reads an ipsec.conf, with the secrets of opts. Left is taken for this host, as strongSwan does where it cannot tell otherwise. The error is for what is
// no such file.
func ImportIPsecConf(name string, data []byte, opts Options) (*Result, error) {
	r := &confImport{swan: &swan{opts: opts}, base: opts.dirOf(name)}
	p := &confParser{includer: includer{opts: opts}, notes: &r.notes}
	if err := p.read("", name, data, 0); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for _, f := range opts.Secrets {
		if err := r.ipsecSecrets(f); err != nil {
			return nil, err
		}
	}
	reader := &confReader{byName: map[string]*confSection{}, left: maxSettings}
	for _, c := range p.sections {
		switch {
		case c.kind == "ca":
			r.file = c.file
			r.lost(c.line, "the section ca %s is left out: name its files in certificates and ca by hand", quote(c.name))
		case reader.byName[c.name] == nil:
			reader.byName[c.name] = c
		default:
			reader.byName[c.name].settings = append(reader.byName[c.name].settings, c.settings...)
			c.name = "" // the first of the name has it all
		}
	}
	for _, c := range p.sections {
		if c.kind != "conn" || c.name == "" || c.name == "%default" {
			continue
		}
		settings, err := reader.whole(c, nil)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if conn := r.connection(c, settings); conn != nil {
			r.conns = append(r.conns, conn)
		}
	}
	r.file = ""
	if len(r.conns) == 0 {
		return nil, fmt.Errorf("%s: it has no conn that is added (auto=add, route or start)", name)
	}
	d := r.draft()
	if r.over != nil {
		return nil, fmt.Errorf("%s: %w", name, r.over)
	}
	return finish(d, "Imported from "+filepath.Base(name)+", an ipsec.conf.", r.sorted(), r.keys.files), nil
}

// confImport is an import of ipsec.conf.
type confImport struct {
	*swan
	base    string
	private []string
}

// confKeys are the settings of a conn that are read below, or that need nothing here.
var confKeys = map[string]bool{"also": true, "auto": true, "type": true, "keyexchange": true, "authby": true, "auth": true, "ike": true, "esp": true, "ah": true, "phase2": true, "phase2alg": true,
	"ikelifetime": true, "lifetime": true, "keylife": true, "lifebytes": true, "margintime": true, "rekeymargin": true, "rekeyfuzz": true, "marginbytes": true, "keyingtries": true, "rekey": true, "reauth": true,
	"dpdaction": true, "dpddelay": true, "dpdtimeout": true, "closeaction": true, "forceencaps": true, "encapsulation": true, "fragmentation": true, "aggressive": true, "mobike": true, "inactivity": true,
	"replay_window": true, "installpolicy": true, "compress": true, "pfs": true, "ikev2": true, "leftfirewall": true, "rightfirewall": true, "lefthostaccess": true, "righthostaccess": true,
	"left": true, "right": true, "leftid": true, "rightid": true, "leftsubnet": true, "rightsubnet": true, "leftsubnets": true, "rightsubnets": true, "leftprotoport": true, "rightprotoport": true,
	"leftauth": true, "rightauth": true, "leftcert": true, "rightca": true, "leftikeport": true, "rightikeport": true, "leftnexthop": true, "rightnexthop": true, "leftsendcert": true, "rightsendcert": true,
	"leftallowany": true, "rightallowany": true, "leftsourceip": true, "rightsourceip": true, "leftauth2": true, "rightauth2": true, "xauth": true, "xauth_identity": true, "rightdns": true, "modeconfig": true}

// conn is a conn with its settings in hand.
type conn struct {
	*confImport
	*connection
	settings map[string]setting
}

// get returns a setting, or what counts without it.
func (c *conn) get(key, otherwise string) string {
	if x, ok := c.settings[key]; ok {
		return strings.TrimSpace(x.value)
	}
	return otherwise
}

// line of a setting, or of its conn.
func (c *conn) at(key string) int {
	if x, ok := c.settings[key]; ok {
		c.confImport.file = x.file
		return x.line
	}
	c.confImport.file = c.connection.file
	return c.connection.line
}

func (c *conn) fail(format string, args ...any) {
	if c.problem == "" {
		c.problem = fmt.Sprintf(format, args...)
	}
}

// connection reads a conn, nil if it is only there for others.
func (r *confImport) connection(s *confSection, settings []setting) *connection {
	c := &conn{confImport: r, settings: map[string]setting{}, connection: &connection{line: s.line, file: s.file, name: s.name}}
	for _, x := range settings {
		c.settings[x.key] = x
	}
	auto := strings.ToLower(c.get("auto", "ignore"))
	if auto == "ignore" || auto == "" {
		c.remark(c.at("auto"), "conn %s is not added there (auto=ignore): it is left out, but for what others take from it", quote(s.name))
		return nil
	}
	c.starts = auto == "route" || auto == "start" || auto == "ondemand"
	for _, x := range settings {
		if !confKeys[x.key] {
			c.confImport.file = x.file
			c.lost(x.line, "%s is left out: there is nothing like it here", quote(x.key))
		}
	}
	c.version()
	c.local, c.remote = c.address("left"), c.address("right")
	c.ends()
	c.main = mainModeOf(c.get("ike", "default"), func(err error) { c.lost(c.at("ike"), "ike of conn %s: %v", quote(c.name), err) })
	if len(c.main) == 0 {
		c.fail("none of its proposals for IKE can be used")
	}
	c.path()
	c.child()
	return c.connection
}

// version refuses what is not IKEv1 main mode.
func (c *conn) version() {
	switch v := strings.ToLower(c.get("keyexchange", "ike")); v {
	case "ikev1":
	case "ike":
		if w := strings.ToLower(c.get("ikev2", "no")); w == "insist" || w == "yes" {
			c.fail("it uses IKEv2, which is not here yet")
		}
		c.remark(c.at("keyexchange"), "conn %s leaves the version of IKE open: here it is IKEv1", quote(c.name))
	default:
		c.fail("it uses %s, which is not here yet", quote(v))
	}
	c.aggressive = yesWord(c.get("aggressive", "no"))
	c.remoteAccess()
	if yesWord(c.get("compress", "no")) {
		c.lost(c.at("compress"), "compress is left out: packets are not compressed here")
	}
}

// remoteAccess reads what a gateway and its clients have besides.
func (c *conn) remoteAccess() {
	a := &c.access
	a.ask = c.get("leftsourceip", "") != "" && strings.HasPrefix(c.get("leftsourceip", ""), "%")
	if c.get("leftsourceip", "") != "" && !a.ask {
		c.lost(c.at("leftsourceip"), "leftsourceip is left out: an address that is always the same belongs into tunnel: {address}")
	}
	if v := c.get("rightsourceip", ""); v != "" && !a.setPool(v) {
		c.fail("the addresses of its rightsourceip are no prefix")
	}
	if a.pool.IsValid() && !a.addServers(splitList(c.get("rightdns", ""))) {
		c.lost(c.at("rightdns"), "rightdns is left out: here name servers are addresses, %d at most", maxNameServers)
	}
	by := strings.ToLower(c.get("authby", ""))
	client := strings.HasPrefix(strings.ToLower(c.get("leftauth2", "")), "xauth") || strings.HasPrefix(by, "xauth") && strings.EqualFold(c.get("xauth", "client"), "client")
	switch {
	case c.get("rightauth2", "") != "" || strings.HasPrefix(by, "xauth") && !client:
		c.fail("it wants peers to log in: make a users_file with goipsec xauth hash")
	case client:
		a.user = c.get("xauth_identity", c.get("leftid", ""))
		a.password = c.swan.password(a.user)
		if !goodUser(a.user) || a.password.Len() == 0 {
			c.fail("the name or the password for its XAUTH is not there")
		}
	case c.get("leftauth2", "") != "":
		c.fail("it has a second round of authentication that is not here")
	}
}

// address reads left or right; "" for any.
func (c *conn) address(side string) string {
	v := c.get(side, "%any")
	v = strings.TrimPrefix(v, "%")
	first, more, _ := strings.Cut(v, ",")
	if more != "" {
		c.lost(c.at(side), "%s has several entries: the first stays", side)
	}
	switch strings.ToLower(first) {
	case "any", "any4", "any6", "defaultroute", "0.0.0.0", "::", "", "opportunistic", "group":
		return ""
	}
	a, err := netip.ParseAddr(first)
	if err != nil || a.Zone() != "" {
		c.fail("%s is no single address (a name is not resolved here)", side)
		return ""
	}
	return a.Unmap().String()
}

// ends reads how the two ends authenticate.
func (c *conn) ends() {
	by := strings.TrimPrefix(strings.ToLower(c.get("authby", "pubkey")), "xauth")
	mine, theirs := c.get("leftauth", by), c.get("rightauth", by)
	a, b := authMethod(mine), authMethod(theirs)
	switch {
	case a == 0 || b == 0:
		c.fail("it authenticates by %s and %s, which IKEv1 main mode has not here", quote(mine), quote(theirs))
	case a != b:
		c.fail("its two ends authenticate in different ways, which IKEv1 cannot")
	default:
		c.method = a
	}
	c.localID, c.localIDs = c.identity(c.connection, c.get("leftid", ""), c.fail)
	c.remoteID, c.peerIDs = c.identity(c.connection, c.get("rightid", ""), c.fail)
	if c.method != policy.Certificate {
		return
	}
	for _, name := range splitList(c.get("leftcert", "")) {
		c.certificates = append(c.certificates, under(c.base, "ipsec.d/certs", name))
	}
	if len(c.private) == 1 {
		c.key = c.private[0]
	}
	if c.opts.Glob != nil {
		names, _ := c.opts.Glob("ipsec.d/cacerts/*")
		for _, n := range names {
			c.authorities = append(c.authorities, under(c.base, "", n))
		}
	}
	if c.get("rightca", "") != "" {
		c.lost(c.at("rightca"), "rightca is left out: put the file of that authority alone into ca")
	}
}

// path reads dead peer detection and how packets travel.
func (c *conn) path() {
	if v, ok := c.settings["ikelifetime"]; ok {
		c.connection.lifetime = c.time(c.at("ikelifetime"), "ikelifetime", v.value)
	}
	if action := strings.ToLower(c.get("dpdaction", "")); action == "none" {
		setDPD(&c.peer, 0, 0)
	} else if action != "" || c.get("dpddelay", "") != "" {
		setDPD(&c.peer, c.time(c.at("dpddelay"), "dpddelay", c.get("dpddelay", "30s")), c.time(c.at("dpdtimeout"), "dpdtimeout", c.get("dpdtimeout", "150s")))
	}
	c.peer.ForceUDP = yesWord(c.get("forceencaps", "no")) || strings.EqualFold(c.get("encapsulation", "auto"), "yes")
	if strings.EqualFold(c.get("fragmentation", "yes"), "no") {
		c.peer.FragmentSize = -1
	}
	if v := c.get("rightikeport", "500"); v != "500" && v != "4500" {
		port, err := strconv.ParseUint(v, 10, 16)
		if err != nil || port == 0 {
			c.lost(c.at("rightikeport"), "rightikeport is no port")
		} else {
			c.peer.Port = uint16(port)
		}
	}
	if v := c.get("leftikeport", "500"); v != "500" {
		c.lost(c.at("leftikeport"), "leftikeport is left out: name the ports of this host in listen")
	}
}

// child reads what is negotiated below: a conn has one child.
func (c *conn) child() {
	x := &child{line: c.connection.line, file: c.connection.file, name: c.name, kind: policy.Negotiate, starts: c.starts}
	switch kind := strings.ToLower(c.get("type", "tunnel")); kind {
	case "tunnel":
		x.tunnel = true
	case "transport":
	case "passthrough", "pass":
		x.kind = policy.Permit
	case "drop", "reject":
		x.kind = policy.Block
	default:
		c.fail("it is of type %s, which is not here", quote(kind))
	}
	x.local, x.remote = c.selectors("left"), c.selectors("right")
	if !c.starts && x.kind == policy.Negotiate {
		c.remark(c.at("auto"), "conn %s is not started by itself there; here its traffic is always protected", quote(c.name))
	}
	c.security(x)
	if v := c.get("lifetime", c.get("keylife", "")); v != "" {
		x.lifetime.Seconds = uint32(c.time(c.at("lifetime"), "lifetime", v) / time.Second)
	}
	if v := c.get("lifebytes", ""); v != "" {
		n, err := strconv.ParseUint(v, 10, 64)
		if err != nil {
			c.lost(c.at("lifebytes"), "lifebytes is no number")
		} else if n > 0 {
			x.lifetime.Kilobytes = uint32(min(max(n/1024, 1), math.MaxUint32))
		}
	}
	x.idle = c.time(c.at("inactivity"), "inactivity", c.get("inactivity", ""))
	if v := c.get("replay_window", ""); v != "" {
		n, err := strconv.ParseUint(v, 10, 32)
		if err != nil || n < policy.MinReplayWindow || n > policy.MaxReplayWindow {
			c.lost(c.at("replay_window"), "replay_window is left out: here it is a number from %d to %d", policy.MinReplayWindow, policy.MaxReplayWindow)
		} else {
			x.replay = int(n)
		}
	}
	c.children = append(c.children, x)
}

// security reads the proposals of ESP and AH.
func (c *conn) security(x *child) {
	key := "esp"
	for _, k := range []string{"phase2alg", "esp", "ah"} {
		if _, ok := c.settings[k]; ok {
			key = k
		}
	}
	bad := func(err error) { c.lost(c.at(key), "%s of conn %s: %v", key, quote(c.name), err) }
	ah := key == "ah" || strings.EqualFold(c.get("auth", c.get("phase2", "esp")), "ah")
	x.methods, x.pfs = quickModeOf(c.get(key, "default"), ah, bad)
	switch _, named := c.settings[key]; {
	case x.kind != policy.Negotiate:
	case len(x.methods) == 0:
		c.fail("none of its proposals for %s can be used", key)
	case !named:
		c.remark(c.at(key), "conn %s names no proposals for ESP: the defaults here are written, not those of strongSwan", quote(c.name))
	}
}

// selectors reads the subnets of a side with its protocol and port.
func (c *conn) selectors(side string) []selector {
	var suffix string
	if v := c.get(side+"protoport", ""); v != "" {
		suffix = "[" + v + "]"
	}
	subnets := c.get(side+"subnet", c.get(side+"subnets", ""))
	words := splitList(strings.Trim(subnets, "{}"))
	if len(words) == 0 {
		words = []string{"dynamic"}
	}
	if !c.spend(&c.budget.selectors, len(words), "selectors") {
		return nil
	}
	var out []selector
	for _, w := range words {
		if strings.HasPrefix(w, "vhost:") || strings.HasPrefix(w, "vnet:") {
			c.lost(c.at(side+"subnet"), "%ssubnet: vhost and vnet are not here", side)
			out = append(out, roughSelector(""))
			continue
		}
		if !strings.Contains(w, "[") {
			w += suffix
		}
		t, err := parseSelector(w)
		if err != nil {
			c.lost(c.at(side+"subnet"), "%ssubnet of conn %s: %v", side, quote(c.name), err)
			t = roughSelector(w)
		}
		out = append(out, t)
	}
	return out
}
