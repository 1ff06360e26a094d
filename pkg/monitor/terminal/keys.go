package terminal

import (
	"strings"
	"unicode"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"github.com/goipsec/goipsec/pkg/monitor"
)

// maxSearch is what an endpoint takes, in bytes.
const maxSearch = 200

// key does what a key means.
func (m Model) key(k tea.KeyPressMsg) (tea.Model, tea.Cmd) {
	name := k.String()
	switch {
	case name == "ctrl+c":
		return m, tea.Quit
	case m.typing:
		return m.typeKey(name, k.Text)
	case m.open:
		return m.detailKey(name)
	}
	switch name {
	case "q":
		return m, tea.Quit
	case "/":
		m.typing, m.typed, m.before = true, m.search, m.search
	case "esc":
		return m.find("")
	case "enter":
		m.open, m.scroll = m.row() != nil, 0
	case "down", "j", "up", "k", "pgdown", "space", "ctrl+f", "pgup", "ctrl+b", "home", "g", "end", "G":
		return m.move(name)
	default:
		return m.turn(name)
	}
	return m, nil
}

// turn goes to another view.
func (m Model) turn(name string) (tea.Model, tea.Cmd) {
	switch name {
	case "right", "l", "n":
		return m.show(m.view + 1)
	case "left", "h", "p":
		return m.show(m.view - 1)
	case "tab":
		return m.show(m.group(1))
	case "shift+tab":
		return m.show(m.group(-1))
	case "1", "2", "3", "4", "5":
		return m.show(groupStart(int(name[0] - '1')))
	}
	return m, nil
}

// move goes through the rows.
func (m Model) move(name string) (tea.Model, tea.Cmd) {
	switch name {
	case "down", "j":
		m.cursor++
	case "up", "k":
		m.cursor--
	case "pgdown", "space", "ctrl+f":
		m.cursor, m.top = m.cursor+m.rows(), m.top+m.rows()
	case "pgup", "ctrl+b":
		m.cursor, m.top = m.cursor-m.rows(), m.top-m.rows()
	case "home", "g":
		m.cursor = 0
	case "end", "G":
		m.cursor = m.table.Matched - 1
	}
	m.cursor = max(m.cursor, 0)
	m.top = max(0, min(m.top, m.table.Matched-m.rows()))
	m.follow()
	if m.holds(m.top, m.rows()) {
		return m, nil
	}
	return m.again()
}

// again asks anew, at once; the answers that are under way are for something else.
func (m Model) again() (tea.Model, tea.Cmd) {
	m.asked++
	return m, m.ask()
}

// show turns to another view, round the ends.
func (m Model) show(view int) (tea.Model, tea.Cmd) {
	m.view = (view + len(monitor.Views)) % len(monitor.Views)
	m.cursor, m.top, m.search, m.open = 0, 0, "", false
	m.table, m.tableOf = monitor.Table{}, question{view: -1}
	return m.again()
}

// find searches.
func (m Model) find(text string) (tea.Model, tea.Cmd) {
	if text == m.search {
		return m, nil
	}
	m.search, m.cursor, m.top = text, 0, 0
	return m.again()
}

// typeKey edits the search; it takes effect with every key.
func (m Model) typeKey(name, text string) (tea.Model, tea.Cmd) {
	switch name {
	case "enter":
		m.typing = false
		return m.find(m.typed)
	case "esc":
		m.typing = false
		return m.find(m.before)
	case "backspace":
		_, n := utf8.DecodeLastRuneInString(m.typed)
		m.typed = m.typed[:len(m.typed)-n]
	case "ctrl+u":
		m.typed = ""
	default:
		return m.typeText(text)
	}
	return m.find(m.typed)
}

// typeText adds what was typed or pasted to the search. What would make it longer than an endpoint takes is left out as a whole.
func (m Model) typeText(text string) (tea.Model, tea.Cmd) {
	if t := onlyLine(text); len(m.typed)+len(t) <= maxSearch {
		m.typed += t
	}
	return m.find(m.typed)
}

// detailKey scrolls the details or closes them.
func (m Model) detailKey(name string) (tea.Model, tea.Cmd) {
	switch name {
	case "esc", "enter", "q", "left":
		m.open = false
	case "down", "j":
		m.scroll++
	case "up", "k":
		m.scroll--
	case "pgdown", "space":
		m.scroll += m.rows()
	case "pgup":
		m.scroll -= m.rows()
	case "home", "g":
		m.scroll = 0
	default:
		return m.turn(name)
	}
	m.scroll = max(0, m.scroll)
	return m, nil
}

// onlyLine keeps what may stand in a search.
func onlyLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, s)
}

// groups lists the groups of views in their order.
func groups() (names []string) {
	for _, v := range monitor.Views {
		if len(names) == 0 || names[len(names)-1] != v.Group {
			names = append(names, v.Group)
		}
	}
	return names
}

// groupStart is the first view of a group, by its number.
func groupStart(n int) int {
	at := -1
	last := ""
	for i, v := range monitor.Views {
		if v.Group != last {
			last = v.Group
			if at++; at == n {
				return i
			}
		}
	}
	return 0
}

// group is the first view of the next group, or of the one before.
func (m Model) group(step int) int {
	names := groups()
	for i, name := range names {
		if name == monitor.Views[m.view].Group {
			return groupStart((i + step + len(names)) % len(names))
		}
	}
	return 0
}
