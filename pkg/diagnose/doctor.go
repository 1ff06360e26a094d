package diagnose

import (
	"crypto/x509"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/endpoint"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/route"
)

// ProblemExitCode is that of `goipsec doctor` where it finds a problem.
const ProblemExitCode = 20

// DoctorOptions are what Doctor works with.
type DoctorOptions struct {
	// Instance is the name of the instance that is asked about.
	Instance string
	// Status is what that instance says; nil: it does not run.
	Status *endpoint.Status
	// Others are the other instances that run on this host.
	Others []endpoint.Status
	// Policy is the assigned policy as this host expands it; nil: none is known, or it has errors, which PolicyErr says.
	Policy    *policy.Compiled
	PolicyErr error
	// PolicyPath is the file, "" if none was named and there is none at the usual place.
	PolicyPath string
	// Warnings are those of reading the file.
	Warnings []string
	// Listen, Port and NATPort are those of the file.
	Listen        []netip.Addr
	Port, NATPort uint16
	// Now is the time.
	Now time.Time
}

// Checkup is the answer of Doctor.
type Checkup struct {
	SchemaVersion int       `json:"schema_version"`
	Instance      string    `json:"instance"`
	Running       bool      `json:"running"`
	Findings      []Finding `json:"findings"`
	Problems      int       `json:"problems"`
	Warnings      int       `json:"warnings"`
}

// Doctor looks at the host under an endpoint. It changes nothing.
func Doctor(o DoctorOptions) Checkup {
	if o.Port == 0 {
		o.Port = ikePort
	}
	if o.NATPort == 0 {
		o.NATPort = natPort
	}
	c := Checkup{SchemaVersion: SchemaVersion, Instance: o.Instance, Running: o.Status != nil}
	c.Findings = append(c.Findings, o.policyFinding(), o.clock())
	c.Findings = append(c.Findings, o.host()...)
	for _, f := range c.Findings {
		switch f.State {
		case Problem:
			c.Problems++
		case Warning:
			c.Warnings++
		}
	}
	return c
}

// WriteText writes the checkup for a person.
func (c Checkup) WriteText(w io.Writer) error {
	p := &printer{w: w}
	running := "is not running"
	if c.Running {
		running = "is running"
	}
	p.line("instance %s %s", c.Instance, running)
	for i := range c.Findings {
		p.finding(&c.Findings[i])
	}
	p.line("%s, %s", plural(c.Problems, "problem"), plural(c.Warnings, "warning"))
	return p.err
}

// ExitCode is 0 where nothing will fail.
func (c *Checkup) ExitCode() int {
	if c.Problems > 0 {
		return ProblemExitCode
	}
	return 0
}

func (o *DoctorOptions) policyFinding() Finding {
	f := Finding{Name: "policy", State: OK}
	switch {
	case o.PolicyErr != nil:
		f.State, f.What, f.Next = Problem, o.PolicyErr.Error(), "goipsec policy check says more"
		if o.Status != nil {
			f.Why = "the running instance goes on with the policy it has; the next start fails"
		}
	case o.Policy == nil:
		f.State, f.What, f.Next = Skipped, "no policy file was named, so what depends on one was not looked at", "name it with -c"
	case len(o.Warnings)+len(o.Policy.Warnings) > 0:
		n := len(o.Warnings) + len(o.Policy.Warnings)
		f.State, f.What = Warning, fmt.Sprintf("%s: %s", o.PolicyPath, plural(n, "warning"))
		f.Why, f.Next = slices.Concat(o.Warnings, o.Policy.Warnings)[0], "goipsec policy check "+o.PolicyPath+" shows all of them"
	default:
		f.What = fmt.Sprintf("%s: policy %q is good", o.PolicyPath, o.Policy.Policy.Name)
	}
	return f
}

// Years between which a clock is taken for set: before the first, goipsec had not been written.
const (
	firstYear = 2025
	lastYear  = 2100
)

// clock judges the year. Lifetimes are measured with a clock that nobody can set; certificates and their revocation lists need the time of day.
func (o *DoctorOptions) clock() Finding {
	f := Finding{Name: "clock", State: OK, What: "the time of day is " + o.Now.Format(time.RFC3339)}
	if y := o.Now.Year(); y < firstYear || y > lastYear {
		f.State, f.Why, f.Next = Problem, "that cannot be: certificates and revocation lists would be judged wrongly", "set the clock, or let NTP set it"
		return f
	}
	if o.Policy == nil {
		return f
	}
	soonest := time.Time{}
	for c := range o.certificates {
		switch {
		case o.Now.Before(c.NotBefore):
			return Finding{Name: "clock", State: Problem, What: fmt.Sprintf("the certificate of %s is valid from %s on", c.Subject, c.NotBefore.Format(time.RFC3339)),
				Why: "the clock is slow, or the certificate is for later: peers refuse it, or it refuses them", Next: "compare the clock with another"}
		case o.Now.After(c.NotAfter):
			return Finding{Name: "clock", State: Problem, What: fmt.Sprintf("the certificate of %s was valid until %s", c.Subject, c.NotAfter.Format(time.RFC3339)),
				Why: "it is over, or the clock is fast", Next: "renew the certificate; a running instance takes the new file without a restart"}
		case soonest.IsZero() || c.NotAfter.Before(soonest):
			soonest = c.NotAfter
		}
	}
	switch {
	case soonest.IsZero():
	case soonest.Sub(o.Now) < renewal:
		f.State, f.What, f.Why, f.Next = Warning, f.What+"; a certificate is valid only until "+soonest.Format(time.RFC3339), "no new SA can be had after that", "renew it"
	default:
		f.What += "; all certificates are valid until " + soonest.Format(time.DateOnly)
	}
	return f
}

