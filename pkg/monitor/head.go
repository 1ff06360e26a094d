package monitor

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goipsec/goipsec/pkg/endpoint"
)

// Headline is what is always shown: what runs, which policy it applies and how much there is of what.
func Headline(s *endpoint.Status) []Field {
	name := cmp.Or(s.Policy.Name, "(no name)")
	if s.Policy.Unassigned {
		name = "none is assigned"
	}
	return []Field{{"Policy", Clean(name)}, {"Instance", Clean(s.Instance)}, {"Up", elapsed(uint64(max(s.Now.Sub(s.Started), 0) / time.Second))},
		{"Main-mode SAs", strconv.FormatUint(s.Counts.MainMode, 10)}, {"Quick-mode SAs", strconv.FormatUint(s.Counts.QuickMode, 10)},
		{"Soft SAs", strconv.FormatUint(s.Counts.Soft, 10)}, {"Waiting packets", strconv.FormatUint(s.Traffic.Waiting, 10)}}
}

// device tells of the TUN device and how packets are moved through it.
func device(t *endpoint.TUNStatus) string {
	text := fmt.Sprintf("%s, MTU %d", t.Name, t.MTU)
	if t.IO != "" {
		text += ", by " + t.IO
	}
	return text
}

// Facts are what there is to say about the instance and its policy besides the rules.
func Facts(s *endpoint.Status) []Field {
	var addresses []string
	for _, a := range s.Addresses {
		addresses = append(addresses, a.String())
	}
	const most = 8
	if n := len(addresses); n > most {
		addresses = append(addresses[:most:most], fmt.Sprintf("and %d more", n-most))
	}
	list := []Field{{"Description", s.Policy.Description}, {"File", s.ConfigPath}, {"Applied", s.Policy.Applied.Format(time.DateTime)},
		{"Specific filters", fmt.Sprintf("%d main mode, %d outbound, %d inbound", s.Policy.MainModeFilters, s.Policy.OutboundFilters, s.Policy.InboundFilters)},
		{"Me", strings.Join(addresses, ", ")}, {"TUN device", device(&s.TUN)}, {"Guard", s.Guard}, {"Key log", s.KeyLog}, {"Last reload", s.LastReload}}
	for _, w := range s.Warnings {
		list = append(list, Field{"Warning", w})
	}
	list = slices.DeleteFunc(list, func(f Field) bool { return f.Text == "" })
	for i := range list {
		list[i].Text = Clean(list[i].Text)
	}
	return list
}
