package interchange

import "strings"

// dynamic runs a command of netsh ipsec dynamic. Of these, a few set what belongs into a policy file; the others change what is
// in force at the moment, which no file holds.
func (n *netsh) dynamic(c command, verb string, rest []word) {
	switch verb {
	case "show", "help", "?":
		n.remark(c.line, "%s shows something and changes nothing: skipped", verb)
		return
	case "set":
		if len(rest) > 1 {
			if object, _ := shortened(rest[0].text(), []string{"config", "mmpolicy", "qmpolicy", "rule"}); object == "config" {
				n.setConfig(c, rest[1:])
				return
			}
		}
	}
	n.lost(c.line, "commands of netsh ipsec dynamic change what is in force until the next start: they are in no policy file")
}

// setConfig reads set config property=NAME value=NUMBER.
func (n *netsh) setConfig(c command, rest []word) {
	property, value := "", ""
	for i, w := range rest {
		tag, _ := shortened(w.tag, []string{"property", "value"})
		switch {
		case w.tagged && tag == "property", !w.tagged && i == 0:
			property = strings.ToLower(w.value)
		case w.tagged && tag == "value", !w.tagged && i == 1:
			value = w.value
		}
	}
	level := -1
	if len(value) == 1 && value[0] >= '0' && value[0] <= '3' {
		level = int(value[0] - '0')
	}
	switch {
	case property == "ipsecexempt" && level >= 0:
		n.exempt = level
	case property == "strongcrlcheck" && level >= 0 && level < 3:
		n.strict = level
	case property == "ipsecdiagnostics" || property == "ikelogging" || property == "ipsecloginterval":
		n.remark(c.line, "the log of Windows is not set up here: see --log-level")
	case property == "bootmode" || property == "bootexemptions":
		n.remark(c.line, "there is no moment without protection at start: what concerns the time of booting is not needed")
	default:
		n.lost(c.line, "set config: a property or value that is not known")
	}
}