// renewal is how long before its end a certificate is warned of.
const renewal = 14 * 24 * time.Hour

// certificates goes through those of this host and of the authorities that the policy accepts.
func (o *DoctorOptions) certificates(yield func(*x509.Certificate) bool) {
	for r := range o.Policy.Policy.EveryRule {
		for _, a := range r.Auth {
			if a.Cert == nil {
				continue
			}
			for _, c := range a.Cert.CAs {
				if !yield(c) {
					return
				}
			}
			if a.Cert.Credentials == nil {
				continue
			}
			for _, c := range a.Cert.Current() {
				if !yield(c.Leaf()) {
					return
				}
			}
		}
	}
}

// captured are the prefixes whose packets should go through the instance: those that it has routes for, or those that the policy's outbound filters block or
// protect.
func (o *DoctorOptions) captured() (list []netip.Prefix) {
	if o.Status != nil {
		return o.Status.TUN.Routes
	}
	if o.Policy == nil {
		return nil
	}
	for _, f := range o.Policy.Outbound {
		if p, ok := f.Filter.Dst.Prefix(); ok && f.Action != policy.Permit && !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	return list
}

// behind are the networks behind this gateway.
func (o *DoctorOptions) behind() (list []netip.Prefix) {
	if o.Policy == nil {
		return nil
	}
	for _, f := range o.Policy.Outbound {
		p, ok := f.Filter.Src.Prefix()
		if ok && f.Rule.Tunnel != nil && f.Action == policy.Negotiate && p.Bits() > 0 && !p.IsSingleIP() && !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	return list
}

// peers are the addresses that IKE is spoken to.
func (o *DoctorOptions) peers() (list []netip.Addr) {
	if o.Policy == nil {
		return nil
	}
	for _, m := range o.Policy.MainMode {
		if m.Remote.IsHost() && !slices.Contains(list, m.Remote.From) {
			list = append(list, m.Remote.From)
		}
	}
	return list
}

// uses reports whether a method of the policy has AH; without a policy it may.
func (o *DoctorOptions) usesAH() bool {
	if o.Policy == nil {
		return true
	}
	return slices.ContainsFunc(o.Policy.Policy.Rules, func(r *policy.Rule) bool {
		return slices.ContainsFunc(r.Action.Methods, func(m policy.Method) bool { return m.AH != nil })
	})
}

// ports are the UDP ports that the instance has or wants.
func (o *DoctorOptions) ports() []uint16 {
	if o.Port != ikePort {
		return []uint16{o.Port}
	}
	return []uint16{o.Port, o.NATPort}
}

// portsFinding says who holds the ports.
func (o *DoctorOptions) portsFinding(holders func(uint16) []holder) Finding {
	f := Finding{Name: "ports", State: OK, What: "UDP " + joined(o.ports()) + " can be had"}
	if o.Status != nil {
		f.What = "the instance holds UDP " + joined(o.ports())
	}
	for _, port := range o.ports() {
		for _, h := range holders(port) {
			own := o.Status != nil && h.pid == o.Status.PID
			switch {
			case own:
				f.What = fmt.Sprintf("the instance holds UDP %s (process %d)", joined(o.ports()), h.pid)
			case o.sharesAddress(h.at):
				return Finding{Name: "ports", State: Problem, What: fmt.Sprintf("UDP %d is held by %s on %v", port, h, h.at),
					Why: "only one program can speak IKE on an address", Next: "stop that program, or give each its own addresses under listen:"}
			}
		}
	}
	return f
}

// sharesAddress reports whether the instance would bind an address that is held.
func (o *DoctorOptions) sharesAddress(held netip.Addr) bool {
	return o.Status == nil && (len(o.Listen) == 0 || held.IsUnspecified() || slices.Contains(o.Listen, held))
}

// holder is who has a port.
type holder struct {
	at   netip.Addr
	pid  int
	name string
}

func (h holder) String() string {
	if h.pid == 0 {
		return "a process that cannot be named from here"
	}
	return fmt.Sprintf("%s (process %d)", h.name, h.pid)
}

func joined(ports []uint16) string {
	if len(ports) == 1 {
		return fmt.Sprint(ports[0])
	}
	return fmt.Sprintf("%d and %d", ports[0], ports[1])
}

// alive are the routing tables of instances that run.
func (o *DoctorOptions) alive() map[uint32]bool {
	tables := map[uint32]bool{}
	if o.Status != nil {
		tables[route.Derive(o.Instance).Table] = true
	}
	for _, s := range o.Others {
		tables[route.Derive(s.Instance).Table] = true
	}
	return tables
}

// typical is an address of a prefix that packets are likely to go to.
func typical(p netip.Prefix) netip.Addr {
	if p.IsSingleIP() {
		return p.Addr()
	}
	if p.Bits() == 0 {
		return map[bool]netip.Addr{true: netip.MustParseAddr("192.0.2.1"), false: netip.MustParseAddr("2001:db8::1")}[p.Addr().Is4()]
	}
	return classifier.RangeOf(p).From.Next()
}
