package interchange

import (
	"fmt"
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
	d := s.draft()
	if s.over != nil {
		return nil, fmt.Errorf("%s: %w", name, s.over)
	}
	return finish(d, "Imported from "+filepath.Base(name)+", a swanctl.conf of strongSwan.", s.sorted(), s.keys.files), nil
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
	c.aggressive = yesWord(s.value("aggressive", "no"))
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
