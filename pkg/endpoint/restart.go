package endpoint

import (
	"cmp"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Waiting is a setting of the policy file that differs from what is in force and takes effect only when the endpoint is started anew: sockets, the device and the
// decision for or against a guard are made at the start, and nothing that is protected would survive their change.
type Waiting struct {
	Setting string `json:"setting"`  // as the policy file names it, "tun: mtu"
	InForce string `json:"in_force"` // for people
	File    string `json:"file"`     // the same, as a start would have it now
}

// String says it in one line.
func (w Waiting) String() string {
	return fmt.Sprintf("%s is %s in the file, and %s in force", w.Setting, w.File, w.InForce)
}

// RestartAdvice says how settings that wait take effect, and what that costs.
const RestartAdvice = "it takes effect only after a restart: goipsec down, then goipsec up with the flags as before; between the two nothing is protected or blocked"

// startSettings are the settings of a policy file that are looked at when an endpoint starts, and how to show them. All others hold from the next reload on.
var startSettings = []struct {
	name string
	show func(*Options) string
}{
	{"listen: addresses", func(o *Options) string { return cmp.Or(addressText(o.Listen), "every address of the host") }},
	{"listen: port", func(o *Options) string { return strconv.Itoa(int(o.Port)) }},
	{"listen: nat_port", func(o *Options) string {
		if o.NATPort == o.Port {
			return "that of IKE"
		}
		return strconv.Itoa(int(o.NATPort))
	}},
	{"tun: name", func(o *Options) string { return cmp.Or(o.TUNName, "the first that is free") }},
	{"tun: mtu", func(o *Options) string {
		if o.MTU == 0 {
			return "computed"
		}
		return strconv.Itoa(o.MTU)
	}},
	{"tun: queues", func(o *Options) string { return strconv.Itoa(o.Queues) }},
	{"guard", func(o *Options) string {
		if o.NoGuard {
			return "off"
		}
		return "required"
	}},
}

// addressText lists addresses in their order, which counts: the first of a family is the source where the route's own is not among them.
func addressText(list []netip.Addr) string {
	var text []string
	for _, a := range list {
		text = append(text, a.String())
	}
	return strings.Join(text, ", ")
}

// waiting compares what is in force with what a start would have now. Without an answer to that nothing waits.
func waiting(inForce Options, start *Options) (list []Waiting) {
	if start == nil {
		return nil
	}
	then := *start
	then.setDefaults()
	inForce.setDefaults()
	for _, s := range startSettings {
		if a, b := s.show(&inForce), s.show(&then); a != b {
			list = append(list, Waiting{Setting: s.name, InForce: a, File: b})
		}
	}
	return list
}

// narrower says that the policy has methods now for which the device would have a smaller MTU, where that is computed. Until then larger packets are fragmented, or
// answered with ICMP.
func (e *Endpoint) narrower(start *Options) []Waiting {
	now := overhead(e.compiled)
	if start == nil || start.MTU != 0 || e.opts.MTU != 0 || now <= e.computedFor {
		return nil
	}
	text := func(n int) string { return fmt.Sprintf("computed for methods that add %d bytes", n) }
	return []Waiting{{Setting: "tun: mtu", InForce: text(e.computedFor), File: text(now)}}
}

// noteWaiting tells of the settings of the file that was just applied which wait for a restart.
func (e *Endpoint) noteWaiting(now time.Time, list []Waiting) {
	e.pending = list
	if len(list) == 0 {
		return
	}
	var names, lines []string
	for _, w := range list {
		e.log.Warn("a setting of the policy file is not in force", "setting", w.Setting, "file", w.File, "in_force", w.InForce, "next", RestartAdvice)
		names, lines = append(names, w.Setting), append(lines, w.String())
	}
	e.history.note(now, Event{Kind: EventReload, What: "not in force yet: " + strings.Join(names, "; "), Why: "these settings of the policy file are looked at when goipsec starts",
		Next: RestartAdvice, Detail: strings.Join(lines, "\n")})
}

// waitingWarnings are what status says as long as settings wait.
func (e *Endpoint) waitingWarnings() (list []string) {
	for _, w := range e.pending {
		list = append(list, w.String()+": "+RestartAdvice)
	}
	return list
}
