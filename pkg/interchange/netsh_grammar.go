package interchange

import (
	"slices"
	"strings"
)

// The grammar of netsh ipsec static: verbs, objects, and the tags of each command in the order in which values without tags take
// them. A name behind a ! is never given by place.
var netshTags = map[string][]string{
	"add filter":       {"filterlist", "srcaddr", "dstaddr", "description", "protocol", "mirrored", "srcmask", "dstmask", "srcport", "dstport"},
	"add filteraction": {"name", "description", "qmpfs", "inpass", "soft", "action", "qmsecmethods"},
	"add filterlist":   {"name", "description"},
	"add policy":       {"name", "description", "mmpfs", "qmpermm", "mmlifetime", "activatedefaultrule", "pollinginterval", "assign", "mmsecmethods"},
	"add rule":         {"name", "policy", "filterlist", "filteraction", "tunnel", "conntype", "activate", "description", "kerberos", "psk", "rootca"},

	"set batch":        {"mode"},
	"set defaultrule":  {"policy", "qmpfs", "activate", "qmsecmethods", "kerberos", "psk", "rootca"},
	"set filteraction": {"name", "!guid", "newname", "description", "qmpfs", "inpass", "soft", "action", "qmsecmethods"},
	"set filterlist":   {"name", "!guid", "newname", "description"},
	"set policy":       {"name", "!guid", "newname", "description", "mmpfs", "qmpermm", "mmlifetime", "activatedefaultrule", "pollinginterval", "assign", "gponame", "mmsecmethods"},
	"set rule":         {"name", "!id", "policy", "newname", "description", "filterlist", "filteraction", "tunnel", "conntype", "activate", "kerberos", "psk", "rootca"},
	"set store":        {"location", "domain"},

	"delete all":          nil,
	"delete filter":       {"filterlist", "srcaddr", "dstaddr", "protocol", "mirrored", "srcmask", "dstmask", "srcport", "dstport"},
	"delete filteraction": {"name"},
	"delete filterlist":   {"name"},
	"delete policy":       {"name"},
	"delete rule":         {"name", "!id", "policy"},

	"exportpolicy": {"file"}, "importpolicy": {"file"}, "restorepolicyexamples": {"release"},
}

var (
	netshVerbs = []string{"add", "delete", "set", "show", "dump", "exportpolicy", "importpolicy", "restorepolicyexamples", "help", "?"}
	// netshGlobals are commands of netsh itself, which change nothing in a policy.
	netshGlobals = []string{"abort", "alias", "bye", "commit", "exit", "flush", "help", "offline", "online", "quit", "uncommit", "unalias", "?"}
)

// objectsOf returns what may stand behind a verb.
func objectsOf(verb string) []string {
	var list []string
	for name := range netshTags {
		if object, ok := strings.CutPrefix(name, verb+" "); ok {
			list = append(list, object)
		}
	}
	slices.Sort(list)
	return list
}

// shortened finds the one candidate that begins with s, in any case of letters. A candidate that is s itself wins over longer ones.
func shortened(s string, candidates []string) (found string, matches int) {
	s = strings.ToLower(s)
	for _, c := range candidates {
		switch {
		case c == s:
			return c, 1
		case s != "" && strings.HasPrefix(c, s):
			found = c
			matches++
		}
	}
	if matches != 1 {
		return "", matches
	}
	return found, 1
}

// argument is a value with the tag that it belongs to.
type argument struct {
	tag, value string
	quoted     bool
}

// arguments are those of one command, in the order of the script.
type arguments struct {
	command string // such as "add rule"
	line    int
	list    []argument
}

// last returns the value of a tag; of one that is given twice, the last.
func (a *arguments) last(tag string) (string, bool) {
	for i := len(a.list) - 1; i >= 0; i-- {
		if a.list[i].tag == tag {
			return a.list[i].value, true
		}
	}
	return "", false
}

// value is last without telling whether the tag is there.
func (a *arguments) value(tag string) string {
	v, _ := a.last(tag)
	return v
}

// bind gives each word its tag: by its name, which may be shortened to what is unique, or by its place, which is behind that of the
// word before it. Of a command with a word that has no tag, which Windows refuses, nothing is left: without that word it would be another
// command.
func (n *netsh) bind(c command, name string, list []word) (a *arguments, ok bool) {
	refuse := func(format string, args ...any) (*arguments, bool) {
		n.lost(c.line, "%s: "+format+": the command is left out", append([]any{name}, args...)...)
		return nil, false
	}
	a = &arguments{command: name, line: c.line}
	tags := netshTags[name]
	var plain, placed []string
	for _, t := range tags {
		plain = append(plain, strings.TrimPrefix(t, "!"))
		if !strings.HasPrefix(t, "!") {
			placed = append(placed, t)
		}
	}
	next := 0
	secret := false // the word before was a key that stood in no quotes
	for _, w := range list {
		tag, matches := shortened(w.tag, plain)
		switch {
		case w.tagged && matches == 1:
		case w.tagged && matches > 1:
			return refuse("the tag %s is short for several", quote(w.tag))
		case w.tagged && secret:
			return refuse("what stands behind the pre-shared key belongs to no tag (if it is part of the key, the key needs quotes)")
		case w.tagged:
			return refuse("there is no tag %s", quote(w.tag))
		case n.moreMethods(a, w):
			continue
		case secret:
			n.lost(c.line, "%s: what stands behind the pre-shared key has no tag; if it is part of the key, the key needs quotes", name)
			n.spoilKey(a)
			continue
		case next < len(placed):
			tag = placed[next]
		default:
			return refuse("it takes no more values")
		}
		if at := slices.Index(placed, tag); at >= 0 {
			next = at + 1
		}
		secret = tag == "psk" && !w.quoted
		a.list = append(a.list, argument{tag, w.value, w.quoted})
	}
	if c.open {
		n.lost(c.line, "%s: a quote is opened and not closed; the last value ends with the line", name)
	}
	return a, true
}

// moreMethods takes a word for one more security method if it looks like one and stands behind others: the quotes around the list are
// often forgotten.
func (n *netsh) moreMethods(a *arguments, w word) bool {
	if w.tagged || len(a.list) == 0 {
		return false
	}
	last := &a.list[len(a.list)-1]
	upper := strings.ToUpper(w.value)
	quick := last.tag == "qmsecmethods" && (strings.HasPrefix(upper, "ESP[") || strings.HasPrefix(upper, "AH["))
	if quick || last.tag == "mmsecmethods" && strings.Count(w.value, "-") == 2 {
		last.value += " " + w.value
		return true
	}
	return false
}

// spoilKey takes a key away that may not be whole: half a key would be a key that the peer does not have.
func (n *netsh) spoilKey(a *arguments) {
	a.list = slices.DeleteFunc(a.list, func(g argument) bool { return g.tag == "psk" })
}
