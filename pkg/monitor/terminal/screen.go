package terminal

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/goipsec/goipsec/pkg/monitor"
)

// Nothing is told by colour alone: the row that is looked at has a mark, alarms have another, and the view in the tabs has brackets.
var (
	bold    = lipgloss.NewStyle().Bold(true)
	faint   = lipgloss.NewStyle().Faint(true)
	reverse = lipgloss.NewStyle().Reverse(true)
	alarm   = lipgloss.NewStyle().Bold(true).Foreground(lipgloss.Red)
)

// The lines round the rows: the headline, two of tabs, the columns' titles; the state of the list, the keys.
const (
	linesAbove = 4
	linesBelow = 2
)

// rows is how many rows there is room for, at least one.
func (m *Model) rows() int { return max(1, m.height-linesAbove-linesBelow-len(m.facts())) }

// View draws the screen.
func (m Model) View() tea.View {
	lines := append(m.headline(), m.tabs()...)
	if m.open && m.row() != nil {
		lines = append(lines, m.details()...)
	} else {
		lines = append(append(lines, m.facts()...), m.list()...)
	}
	for len(lines) < m.height-linesBelow {
		lines = append(lines, "")
	}
	lines = append(lines[:max(0, min(len(lines), m.height-linesBelow))], m.state(), m.keys())
	for i, l := range lines {
		lines[i] = ansi.Truncate(l, m.width, "")
	}
	v := tea.NewView(strings.Join(lines, "\n"))
	v.AltScreen, v.WindowTitle = true, "goipsec monitor"
	return v
}

// headline is what runs, or that it is gone.
func (m *Model) headline() []string {
	if m.lost != "" {
		return []string{alarm.Render(m.fit("! NO ANSWER, asking again: " + m.lost))}
	}
	if m.head == nil {
		return []string{bold.Render("goipsec monitor: waiting for the endpoint")}
	}
	fields := monitor.Headline(m.head)
	short := map[string]string{"Policy": "policy ", "Instance": "", "Up": "up ", "Main-mode SAs": "main ", "Quick-mode SAs": "quick ", "Soft SAs": "soft ", "Waiting packets": "waiting "}
	parts := make([]string, 0, len(fields))
	for _, f := range fields {
		if f.Text != "0" || f.Name == "Quick-mode SAs" || f.Name == "Main-mode SAs" {
			parts = append(parts, short[f.Name]+ansi.Truncate(f.Text, 24, "…"))
		}
	}
	return []string{bold.Render(m.fit("goipsec: " + strings.Join(parts, ", ")))}
}

// tabs are two lines: the groups, and the views of the group that is shown.
func (m *Model) tabs() []string {
	v := monitor.Views[m.view]
	var names, titles []string
	for i, g := range groups() {
		names = append(names, tab(fmt.Sprintf("%d %s", i+1, g), g == v.Group))
	}
	members := 0
	for _, o := range monitor.Views {
		if o.Group == v.Group {
			members++
			titles = append(titles, tab(o.Short, o.ID == v.ID))
		}
	}
	second := strings.Join(titles, " ")
	if ansi.StringWidth(second) > m.width { // narrow: only where one is, and that there is more
		second = "‹ " + tab(v.Short, true) + " ›"
	}
	if members == 1 {
		second = ""
	}
	first := strings.Join(names, " ")
	if ansi.StringWidth(first) > m.width {
		first = tab(v.Group, true)
	}
	return []string{first, second}
}

func tab(title string, here bool) string {
	if here {
		return reverse.Render("[" + title + "]")
	}
	return " " + title + " "
}

// facts stand above the rules of the active policy, as far as there is room.
func (m *Model) facts() []string {
	if monitor.Views[m.view].ID != "policy" || m.head == nil {
		return nil
	}
	var lines []string
	for _, f := range monitor.Facts(m.head) {
		lines = append(lines, m.fit(fmt.Sprintf("%-17s %s", f.Name, f.Text)))
	}
	if most := max(0, m.height-linesAbove-linesBelow-5); len(lines) > most {
		lines = lines[:most]
	}
	return append(lines, "")
}

