package interchange

import (
	"fmt"
	"slices"
	"strings"
)

// netsh runs a script against a store of its own, as netsh runs it against that of Windows: a command that Windows refuses has no
// effect here either.
type netsh struct {
	notes
	store
	opts    Options
	context string   // "", "ipsec", "ipsec static", "ipsec dynamic" or another, in which nothing concerns us
	stack   []string // of pushd
	domain  bool     // the store is that of a domain: nothing is assigned in it

	exempt int // ipsecexempt, -1 if the script does not say
	strict int // strongcrlcheck, -1 likewise
}

// ImportNetsh reads a script of netsh ipsec static commands, be it for netsh -f or a batch file. The error is for what is no such script at
// all; everything else is in the notes.
func ImportNetsh(name string, data []byte, opts Options) (*Result, error) {
	s, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	n := &netsh{opts: opts, exempt: -1, strict: -1}
	for _, l := range logicalLines(s) {
		n.runLine(l)
	}
	if n.over != nil {
		return nil, fmt.Errorf("%s: %w", name, n.over)
	}
	if len(n.policies.list) == 0 {
		hint := "a script begins with: netsh ipsec static add policy name=NAME"
		if len(n.list) > 0 {
			hint = "the first thing that was left out: " + n.list[0].String()
		}
		return nil, fmt.Errorf("%s: the script makes no policy (%s)", name, hint)
	}
	return n.result(name)
}

// runLine runs what stands on one line.
func (n *netsh) runLine(l line) {
	switch {
	case isComment(l.text):
	case isNetsh(l.text):
		parts, chained := splitBatch(strings.TrimLeft(l.text, " \t@"))
		for i, p := range parts {
			switch {
			case !isNetsh(p):
				n.notNetsh(l.number, p, chained[i] != "")
			case chained[i] == "||":
				n.lost(l.number, "a command that runs only if the one before it fails is left out")
			case chained[i] == "|":
				n.lost(l.number, "a command that reads the output of another is left out")
			default:
				n.runBatch(l.number, p)
			}
		}
	case n.isContextLine(l.text):
		list, open := words(l.text)
		n.run(command{line: l.number, words: list, open: open})
	default:
		n.notNetsh(l.number, l.text, false)
	}
}

// harmless are commands of cmd.exe that change nothing in a policy.
var harmless = []string{"echo", "echo.", "cls", "pause", "exit", "title", "setlocal", "endlocal", "color", "chcp", "cd", "timeout", "ver", "date", "time", "hostname", "whoami", "gpupdate"}

// notNetsh notes a line that is no command of netsh. What follows another command on its line is not shown: it may be the rest of a key.
func (n *netsh) notNetsh(number int, s string, chained bool) {
	first := strings.ToLower(strings.TrimLeft(strings.Fields(s + " ?")[0], "@"))
	switch {
	case slices.Contains(harmless, first) || strings.HasPrefix(first, "echo."):
		n.remark(number, "commands that only speak to people (echo, pause, …) are skipped")
	case chained:
		n.lost(number, "what stands behind another command on its line is not run")
	case strings.HasPrefix(first, ":"):
		n.remark(number, "labels are skipped: the script is read from top to bottom")
	case first == "if" || first == "for" || first == "goto" || first == "call":
		n.lost(number, "%s is not followed: commands that depend on a condition, or run several times, are left out", quote(first))
	case first == "set":
		n.lost(number, "set is not followed: variables are not known here")
	default:
		n.lost(number, "it is no command of netsh ipsec static")
	}
}

// runBatch runs a command that begins with netsh.
func (n *netsh) runBatch(number int, s string) {
	list, open := words(s)
	c := command{line: number, batch: true, words: list[1:], open: open}
	context := ""
	for len(c.words) > 0 && !c.words[0].tagged && strings.HasPrefix(c.words[0].value, "-") {
		option, value := strings.ToLower(c.words[0].value), ""
		c.words = c.words[1:]
		if len(c.words) > 0 {
			value = c.words[0].text()
			c.words = c.words[1:]
		}
		switch option {
		case "-c":
			context = strings.ToLower(strings.Join(strings.Fields(value), " "))
		case "-f", "-a":
			n.lost(number, "the commands of another file (%s %s) are not read: import that file", option, quote(value))
		case "-r", "-u", "-p":
			n.lost(number, "a command for another machine (netsh %s) is left out", option)
			return
		default:
			n.lost(number, "netsh has no option %s", quote(option))
			return
		}
	}
	for _, w := range c.words {
		if variable(w.value) {
			n.lost(number, "the command uses a variable (%%NAME%%), whose value is not known here: it is left out")
			return
		}
	}
	saved, stack := n.context, n.stack
	n.context = context
	n.run(c)
	n.context, n.stack = saved, stack
}

// variable reports whether cmd.exe would put the value of a variable into s: %NAME%, %1, or %%i of a loop.
func variable(s string) bool {
	i := strings.IndexByte(s, '%')
	if i < 0 || i+1 >= len(s) {
		return false
	}
	rest := s[i+1:]
	end := strings.IndexByte(rest, '%')
	return end > 0 && !strings.ContainsAny(rest[:end], " =") || end == 0 || rest[0] >= '0' && rest[0] <= '9' || rest[0] == '~'
}

