package endpoint

import (
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// WriteText writes the status as tables for a person.
func (s Status) WriteText(w io.Writer) error {
	t := &tables{w: w}
	t.line("instance %s%s, process %d, up %s", s.Instance, after(" of goipsec ", s.Version), s.PID, s.Now.Sub(s.Started).Truncate(time.Second))
	t.line("%s", policyText(&s))
	by := ""
	if s.TUN.IO != "" {
		by = ", by " + s.TUN.IO
	}
	t.line("tun %s, mtu %d%s; guard %s; listening on %s", s.TUN.Name, s.TUN.MTU, by, s.Guard, listenText(s.Listen))
	if s.Direct != nil {
		t.line("raw ESP past the host's network stack and firewall: %d datagrams received, %d lost for want of room, %d sent", s.Direct.Received, s.Direct.Lost, s.Direct.Sent)
		if s.Direct.Refusal != "" {
			t.line("warning: raw ESP leaves through the host's network stack and firewall: %s", s.Direct.Refusal)
		}
	}
	if len(s.Live) > 0 {
		t.line("live keywords: %s", liveText(s.Live))
	}
	for _, x := range s.Warnings {
		t.line("warning: %s", x)
	}
	t.peers(s.Peers)
	t.children(s.Children)
	t.soft(s.Soft)
	t.dynamic(s.Dynamic)
	t.negotiations(s.Negotiating)
	t.counters(s)
	t.failures(s.Failures)
	return t.err
}

// liveText says what live keywords stand for.
func liveText(live map[string][]netip.Addr) string {
	var parts []string
	for _, word := range slices.Sorted(maps.Keys(live)) {
		servers := make([]string, len(live[word]))
		for i, a := range live[word] {
			servers[i] = a.String()
		}
		parts = append(parts, word+" "+orDash(strings.Join(servers, ", ")))
	}
	return strings.Join(parts, "; ")
}

// policyText says which policy is in force.
func policyText(s *Status) string {
	p := &s.Policy
	if p.Unassigned {
		return fmt.Sprintf("no policy is assigned since %s: nothing is protected or blocked (goipsec policy assign NAME puts one in force)", p.Applied.Format(time.DateTime))
	}
	chosen := ""
	if p.ByCommand {
		chosen = " (assigned by command)"
	}
	return fmt.Sprintf("policy %q%s%s: %d rules, %d outbound and %d inbound filters, applied %s", p.Name, after(" from ", s.ConfigPath), chosen, p.Rules, p.OutboundFilters,
		p.InboundFilters, p.Applied.Format(time.DateTime))
}

// tables writes lines and aligned tables, and keeps the first error.
type tables struct {
	w   io.Writer
	err error
}

func (t *tables) line(format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.w, format+"\n", args...)
	}
}

// table writes a title with the number of its entries, and their rows under a header.
func (t *tables) table(title string, n int, header string, rows []string) {
	t.line("\n%s: %d", title, n)
	if len(rows) == 0 || t.err != nil {
		return
	}
	tw := tabwriter.NewWriter(t.w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, header)
	for _, r := range rows {
		fmt.Fprintln(tw, r)
	}
	t.err = tw.Flush()
}

func (t *tables) peers(list []Peer) {
	rows := make([]string, len(list))
	for i, p := range list {
		rows[i] = fmt.Sprintf("  %d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", p.ID, p.State, role(p.Initiator), p.Local, p.Remote, orDash(p.RemoteID),
			strings.TrimSpace(sized(p.Encr, p.KeyBits)+" "+p.Hash+" "+p.Group)+weak(p.Weak), elapsed(p.AgeSeconds), elapsed(p.SecondsLeft), peerNotes(p))
	}
	t.table("main-mode SAs", len(list), "  ID\tSTATE\tROLE\tLOCAL\tREMOTE\tIDENTITY\tALGORITHMS\tAGE\tLEFT\tNOTES", rows)
}

func (t *tables) children(list []Child) {
	var rows []string
	for _, c := range list {
		for i, k := range c.Protocols {
			if i > 0 { // the second protocol of one pair: only what differs
				rows = append(rows, fmt.Sprintf("  \t\t\t\t%s\t%08x\t%08x\t%s", k.Protocol, k.SPIIn, k.SPIOut, algorithms(k)))
				continue
			}
			rows = append(rows, fmt.Sprintf("  %d\t%s\t%s\t%s\t%s\t%08x\t%08x\t%s\t%s\t%s\t%s\t%s", c.ID, c.State, c.Rule, c.Selector, protocolText(c, k), k.SPIIn, k.SPIOut,
				algorithms(k), elapsed(c.AgeSeconds), limits(c), count(c.PacketsIn, c.BytesIn), count(c.PacketsOut, c.BytesOut)))
		}
	}
	t.table("quick-mode SAs", len(list), "  ID\tSTATE\tRULE\tSELECTOR\tMODE\tSPI IN\tSPI OUT\tALGORITHMS\tAGE\tLEFT\tIN\tOUT", rows)
}

