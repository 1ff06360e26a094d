package guard

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
)

// chainsShown are the chains of a table in the order of a listing, and the direction that each stands for.
var chainsShown = [...]struct{ name, direction string }{
	{chainInput, inbound}, {chainReadable, inbound}, {chainFirstFragment, inbound}, {chainInbound + ofMe, inbound}, {chainInbound + ofOthers, inbound},
	{chainOutput, outbound}, {chainOutbound + ofMe, outbound}, {chainOutbound + ofOthers, outbound}, {chainForward, forwarded},
}

// show reads the table back. Rules stand in two chains, one for me and one for others; here they are one line.
func show(instance string) (*Listing, error) {
	l := &Listing{SchemaVersion: SchemaVersion, Instance: instance, System: System}
	lines := map[string]*Line{} // those from the policy, by direction and comment
	asked := map[string]bool{}
	err := eachRule(instance, func(conn *nftables.Conn, direction string, r *readRule) error {
		if name, ok := strings.CutPrefix(r.text, setComment); ok {
			if asked[name] {
				return nil
			}
			asked[name] = true
			return eachElement(conn, r.table, name, func(text string, packets, bytes uint64) {
				addLine(l, lines, Line{Direction: direction, What: text, Verdict: r.verdict.String(), Packets: packets, Bytes: bytes})
			})
		}
		if r.text != "" {
			addLine(l, lines, Line{Direction: direction, What: r.text, Verdict: r.verdict.String(), Packets: r.packets, Bytes: r.bytes})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, x := range lines {
		l.Lines = append(l.Lines, *x)
	}
	l.Dropped, err = dropped(instance)
	l.sort()
	return l, err
}

// addLine adds a line, or its counts to that of the same rule. The comment of a rule begins with its place.
func addLine(l *Listing, lines map[string]*Line, x Line) {
	number, text, _ := strings.Cut(x.What, " ")
	n, err := strconv.Atoi(number)
	if err != nil {
		l.Lines = append(l.Lines, x)
		return
	}
	key := x.Direction + " " + number
	if there := lines[key]; there != nil {
		there.Packets += x.Packets
		there.Bytes += x.Bytes
		return
	}
	x.Rule, x.What = n, text
	lines[key] = &x
}

// readRule is what a listing needs of a rule of the table.
type readRule struct {
	table          *nftables.Table
	text           string
	verdict        Verdict
	packets, bytes uint64
}

// eachRule calls f for the rules of a table that end in a verdict.
func eachRule(instance string, f func(conn *nftables.Conn, direction string, r *readRule) error) error {
	table, err := inForce(instance)
	if err != nil {
		return err
	}
	conn, err := dial()
	if err != nil {
		return unavailable(err)
	}
	for _, c := range chainsShown {
		rules, err := conn.GetRules(table, &nftables.Chain{Name: c.name, Table: table})
		if err != nil {
			return fmt.Errorf("the guard of instance %s could not be read: %w", instance, err)
		}
		for _, x := range rules {
			r, ok := read(table, x)
			if !ok {
				continue
			}
			if err := f(conn, c.direction, r); err != nil {
				return err
			}
		}
	}
	return nil
}

func read(table *nftables.Table, x *nftables.Rule) (*readRule, bool) {
	r := &readRule{table: table}
	r.text, _ = userdata.GetString(x.UserData, userdata.TypeComment)
	found := false
	for _, e := range x.Exprs {
		switch e := e.(type) {
		case *expr.Counter:
			r.packets, r.bytes = e.Packets, e.Bytes
		case *expr.Verdict:
			if e.Kind == expr.VerdictDrop {
				r.verdict = Drop
			}
			// What lets a packet pass goes back to the hook; other rules that go back say nothing of themselves.
			found = e.Kind == expr.VerdictDrop || e.Kind == expr.VerdictAccept || e.Kind == expr.VerdictReturn && r.text != ""
		}
	}
	return r, found
}

// eachElement calls f for the elements of a set, with the comment of the rule that each is of.
func eachElement(conn *nftables.Conn, table *nftables.Table, name string, f func(text string, packets, bytes uint64)) error {
	s, err := conn.GetSetByName(table, name)
	if err != nil {
		return fmt.Errorf("the guard's %s could not be read: %w", name, err)
	}
	elements, err := conn.GetSetElements(s)
	if err != nil {
		return fmt.Errorf("the guard's %s could not be read: %w", name, err)
	}
	for _, e := range elements {
		var packets, bytes uint64
		if e.Counter != nil {
			packets, bytes = e.Counter.Packets, e.Counter.Bytes
		}
		f(e.Comment, packets, bytes)
	}
	return nil
}

// dropped sums the counters of the rules, not those of sets: it costs little however large the policy is.
func dropped(instance string) (Dropped, error) {
	var d Dropped
	table, err := inForce(instance)
	if err != nil {
		return d, err
	}
	conn, err := dial()
	if err != nil {
		return d, unavailable(err)
	}
	for _, c := range chainsShown {
		rules, err := conn.GetRules(table, &nftables.Chain{Name: c.name, Table: table})
		if err != nil {
			return Dropped{}, unavailable(err)
		}
		for _, x := range rules {
			r, ok := read(table, x)
			switch {
			case !ok || r.verdict != Drop:
			case c.name == chainReadable || c.name == chainFirstFragment:
				d.Unreadable += r.packets
			case c.direction == inbound:
				d.Inbound += r.packets
			default:
				d.Outbound += r.packets
			}
		}
	}
	return d, nil
}
