package diagnose

import (
	"fmt"
	"slices"
	"strings"
)

// flow is one kind of packet that an endpoint needs, as the host's firewall sees its first one.
type flow struct {
	name  string // "UDP 500"
	is4   bool
	out   bool // it leaves
	proto uint8
	port  uint16 // of UDP, at this host
	mark  uint32 // that of what leaves
}

// verdict is what a firewall does with a flow, as far as it can be told from its rules.
type verdict uint8

const (
	passes verdict = iota
	maybeDropped
	dropped
)

// judgement is a verdict with the place that decides.
type judgement struct {
	verdict verdict
	flow    flow
	place   string // "table inet filter, chain input"
}

// firewallFinding makes one finding of what was judged. tables are those of others, blind says what was not looked at.
func firewallFinding(list []judgement, tables []string, blind string) Finding {
	f := Finding{Name: "firewall", State: OK, What: "no rule of nftables drops IKE, ESP or AH"}
	if len(tables) == 0 {
		f.What = "there are no nftables rules but goipsec's own"
	} else {
		f.What += "; the tables of others: " + strings.Join(tables, ", ")
	}
	var sure, maybe []string
	for _, j := range list {
		direction := "arrives"
		if j.flow.out {
			direction = "leaves"
		}
		text := fmt.Sprintf("%s that %s (%s)", j.flow.name, direction, j.place)
		switch {
		case j.verdict == dropped && !slices.Contains(sure, text):
			sure = append(sure, text)
		case j.verdict == maybeDropped && !slices.Contains(maybe, text):
			maybe = append(maybe, text)
		}
	}
	const next = "let UDP 500 and 4500 and the IP protocols 50 and 51 pass there"
	switch {
	case len(sure) > 0:
		f.State, f.What, f.Why, f.Next = Problem, "the firewall drops "+strings.Join(sure, "; "), "peers cannot reach this host, or it cannot reach them", next
	case len(maybe) > 0:
		f.State, f.What, f.Why = Warning, "the firewall may drop "+strings.Join(maybe, "; "), "its rules have conditions on addresses or interfaces, so it depends on the peer"
		f.Next = next + ", for every peer"
	}
	if blind != "" {
		f.Why = strings.TrimPrefix(f.Why+"; not looked at: "+blind, "; ")
	}
	return f
}
