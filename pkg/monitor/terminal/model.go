package terminal

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/goipsec/goipsec/pkg/endpoint"
	"github.com/goipsec/goipsec/pkg/monitor"
)

// Source is an endpoint to be looked at; a control.Client is one.
type Source interface {
	List(ctx context.Context, q endpoint.Query) (endpoint.Page, error)
}

const (
	refresh  = time.Second
	patience = 5 * time.Second
	// chunk is how many rows are asked for at once, and ahead how many of them before the first that is shown.
	chunk = 200
	ahead = 50
)

// Model is the state of the screen. Make it with New.
type Model struct {
	source        Source
	width, height int
	view          int // in monitor.Views
	search        string
	typing        bool   // the search is being typed
	typed         string // what is being typed
	before        string // the search that was in force when typing began
	cursor        int    // the row that is looked at, in the whole list
	top           int    // the first row that is shown
	open          bool   // its details are shown
	scroll        int    // of the details

	asked    int // number of the last question
	head     *endpoint.Status
	table    monitor.Table
	tableOf  question
	lost     string // why there is no answer; "" while there is
	answered bool   // there was one
}

// question is what a table answers.
type question struct {
	view   int
	search string
	offset int
	// applied is when the policy was applied that the answer is about.
	applied time.Time
}

// New returns a Model that shows the first view of src.
func New(src Source) Model { return Model{source: src, width: 80, height: 24} }

// answer is what the source said to a question.
type answer struct {
	number int
	of     question
	head   *endpoint.Status
	page   *endpoint.Page // nil: what is on the screen is still true
	err    error
}

type tick struct{}

// Init asks for the first time.
func (m Model) Init() tea.Cmd { return tea.Batch(m.ask(), wait()) }

func wait() tea.Cmd { return tea.Tick(refresh, func(time.Time) tea.Msg { return tick{} }) }

// ask returns the command that fetches what is to be shown. A view that follows from the policy alone is not fetched again while the policy is the same: the
// endpoint would search a million filters every second.
func (m Model) ask() tea.Cmd {
	src, v, have, number := m.source, monitor.Views[m.view], m.tableOf, m.asked
	want := question{view: m.view, search: m.search, offset: max(0, m.top-ahead)}
	if m.answered && have.view == want.view && have.search == want.search && m.holds(m.top, m.rows()) {
		want.offset = have.offset
	}
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		head, err := src.List(ctx, endpoint.Query{List: endpoint.ListOverview})
		if err != nil || head.Status == nil {
			return answer{number: number, of: want, err: err}
		}
		a := answer{number: number, of: want, head: head.Status}
		a.of.applied = head.Applied
		if v.Static && have == a.of {
			return a
		}
		page, err := src.List(ctx, v.Query(want.search, want.offset, chunk))
		a.page, a.err = &page, err
		return a
	}
}

// holds reports whether the table has n rows from row first on, or all that there are.
func (m *Model) holds(first, n int) bool {
	return first >= m.table.Offset && (first+n <= m.table.Offset+len(m.table.Rows) || m.table.Offset+len(m.table.Rows) >= m.table.Matched)
}

// Update takes one message.
func (m Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
		m.follow()
		return m, nil
	case tick:
		return m, tea.Batch(m.ask(), wait())
	case answer:
		return m.take(msg), nil
	case tea.KeyPressMsg:
		return m.key(msg)
	case tea.PasteMsg:
		if m.typing {
			return m.typeText(msg.Content)
		}
	}
	return m, nil
}

// take puts an answer on the screen, unless it is one to a question that is not asked any more.
func (m Model) take(a answer) Model {
	if a.number != m.asked {
		return m
	}
	if a.err != nil || a.head == nil {
		m.lost = "the endpoint does not answer"
		if a.err != nil {
			m.lost = monitor.Clean(a.err.Error())
		}
		return m
	}
	m.lost, m.answered, m.head = "", true, a.head
	if a.page != nil {
		m.table, m.tableOf = monitor.Views[a.of.view].Table(a.page, a.of.search), a.of
	}
	m.follow()
	return m
}

// follow keeps the cursor in the list and on the screen.
func (m *Model) follow() {
	if m.table.Matched > 0 || m.answered {
		m.cursor = min(m.cursor, max(m.table.Matched-1, 0))
	}
	rows := m.rows()
	m.top = max(0, min(m.top, m.cursor))
	if m.cursor >= m.top+rows {
		m.top = m.cursor - rows + 1
	}
}

// row is the one that is looked at, nil if it is not here yet.
func (m *Model) row() *monitor.Row {
	i := m.cursor - m.table.Offset
	if i < 0 || i >= len(m.table.Rows) {
		return nil
	}
	return &m.table.Rows[i]
}