// list is the titles of the columns and the rows.
func (m *Model) list() []string {
	shown := m.visible()
	layout := layOut(&m.table, shown, m.width-2)
	lines := []string{bold.Render("  " + layout.titles(&m.table))}
	for i := range shown {
		r := &shown[i]
		mark, text := " ", layout.row(r)
		if r.Alarm {
			mark = "!"
		}
		if m.top+i == m.cursor {
			lines = append(lines, reverse.Render(">"+mark+pad(text, m.width-2)))
			continue
		}
		lines = append(lines, " "+mark+text)
	}
	if len(shown) == 0 && m.answered {
		switch {
		case m.tableOf.view != m.view || m.tableOf.search != m.search || m.table.Matched > 0:
			lines = append(lines, "  …")
		case m.search != "":
			lines = append(lines, "  nothing that holds "+quoted(m.search))
		default:
			lines = append(lines, "  nothing")
		}
	}
	return lines
}

// visible are the rows that are on the screen and here.
func (m *Model) visible() []monitor.Row {
	from := m.top - m.table.Offset
	if from < 0 || from >= len(m.table.Rows) {
		return nil
	}
	return m.table.Rows[from:min(from+m.rows(), len(m.table.Rows))]
}

// details tells everything of one row, long texts folded.
func (m *Model) details() []string {
	const label = 26
	var lines []string
	for _, f := range m.row().Details {
		name := f.Name
		for text := range strings.SplitSeq(f.Text, "\n") {
			for _, l := range fold(text, max(20, m.width-label-2)) {
				lines = append(lines, fmt.Sprintf("  %s %s", pad(ansi.Truncate(name, label-2, "…"), label-2), l))
				name = ""
			}
		}
	}
	room := max(1, m.height-linesAbove-linesBelow)
	from := max(0, min(m.scroll, len(lines)-room))
	return append([]string{bold.Render("  Details")}, lines[from:min(len(lines), from+room)]...)
}

// fold cuts a line into pieces of a width, at spaces where there are any.
func fold(s string, width int) []string {
	return strings.Split(ansi.Wrap(s, width, ""), "\n")
}

// state says how much of the list is seen, or shows the search that is typed.
func (m *Model) state() string {
	if m.typing {
		return m.fit("search: " + m.typed + "█")
	}
	t := &m.table
	if len(t.Rows) == 0 {
		return ""
	}
	s := fmt.Sprintf("%d of %d", m.cursor+1, t.Matched)
	if t.Matched != t.Total {
		s += fmt.Sprintf(" found, of %d", t.Total)
	}
	if m.search != "" {
		s += ", search " + quoted(m.search)
	}
	return faint.Render(m.fit(s))
}

func quoted(s string) string { return `"` + monitor.Clean(s) + `"` }

// keys says what can be done now; what there is no room for is left out from the right.
func (m *Model) keys() string {
	list := []string{"q quit", "1-5 tab group", "←→ view", "↑↓ row", "/ search", "enter details", "pgup pgdn g G"}
	switch {
	case m.typing:
		list = []string{"enter keep", "esc as before", "ctrl+u empty"}
	case m.open:
		list = []string{"esc close", "↑↓ scroll"}
	case m.search != "":
		list = append([]string{"q quit", "esc all rows"}, list[1:]...)
	}
	s := list[0]
	for _, k := range list[1:] {
		if ansi.StringWidth(s)+3+ansi.StringWidth(k) > m.width {
			break
		}
		s += " · " + k
	}
	return s
}

// fit cuts a line to the width of the screen.
func (m *Model) fit(s string) string { return ansi.Truncate(s, m.width, "…") }

// pad fills a text up to a width.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-ansi.StringWidth(s)))
}