// isContextLine reports whether a line of a netsh -f script, which does not begin with netsh, can be one of its commands.
func (n *netsh) isContextLine(s string) bool {
	first, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(s)), " ")
	switch {
	case first == "pushd" || first == "popd" || first == "..":
		return true
	case n.context != "":
		return !slices.Contains(harmless, first)
	}
	_, global := shortened(first, netshGlobals)
	return isIPsecWord(first) || global == 1 && !slices.Contains(harmless, first)
}

// isIPsecWord reports whether a word of the root context means ipsec.
func isIPsecWord(s string) bool {
	s = strings.ToLower(s)
	return len(s) >= 3 && strings.HasPrefix("ipsec", s)
}

// run runs a command in the context at hand, changing the context where the words only name one.
func (n *netsh) run(c command) {
	if len(c.words) == 0 {
		return
	}
	first := strings.ToLower(c.words[0].text())
	switch first {
	case "pushd":
		n.stack = append(n.stack, n.context)
		n.descend(c, c.words[1:])
		return
	case "popd":
		n.context = ""
		if k := len(n.stack); k > 0 {
			n.context, n.stack = n.stack[k-1], n.stack[:k-1]
		}
		return
	case "..":
		n.context = n.context[:max(0, strings.LastIndexByte(n.context, ' '))]
		return
	}
	n.descend(c, c.words)
}

// descend follows context words and runs what is left of the command.
func (n *netsh) descend(c command, list []word) {
	if len(list) == 0 {
		return
	}
	first := list[0].text()
	switch n.context {
	case "ipsec static":
		if verb, matches := shortened(first, netshVerbs); matches == 1 {
			n.static(c, verb, list[1:])
			return
		}
	case "ipsec dynamic":
		if verb, matches := shortened(first, []string{"add", "delete", "set", "show", "help", "?"}); matches == 1 {
			n.dynamic(c, verb, list[1:])
			return
		}
	case "ipsec":
		if next, matches := shortened(first, []string{"static", "dynamic"}); matches == 1 {
			n.context = "ipsec " + next
			n.descend(c, list[1:])
			return
		}
		if word, matches := shortened(first, []string{"dump", "help", "?"}); matches == 1 {
			n.remark(c.line, "%s shows something and changes nothing: skipped", word)
			return
		}
	case "":
	default:
		n.lost(c.line, "it is no command of netsh ipsec static")
		return
	}
	switch word, global := shortened(first, netshGlobals); {
	case isIPsecWord(first):
		n.context = "ipsec"
		n.descend(c, list[1:])
	case global == 1:
		n.remark(c.line, "%s is a command of netsh itself and changes no policy: skipped", word)
	case n.context == "" && len(list) == 1:
		n.context = "another"
		n.lost(c.line, "a context of netsh other than ipsec static: its commands are left out")
	case n.context == "":
		n.lost(c.line, "it is no command of netsh ipsec static")
	default:
		n.lost(c.line, "netsh %s has no such command", n.context)
	}
}

// static runs a command of netsh ipsec static.
func (n *netsh) static(c command, verb string, rest []word) {
	switch verb {
	case "show", "dump", "help", "?":
		n.remark(c.line, "%s shows something and changes nothing: skipped", verb)
		return
	case "exportpolicy":
		n.remark(c.line, "exportpolicy writes a file of Windows and changes nothing: skipped")
		return
	case "importpolicy":
		n.lost(c.line, "importpolicy reads a policy store in a form of Windows' own: it is not read; write its policies as commands")
		return
	case "restorepolicyexamples":
		n.lost(c.line, "the example policies of Windows are not restored here: they negotiate with anybody and fall back to clear")
		return
	}
	if len(rest) == 0 {
		n.remark(c.line, "%s alone shows its help: skipped", verb)
		return
	}
	object, matches := shortened(rest[0].text(), objectsOf(verb))
	if matches != 1 {
		n.lost(c.line, "netsh ipsec static has no such command: behind %s stands one of %s", verb, strings.Join(objectsOf(verb), ", "))
		return
	}
	if a, ok := n.bind(c, verb+" "+object, rest[1:]); ok {
		handlers[a.command](n, a)
	}
}

// handlers run the commands of netshTags that have an object.
var handlers = map[string]func(*netsh, *arguments){
	"add filter": (*netsh).addFilter, "add filteraction": (*netsh).addAction, "add filterlist": (*netsh).addList,
	"add policy": (*netsh).addPolicy, "add rule": (*netsh).addRule,
	"set batch": (*netsh).setBatch, "set defaultrule": (*netsh).setDefaultRule, "set filteraction": (*netsh).setAction, "set filterlist": (*netsh).setList,
	"set policy": (*netsh).setPolicy, "set rule": (*netsh).setRule, "set store": (*netsh).setStore,
	"delete all": (*netsh).deleteAll, "delete filter": (*netsh).deleteFilter, "delete filteraction": (*netsh).deleteAction,
	"delete filterlist": (*netsh).deleteList, "delete policy": (*netsh).deletePolicy, "delete rule": (*netsh).deleteRule,
}
