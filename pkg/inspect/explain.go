package inspect

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/policy"
)

// maxRunnersUp is how many outweighed filters an explanation shows.
const maxRunnersUp = 5

// Explanation says what a policy does with one datagram, and why.
type Explanation struct {
	SchemaVersion int            `json:"schema_version"`
	Policy        string         `json:"policy"`
	Question      string         `json:"question"`
	Directions    []DirectionWhy `json:"directions"`
}

// DirectionWhy is the answer for a datagram that leaves this host, or that arrives.
type DirectionWhy struct {
	Direction string              `json:"direction"` // "outbound" or "inbound"
	Decides   *SpecificFilterView `json:"decides"`   // nil: no filter matches
	Does      []string            `json:"does"`      // what is done, for a person
	RunnersUp []RunnerUp          `json:"runners_up"`
	More      int                 `json:"more_runners_up,omitempty"`
	// Could are heavier filters that would decide for some protocol or port that the question leaves open.
	Could []SpecificFilterView `json:"could,omitempty"`
	// Carriers are SAs of the running instance, as it describes them; nil if none was asked.
	Carriers []string `json:"carriers"`
	// Running says that the running instance decides by another filter: it applies another policy.
	Running string `json:"running,omitempty"`

	filter string // the deciding filter in the form of classifier.Filter.String
}

// RunnerUp is a filter that matches too and is outweighed.
type RunnerUp struct {
	SpecificFilterView
	Why string `json:"why"`
}

// Explain answers for the datagram k. local are this host's addresses: they tell its direction; where they do not, it is explained as one
// that leaves and as one that arrives, as a gateway sees it.
func Explain(c *policy.Compiled, k packet.Key, local []netip.Addr) Explanation {
	x := Explanation{SchemaVersion: SchemaVersion, Policy: c.Policy.Name, Question: questionText(&k)}
	out, in := slices.Contains(local, k.Src), slices.Contains(local, k.Dst)
	if out || !in {
		x.Directions = append(x.Directions, why(c, c.Outbound, &k, "outbound"))
	}
	if in || !out {
		x.Directions = append(x.Directions, why(c, c.Inbound, &k, "inbound"))
	}
	return x
}

// why walks a list, heaviest first: the slow, obvious truth.
func why(c *policy.Compiled, list []*policy.QuickModeFilter, k *packet.Key, direction string) DirectionWhy {
	d := DirectionWhy{Direction: direction}
	if x := c.Policy.Exemptions; x.Match(k) {
		d.Does = []string{fmt.Sprintf("it is exempt from every filter and passes in clear (exemptions: %d lets %v pass)", x.Level(), x)}
		return d
	}
	var winner *policy.QuickModeFilter
	for _, f := range list {
		switch {
		case f.Filter.Match(k) && winner == nil:
			winner = f
			v := viewFilter(f)
			d.Decides, d.filter = &v, f.Filter.String()
			d.Does = does(c, f, k, direction)
		case f.Filter.Match(k) && len(d.RunnersUp) < maxRunnersUp:
			d.RunnersUp = append(d.RunnersUp, RunnerUp{viewFilter(f), outweighs(winner, f)})
		case f.Filter.Match(k):
			d.More++
		case winner == nil && len(d.Could) < maxRunnersUp && matchesIfOpen(f, k):
			d.Could = append(d.Could, viewFilter(f))
		}
	}
	if winner == nil {
		d.Does = []string{"no filter matches: the policy does not touch it, and it passes in clear"}
	}
	return d
}

// matchesIfOpen reports whether f matches k for some protocol or port that k leaves open.
func matchesIfOpen(f *policy.QuickModeFilter, k *packet.Key) bool {
	open := f.Filter
	if k.Flags&packet.ProtoKnown == 0 {
		open.Proto = 0
	}
	if k.Flags&packet.PortsKnown == 0 {
		open.SrcPorts.Given, open.DstPorts.Given = false, false
	}
	return open.Match(k)
}

// does says what the deciding filter's action means for the datagram.
func does(c *policy.Compiled, f *policy.QuickModeFilter, k *packet.Key, direction string) []string {
	switch {
	case f.Action == policy.Block:
		return []string{"it is dropped and counted"}
	case f.Action == policy.Permit && direction == "inbound":
		return []string{"it is accepted in clear"}
	case f.Action == policy.Permit:
		return []string{"it is sent in clear, unchanged"}
	}
	out := []string{"it is protected; without an SA one is negotiated, and until then it waits or is dropped, never sent in clear"}
	if direction == "inbound" {
		out = []string{"it must arrive protected by an SA of this filter; in clear it is dropped"}
		if f.Rule.Action.InboundPassthrough && f.Rule.Tunnel == nil {
			out = []string{"it should arrive protected by an SA of this filter; in clear it is accepted too (inbound passthrough), and the answer is protected"}
		}
	}
	if b := f.Rule.Action.Fallback; b != nil && direction == "outbound" {
		out[0] = fmt.Sprintf("it is protected; if the peer gives no reply at all within %v, it is sent in clear for %v", b.Wait(), b.Live())
	}
	if f.Rule.Manual != nil && direction == "outbound" {
		out[0] = "it is protected with the rule's manual keys"
	}
	local, remote := k.Src, k.Dst
	if direction == "inbound" {
		local, remote = remote, local
	}
	if t := f.Rule.Tunnel; t != nil {
		out = append(out, "tunnel mode, "+tunnelText(t))
		local, remote = t.Local, t.Remote
	} else {
		out = append(out, "transport mode between "+local.String()+" and "+remote.String())
	}
	for i, m := range f.Rule.Action.Methods {
		out = append(out, fmt.Sprintf("method %d: %s%s", i+1, m, weakMark(m.Weak())))
	}
	return append(out, mainMode(c, f, local, remote)...)
}

