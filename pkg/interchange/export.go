package interchange

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/goipsec/goipsec/pkg/config"
	"github.com/goipsec/goipsec/pkg/policy"
)

// ExportOptions says how an export is done.
type ExportOptions struct {
	// WithKeys puts the pre-shared keys into the script, which has no other place for them. Without it a policy that has some is refused.
	WithKeys bool
	// Local is this host's address in tunnels whose policy leaves it to the route, one of each family at most.
	Local []netip.Addr
}

// Script is what an export makes.
type Script struct {
	Text  []byte // for netsh -f
	Keys  bool   // the text holds pre-shared keys: nobody but its owner may read it
	Notes []Note // what netsh cannot say
}

// KeysError refuses an export that would have to write pre-shared keys.
type KeysError struct{ Rule string }

// Error says which rule has a key, and what to do.
func (e *KeysError) Error() string {
	return fmt.Sprintf("rule %q has a pre-shared key, and netsh has no place for keys but its commands: ask for them to be written (--with-keys), and keep the script as secret as the key", e.Rule)
}

// exporter writes the commands of one file.
type exporter struct {
	notes
	opts    ExportOptions
	b       bytes.Buffer
	lists   names // the stores of Windows hold lists and actions for all policies
	actions names
	written map[string]string // action by the tags that make it
	keys    bool
	policy  *policy.Policy
	main    []string // the policy's main-mode methods in the words of netsh
}

// ExportNetsh writes the policies of a file as a script of netsh ipsec static commands. What netsh cannot say is in the notes, with its line in the policy
// file; a rule that protects by such means is written so that it blocks, and a filter that netsh has no words for blocks more or permits less.
func ExportNetsh(f *config.File, opts ExportOptions) (*Script, error) {
	if !opts.WithKeys {
		for _, p := range f.Policies {
			for r := range p.EveryRule {
				for _, a := range r.Auth {
					if a.Kind == policy.PSK && a.XAuth == nil {
						return nil, &KeysError{r.Name}
					}
				}
			}
		}
	}
	x := &exporter{opts: opts, lists: names{}, actions: names{}, written: map[string]string{}}
	x.head(f)
	taken, assigned := names{}, ""
	for _, p := range f.Policies {
		name := taken.take(netshName(p.Name))
		if p == f.Assigned {
			assigned = name
		}
		x.onePolicy(p, name)
	}
	if assigned != "" {
		x.line("set policy", tag("name", assigned), "assign=yes")
	}
	x.b.WriteString("popd\n")
	if x.over != nil {
		return nil, x.over
	}
	return &Script{Text: x.b.Bytes(), Keys: x.keys, Notes: x.sorted()}, nil
}

// head writes what is for the host as a whole.
func (x *exporter) head(f *config.File) {
	x.b.WriteString("# For netsh -f. Written by goipsec.\npushd ipsec dynamic\n")
	p := f.Policies[0]
	x.line("set config", "property=ipsecexempt", fmt.Sprintf("value=%d", p.Exemptions.Level()))
	if level := p.Certificates.CRLCheck.Level(); level != 1 {
		x.line("set config", "property=strongcrlcheck", fmt.Sprintf("value=%d", level))
	}
	x.b.WriteString("popd\npushd ipsec static\n")
	if len(p.WINS) > 0 {
		x.lost(0, "wins_servers are those that Windows knows: the list is left out")
	}
	if len(f.Listen.Addrs) > 0 || f.Listen.Port != 500 || f.Listen.NATPort != 4500 || f.Tun != (config.Tun{}) || f.Guard != config.GuardRequired {
		x.remark(0, "listen, tun and guard are about goipsec itself: they are left out")
	}
}

// line writes a command.
func (x *exporter) line(command string, tags ...string) {
	x.b.WriteString(command)
	for _, t := range tags {
		if t != "" {
			x.b.WriteString(" " + t)
		}
	}
	x.b.WriteByte('\n')
}

// tag writes a tag with text, in quotes; nothing if there is no text.
func tag(name, value string) string {
	if value == "" {
		return ""
	}
	return name + `="` + value + `"`
}

func yesNo(name string, v bool) string {
	if v {
		return name + "=yes"
	}
	return name + "=no"
}

// netshName makes of a name one that netsh takes: without quotes, control characters and what its command line would not keep.
func netshName(s string) string {
	s = strings.NewReplacer(`"`, "'", "\n", " ", "\r", " ", "\t", " ").Replace(s)
	if s = label(s, "unnamed"); strings.EqualFold(s, "all") {
		return "all of it"
	}
	return s
}

// described is netshName for a description, which may be empty.
func described(s string) string {
	if s == "" {
		return ""
	}
	return netshName(s)
}

// onePolicy writes a policy with its rules.
func (x *exporter) onePolicy(p *policy.Policy, name string) {
	x.policy, x.main = p, nil
	for _, m := range p.KeyExchange.Methods {
		if s, ok := mainWord(m); ok {
			x.main = append(x.main, s)
		} else if x.needsMainMode() {
			x.lost(0, "policy %s: netsh has no main-mode method %v", quote(p.Name), m)
		}
	}
	life := p.KeyExchange.Lifetime
	if life == 0 {
		life = policy.DefaultMainModeLifetime
	}
	if life%time.Minute != 0 {
		x.lost(0, "policy %s: the main-mode lifetime %v is not a number of minutes: the seconds are left out", quote(p.Name), life)
	}
	x.line("add policy", tag("name", name), tag("description", described(p.Description)), yesNo("mmpfs", p.KeyExchange.QuickModes == 1),
		fmt.Sprintf("qmpermm=%d", p.KeyExchange.QuickModes), fmt.Sprintf("mmlifetime=%d", max(1, int(life/time.Minute))),
		"activatedefaultrule=no assign=no", tag("mmsecmethods", strings.Join(x.main, " ")))
	if c := p.Certificates; c.MinRSABits != 0 || c.AllowSHA1 || len(c.CRLs) > 0 || c.NoOCSP || c.NoFetch || c.Cache != "" {
		x.lost(0, "policy %s: of certificates, netsh sets crl_check alone", quote(p.Name))
	}
	taken := names{}
	for _, r := range p.Rules {
		x.rule(r, name, taken)
	}
	if r := p.DefaultResponse; r != nil {
		x.defaultResponse(r, name)
	}
}

// needsMainMode reports whether a rule of the policy negotiates.
func (x *exporter) needsMainMode() bool {
	for r := range x.policy.EveryRule {
		if r.Action.Kind == policy.Negotiate && r.Manual == nil {
			return true
		}
	}
	return false
}

// defaultResponse writes the default response rule.
func (x *exporter) defaultResponse(r *policy.Rule, name string) {
	methods, pfs := x.methods(r)
	auth := x.authentication(r)
	if len(methods) == 0 || len(auth) == 0 || len(x.main) == 0 {
		x.lost(r.Source.Line, "the default response rule is left out: netsh has no words for its methods or its authentication")
		return
	}
	x.line("set defaultrule", append([]string{tag("policy", name), yesNo("qmpfs", pfs), "activate=yes", tag("qmsecmethods", strings.Join(methods, " "))}, auth...)...)
}