func (t *tables) soft(list []SoftSA) {
	if len(list) == 0 {
		return
	}
	rows := make([]string, len(list))
	for i, s := range list {
		rows[i] = fmt.Sprintf("  %s\t%s\t%s\t%s\t%s", s.Rule, s.Selector, elapsed(s.AgeSeconds), elapsed(s.SecondsLeft), count(s.PacketsOut, s.BytesOut))
	}
	t.table("soft SAs (in clear: the peer gives no reply)", len(list), "  RULE\tSELECTOR\tAGE\tLEFT\tOUT", rows)
}

func (t *tables) dynamic(list []DynamicFilter) {
	if len(list) == 0 {
		return
	}
	rows := make([]string, len(list))
	for i, d := range list {
		left := "-"
		if d.SecondsLeft != nil {
			left = elapsed(*d.SecondsLeft)
		}
		rows[i] = fmt.Sprintf("  %s\t%s\t%s\t%d", d.Selector, elapsed(d.AgeSeconds), left, d.SAs)
	}
	t.table("dynamic filters of the default response rule", len(list), "  SELECTOR\tAGE\tLEFT\tSAS", rows)
}

func (t *tables) negotiations(list []Negotiation) {
	if len(list) == 0 {
		return
	}
	rows := make([]string, len(list))
	for i, n := range list {
		rows[i] = fmt.Sprintf("  %s\t%s\t%s\t%s\t%s\t%d", n.Rule, n.Filter, n.Local, n.Remote, elapsed(n.AgeSeconds), n.WaitingPackets)
	}
	t.table("negotiating", len(list), "  RULE\tFILTER\tLOCAL\tREMOTE\tSINCE\tWAITING", rows)
}

func (t *tables) counters(s Status) {
	c := s.Traffic
	fallen := ""
	if n := s.Statistics.MainMode.SoftAssociations; n > 0 {
		fallen = fmt.Sprintf(", %d in clear under soft SAs (%d fall-backs)", c.Soft, n)
	}
	t.line("\npackets out: %d from the TUN, %d sealed, %d permitted in clear%s, %d waiting", c.FromTUN, c.Sealed, c.Permitted, fallen, c.Waiting)
	t.line("packets in:  %d received, %d opened, %d delivered", c.Received, c.Opened, c.Delivered)
	for i, q := range s.Queues {
		if len(s.Queues) > 1 {
			t.line("queue %d:     %d from the TUN, %d from the network", i, q.FromTUN, q.FromWire)
		}
	}
	t.reasons("drops", s.Drops)
	if s.GuardDrops != nil {
		t.reasons("clear packets refused by the guard", s.GuardDrops)
	}
	t.reasons("refused by the key exchange", s.IKE.Refused)
	if s.IKE.Panics > 0 {
		t.line("faults caught in the key exchange: %d (please report them)", s.IKE.Panics)
	}
}

// reasons writes counters that are not zero, in the order of their names.
func (t *tables) reasons(title string, counts map[string]uint64) {
	var rows []string
	var sum uint64
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		if counts[k] > 0 {
			rows = append(rows, fmt.Sprintf("  %s\t%d", k, counts[k]))
			sum += counts[k]
		}
	}
	t.line("%s: %d", title, sum)
	if len(rows) > 0 && t.err == nil {
		tw := tabwriter.NewWriter(t.w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(tw, strings.Join(rows, "\n"))
		t.err = tw.Flush()
	}
}

func (t *tables) failures(list []Failure) {
	if len(list) == 0 {
		return
	}
	t.line("\nfailures: %d", len(list))
	for _, f := range list {
		times := ""
		if f.Count > 1 {
			times = fmt.Sprintf(" (%d times)", f.Count)
		}
		t.line("  %s  %s with %s: %s%s", f.Time.Format(time.TimeOnly), orDash(f.Rule), f.Remote, f.What, times)
		for _, s := range []struct{ label, text string }{{"likely cause", f.Why}, {"next step", f.Next}} {
			if s.text != "" {
				t.line("    %s: %s", s.label, s.text)
			}
		}
		for _, l := range strings.Split(strings.TrimRight(f.Detail, "\n"), "\n") {
			if l != "" {
				t.line("      %s", l)
			}
		}
	}
}

// String writes a child on one line: "SA 7 (esp 00001001/00002002, tunnel, aes-gcm-16 128), rule web, 12 packets out, 11 in".
func (c Child) String() string {
	var keys []string
	for _, k := range c.Protocols {
		keys = append(keys, fmt.Sprintf("%s in %08x out %08x, %s", k.Protocol, k.SPIIn, k.SPIOut, algorithms(k)))
	}
	return fmt.Sprintf("SA %d (%s, %s mode), %s, rule %s, %d packets out, %d in", c.ID, strings.Join(keys, " + "), c.Mode, c.State, c.Rule, c.PacketsOut, c.PacketsIn)
}