// mainMode says how IKE would reach the peer.
func mainMode(c *policy.Compiled, f *policy.QuickModeFilter, local, remote netip.Addr) []string {
	if f.Rule.Manual != nil || !local.IsValid() || !remote.IsValid() {
		return nil
	}
	m := c.FindMainMode(local, remote)
	if m == nil {
		return []string{"no main-mode filter covers " + local.String() + " and " + remote.String() + ": negotiation is impossible"}
	}
	var auth []string
	for _, a := range m.Rule.Auth {
		auth = append(auth, authText(&a))
	}
	return []string{fmt.Sprintf("main mode with %s by the filter %s -> %s of rule %q, authenticated by %s", remote, m.Local, m.Remote, m.Rule.Name, strings.Join(auth, ", then "))}
}

// weightFields say what more of each field of a weight means, in the order in which they are compared.
var weightFields = []string{"more of its two sides are a single address", "more of its two sides are a subnet or range", "its prefixes are longer together",
	"its ranges hold fewer addresses", "it names a protocol", "it names fewer destination ports", "it names fewer source ports"}

// outweighs says why winner weighs more than f: the first field of their weights that differs.
func outweighs(winner, f *policy.QuickModeFilter) string {
	a, b := strings.Split(winner.Weight(), "."), strings.Split(f.Weight(), ".")
	for i := range min(len(a), len(b), len(weightFields)) {
		if a[i] != b[i] {
			return fmt.Sprintf("outweighed: the deciding filter is more specific, %s (%s against %s)", weightFields[i], plainNumber(a[i]), plainNumber(b[i]))
		}
	}
	if winner.Action != f.Action {
		return fmt.Sprintf("outweighed: of equal weight %s comes before %s", winner.Action, f.Action)
	}
	return "outweighed: of equal weight and action the order of addresses decides"
}

// plainNumber takes leading zeros off a number that was padded to sort as text.
func plainNumber(s string) string {
	if n, err := strconv.ParseUint(s, 10, 64); err == nil {
		return strconv.FormatUint(n, 10)
	}
	return s
}

// WriteText writes the explanation for a person.
func (x Explanation) WriteText(w io.Writer) error {
	p := &printer{w: w}
	p.line("%s, by policy %q", x.Question, x.Policy)
	for _, d := range x.Directions {
		p.line("\n%s:", d.Direction)
		d.write(p)
	}
	return p.err
}

func (d DirectionWhy) write(p *printer) {
	if f := d.Decides; f != nil {
		p.line("  decides:   %s: %s, rule %q (%s)", f.Filter, f.Action, f.Rule, f.Place)
		p.line("  weight:    %s", f.Weight)
	}
	for i, s := range d.Does {
		label := "so:"
		if i > 0 {
			label = ""
		}
		p.line("  %-10s %s", label, s)
	}
	for _, c := range d.Carriers {
		p.line("  %-10s %s", "carried by:", c)
	}
	if d.Carriers != nil && len(d.Carriers) == 0 && d.Decides != nil && d.Decides.Action == policy.Negotiate.String() {
		p.line("  %-10s %s", "carried by:", "no SA yet")
	}
	if d.Running != "" {
		p.line("  running:   an instance applies %s", d.Running)
	}
	for _, r := range d.RunnersUp {
		p.line("  also:      %s: %s, rule %q", r.Filter, r.Action, r.Rule)
		p.line("             %s", r.Why)
	}
	if d.More > 0 {
		p.line("             and %d lighter ones", d.More)
	}
	for _, f := range d.Could {
		p.line("  could be:  %s: %s, rule %q (heavier; it depends on the protocol and ports, which the question leaves open)", f.Filter, f.Action, f.Rule)
	}
}

// Running is what a running instance answers to the same question.
type Running struct {
	Policy, Direction string
	// Filter is that which decides there, as classifier.Filter.String writes it; "" if none does.
	Filter, Rule, Action string
	Carriers             []string // its SAs, one line each
	// Dynamic is set if the default response rule made the filter, which no file has.
	Dynamic bool
}

// Compare adds the SAs of a running instance where it decides in the same way, and where it does not, says so. IDs of filters cannot be
// compared between processes.
func (x *Explanation) Compare(r Running) {
	for i := range x.Directions {
		d := &x.Directions[i]
		switch {
		case d.Direction != r.Direction:
		case d.Decides != nil && d.filter == r.Filter && d.Decides.Rule == r.Rule && d.Decides.Action == r.Action:
			d.Carriers = append([]string{}, r.Carriers...)
		case d.Decides == nil && r.Dynamic:
			d.Does = []string{fmt.Sprintf("no filter of the file matches, and the running instance protects it by the dynamic filter %s of its default response rule", r.Filter)}
			d.Carriers = append([]string{}, r.Carriers...)
		case d.Decides == nil && r.Filter == "":
		case r.Filter == "":
			d.Running = fmt.Sprintf("policy %q, by which no filter matches", r.Policy)
		default:
			d.Running = fmt.Sprintf("policy %q, by which %s decides: %s, rule %q", r.Policy, r.Filter, r.Action, r.Rule)
		}
	}
}
