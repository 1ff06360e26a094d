package guard

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/goipsec/goipsec/pkg/classifier"
)

// mostDevice is the longest name of a network device.
const mostDevice = 15

// check refuses what could not be compiled truly: a guard with a hole is worse than none.
func check(cfg *Config) error {
	if err := checkInstance(cfg.Instance); err != nil {
		return err
	}
	if cfg.Device == "" || len(cfg.Device) > mostDevice {
		return fmt.Errorf("%q is no name of a network device", cfg.Device)
	}
	if len(cfg.Ports) == 0 {
		cfg.Ports = []uint16{500, 4500}
	}
	for i, a := range cfg.Me {
		if !a.IsValid() || i > 0 && a.Is4() == cfg.Me[0].Is4() || i > 1 {
			return fmt.Errorf("%v of the guard's addresses for me is a second one of its family, or none", a)
		}
	}
	for _, rules := range [...][]Rule{cfg.Inbound, cfg.Outbound} {
		for i := range rules {
			if !rules[i].Filter.IsValid() {
				return fmt.Errorf("rule %d of the guard has a filter that matches nothing: mixed families, or a range that ends before it starts", i)
			}
		}
	}
	return nil
}

func checkInstance(name string) error {
	if name == "" || len(name) > 64 || strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-' && r != '.'
	}) {
		return fmt.Errorf("%q cannot be the name of an instance: 1 to 64 letters, digits, '-', '_' and '.'", name)
	}
	return nil
}

// notMe are the addresses of a host that me never stands for.
var notMe = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("fe80::/10")}

// notMeOf lists what me never stands for.
func notMeOf(cfg *Config) []netip.Prefix {
	list := slices.Clone(notMe)
	for _, a := range cfg.NotMe {
		list = append(list, netip.PrefixFrom(a, a.BitLen()))
	}
	return list
}

// entry is one rule on its way into the firewall.
type entry struct {
	Rule
	index        int // its place in the list, by which people know it
	srcMe, dstMe bool
	// reach is the filter with every address in place of me: what the rule can match at most.
	reach classifier.Filter
}

// entries makes ready the rules of one direction.
func entries(cfg *Config, rules []Rule) []entry {
	list := make([]entry, len(rules))
	for i, r := range rules {
		e := entry{Rule: r, index: i + 1, reach: r.Filter}
		e.srcMe = cfg.openMe(&e.reach.Src)
		e.dstMe = cfg.openMe(&e.reach.Dst)
		list[i] = e
	}
	return list
}

// comment is what the firewall keeps of a rule for people: its place and its filter.
func (e *entry) comment() string {
	if e.index == 0 {
		return "exempt: " + e.text()
	}
	return fmt.Sprintf("%d %s", e.index, e.text())
}

// text is the filter with me in words.
func (e *entry) text() string {
	f := e.Filter
	if !e.srcMe && !e.dstMe {
		return f.String()
	}
	src, dst := f.Src.String(), f.Dst.String()
	s := f.String()[len(src)+len(" -> ")+len(dst):]
	if e.srcMe {
		src = meText(f.Src)
	}
	if e.dstMe {
		dst = meText(f.Dst)
	}
	return src + " -> " + dst + s
}

func meText(r classifier.Range) string {
	if r.From.Is4() {
		return "me4"
	}
	return "me6"
}

// openMe replaces a side that stands for me by every address, and reports whether it did.
func (cfg *Config) openMe(r *classifier.Range) bool {
	if !r.IsHost() || !slices.Contains(cfg.Me, r.From) {
		return false
	}
	if r.From.Is4() {
		*r = classifier.AnyV4
	} else {
		*r = classifier.AnyV6
	}
	return true
}