// String writes the selector as people read it, the local side first.
func (s Selector) String() string {
	text := span(s.LocalFrom, s.LocalTo) + ports(s.LocalPorts) + " <-> " + span(s.RemoteFrom, s.RemoteTo) + ports(s.RemotePorts)
	if s.Protocol != 0 {
		text += fmt.Sprintf(" proto %d", s.Protocol)
	}
	return text
}

func span(from, to netip.Addr) string {
	if from == to {
		return from.String()
	}
	for bits := range from.BitLen() {
		p := netip.PrefixFrom(from, bits)
		if p.Masked() == p && last(p) == to {
			return p.String()
		}
	}
	return from.String() + "-" + to.String()
}

// last is the highest address of a prefix.
func last(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

func ports(p *PortRange) string {
	switch {
	case p == nil:
		return ""
	case p.From == p.To:
		return fmt.Sprintf(" port %d", p.From)
	}
	return fmt.Sprintf(" ports %d-%d", p.From, p.To)
}

func protocolText(c Child, k ChildKeys) string {
	s := k.Protocol + " " + c.Mode
	if c.Encap == "udp" {
		s += " in udp"
	}
	if c.ESN {
		s += " esn"
	}
	if c.Queue > 0 { // else it would look like a second SA for the same
		s += fmt.Sprintf(", queue %d", c.Queue)
	}
	return s
}

func algorithms(k ChildKeys) string {
	return strings.TrimSpace(sized(k.Encr, k.KeyBits)+" "+k.Integ) + weak(k.Weak)
}

func sized(name string, bits int) string {
	if bits == 0 || name == "" {
		return name
	}
	return fmt.Sprintf("%s %d", name, bits)
}

func weak(why string) string {
	if why == "" {
		return ""
	}
	return " (weak)"
}

func limits(c Child) string {
	var parts []string
	if c.SecondsLeft != nil {
		parts = append(parts, elapsed(*c.SecondsLeft))
	}
	if c.KilobytesLeft != nil {
		parts = append(parts, fmt.Sprintf("%d KB", *c.KilobytesLeft))
	}
	return orDash(strings.Join(parts, ", "))
}

func peerNotes(p Peer) string {
	var notes []string
	for _, n := range []struct {
		set  bool
		text string
	}{{p.NATLocal, "this end behind NAT"}, {p.NATRemote, "peer behind NAT"}, {p.DPD, "dpd"}, {p.Aggressive, "aggressive mode"}, {p.User != "", "user " + p.User},
		{p.Inner != "", "inside " + p.Inner}} {
		if n.set {
			notes = append(notes, n.text)
		}
	}
	return orDash(strings.Join(notes, ", "))
}

func role(initiator bool) string {
	if initiator {
		return "initiator"
	}
	return "responder"
}

func listenText(list []Listener) string {
	parts := make([]string, len(list))
	for i, l := range list {
		parts[i] = l.Kind + " " + l.Address.String()
		if l.Address.Port() == 0 {
			parts[i] = l.Kind + " " + l.Address.Addr().String()
		}
	}
	return orDash(strings.Join(parts, ", "))
}

func elapsed(n uint64) string { return (time.Duration(min(n, 1<<31)) * time.Second).String() }

func count(packets, bytes uint64) string { return fmt.Sprintf("%d (%d B)", packets, bytes) }

// after puts a word in front of s, unless there is none.
func after(word, s string) string {
	if s == "" {
		return ""
	}
	return word + s
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// WriteText writes the figures of both modes for a person.
func (s Statistics) WriteText(w io.Writer) error {
	t := &tables{w: w}
	for _, mode := range []struct {
		name    string
		figures []Figure
	}{{"main mode", s.MainMode.Figures()}, {"\nquick mode", s.QuickMode.Figures()}} {
		t.line("%s", mode.name)
		for _, f := range mode.figures {
			now := ""
			if f.Moment {
				now = "  now"
			}
			t.line("  %-30s %20d%s", f.Name, f.Value, now)
		}
	}
	return t.err
}

// SAList is the part of a Status that lists SAs.
type SAList struct {
	SchemaVersion int     `json:"schema_version"`
	Peers         []Peer  `json:"peers"`
	Children      []Child `json:"children"`
}

// SAs returns the SAs of a status.
func (s Status) SAs() SAList {
	return SAList{SchemaVersion: s.SchemaVersion, Peers: s.Peers, Children: s.Children}
}

// WriteText writes both tables for a person.
func (s SAList) WriteText(w io.Writer) error {
	t := &tables{w: w}
	t.peers(s.Peers)
	t.children(s.Children)
	return t.err
}
