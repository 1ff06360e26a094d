package terminal

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/goipsec/goipsec/pkg/endpoint"
	"github.com/goipsec/goipsec/pkg/monitor"
)

// lab is a source with many filters, and one of everything else.
type lab struct {
	filters int
	applied time.Time
	err     error
	asked   []endpoint.Query
}

var start = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func (l *lab) List(_ context.Context, q endpoint.Query) (endpoint.Page, error) {
	l.asked = append(l.asked, q)
	if l.err != nil {
		return endpoint.Page{}, l.err
	}
	p := endpoint.Page{List: q.List, Offset: q.Offset, Applied: l.applied, Total: 1, Matched: 1}
	ap := netip.MustParseAddrPort("192.0.2.2:4500")
	switch q.List {
	case endpoint.ListOverview:
		p.Status = &endpoint.Status{Instance: "lab", Started: start, Now: start.Add(90 * time.Second), Policy: endpoint.PolicyStatus{Name: "branch", Description: "at the lake"},
			Counts: endpoint.SACounts{MainMode: 1, QuickMode: 2}, Drops: endpoint.Drops{"blocked": 5}}
		p.Status.Statistics.MainMode.AuthenticationFailures = 3
	case endpoint.ListQuickModeSpecific:
		l.page(&p, q)
	case endpoint.ListEvents:
		p.Events = []endpoint.Event{{Seq: 1, Time: start, Kind: endpoint.EventPeerUp, Remote: ap, What: "main-mode SA 1 is established", Count: 1}}
	case endpoint.ListFailures:
		p.Failures = []endpoint.Failure{{Time: start, Rule: "to-b", Remote: ap, What: "no answer from 192.0.2.2:4500", Why: "the peer is down", Next: "check that the peer is up", Detail: "offered:\n  aes", Count: 2}}
	case endpoint.ListMainModeSAs:
		p.Peers = []endpoint.Peer{{ID: 1, Local: ap, Remote: ap, State: "established", Encr: "3des", Weak: "small blocks"}}
	case endpoint.ListQuickModeSAs:
		p.Children = []endpoint.Child{{ID: 2, Rule: "to-b", Local: ap, Remote: ap, State: "installed", Protocols: []endpoint.ChildKeys{{Protocol: "esp", SPIIn: 0xabcd, Encr: "aes-gcm-16", KeyBits: 128}}}}
	case endpoint.ListRules:
		p.Rules = []endpoint.RuleEntry{{Name: "to-b", Action: "negotiate", Filters: 1, Mode: "tunnel", Auth: []string{"psk"}, Place: "a.yaml:3:1"}}
	default:
		p.Total, p.Matched = 0, 0
	}
	return p, nil
}

// page gives filters by their number; a search finds those that hold it.
func (l *lab) page(p *endpoint.Page, q endpoint.Query) {
	p.Total, p.Matched = l.filters, 0
	for i := range l.filters {
		dst := fmt.Sprintf("10.%d.%d.0/24", i/256, i%256)
		if !strings.Contains(dst, q.Search) {
			continue
		}
		if p.Matched++; p.Matched > q.Offset && p.Matched <= q.Offset+q.Limit {
			p.Filters = append(p.Filters, endpoint.FilterEntry{Rule: "web", Source: "192.0.2.1", Destination: dst, Protocol: "6", Direction: "outbound", Action: "permit", Weight: "1.1.056.0.1.65536.00000"})
		}
	}
}

// screen drives a model the way a program does, but for the waiting.
type screen struct {
	t *testing.T
	Model
}

func show(t *testing.T, src Source, width, height int) *screen {
	s := &screen{t, New(src)}
	s.send(tea.WindowSizeMsg{Width: width, Height: height})
	s.run(s.ask())
	return s
}

func (s *screen) send(msg tea.Msg) (quit bool) {
	next, cmd := s.Model.Update(msg)
	s.Model = next.(Model)
	if _, ticked := msg.(tick); ticked {
		cmd = s.ask() // the other command is the wait for the next tick
	}
	return s.run(cmd)
}

func (s *screen) run(cmd tea.Cmd) (quit bool) {
	if cmd == nil {
		return false
	}
	msg := cmd()
	if _, quit = msg.(tea.QuitMsg); quit {
		return true
	}
	return s.send(msg)
}

// press sends keys by their names, or the letters of a word.
func (s *screen) press(names ...string) (quit bool) {
	codes := map[string]rune{"enter": tea.KeyEnter, "esc": tea.KeyEscape, "down": tea.KeyDown, "up": tea.KeyUp, "left": tea.KeyLeft, "right": tea.KeyRight, "tab": tea.KeyTab,
		"pgdown": tea.KeyPgDown, "pgup": tea.KeyPgUp, "home": tea.KeyHome, "end": tea.KeyEnd, "backspace": tea.KeyBackspace}
	for _, name := range names {
		if code, ok := codes[name]; ok {
			quit = s.send(tea.KeyPressMsg{Code: code})
			continue
		}
		if name == "ctrl+c" {
			quit = s.send(tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl})
			continue
		}
		for _, r := range name {
			quit = s.send(tea.KeyPressMsg{Code: r, Text: string(r)})
		}
	}
	return quit
}

// text is the screen without its colours: what somebody sees who has none.
func (s *screen) text() string { return ansi.Strip(s.View().Content) }

func (s *screen) see(want ...string) {
	s.t.Helper()
	for _, w := range want {
		if !strings.Contains(s.text(), w) {
			s.t.Errorf("%q is not on the screen:\n%s", w, s.text())
		}
	}
}

func (s *screen) seeNot(no string) {
	s.t.Helper()
	if strings.Contains(s.text(), no) {
		s.t.Errorf("%q is on the screen:\n%s", no, s.text())
	}
}

// Whatever the size, every view fills the screen exactly, with the keys at the bottom.
func TestEveryViewFitsEveryScreen(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {200, 60}, {40, 12}, {20, 8}, {9, 5}, {1, 1}} {
		s := show(t, &lab{filters: 300}, size[0], size[1])
		for range monitor.Views {
			for _, open := range []bool{false, true} {
				if open {
					s.press("enter")
				}
				lines := strings.Split(s.View().Content, "\n")
				if len(lines) != max(size[1], linesBelow) {
					t.Errorf("%v, %s: %d lines", size, monitor.Views[s.view].ID, len(lines))
				}
				for _, l := range lines {
					if w := ansi.StringWidth(l); w > size[0] {
						t.Errorf("%v, %s: a line of %d cells: %q", size, monitor.Views[s.view].ID, w, l)
					}
				}
				if last := ansi.Strip(lines[len(lines)-1]); size[0] >= 9 && !strings.HasPrefix(last, "q quit") && !strings.HasPrefix(last, "esc close") {
					t.Errorf("%v: the last line is %q", size, last)
				}
			}
			s.press("esc", "right")
		}
	}
}

func TestOneSeesWhatThereIs(t *testing.T) {
	s := show(t, &lab{filters: 3}, 80, 24)
	s.see("policy branch, lab, up 1m30s, main 1, quick 2", "[1 Policy]", "at the lake", "> to-b", "negotiate")
	s.press("2", "right", "right", "right")
	s.see("[2 Main mode]", "[Statistics]", " !Authentication Failures", "> Active Acquire")
	s.press("right")
	s.see("[SAs]", ">!", "192.0.2.2:4500", "established")
	s.press("3", "left")
	s.see("[2 Main mode]", "[SAs]")
	s.press("5")
	s.see("[5 Failures]", "no answer from 192.0.2.2:4500 (2 times)")
	s.press("enter")
	s.see("Details", "Likely cause", "the peer is down", "Next step", "check that the peer is up", "offered:", "esc close")
	s.press("esc", "tab")
	s.see("[1 Policy]")
	s.press("left")
	s.see("[5 Failures]")
}

// A list is fetched piece by piece; one moves through all of it.
func TestALongListScrolls(t *testing.T) {
	src := &lab{filters: 1500}
	s := show(t, src, 80, 24)
	s.press("3", "right")
	s.see("[Specific]", "> 192.0.2.1", "10.0.0.0/24", "1 of 1500")
	seen := map[string]bool{}
	for range 1500 {
		r := s.row()
		if r == nil {
			t.Fatalf("row %d is not here", s.cursor)
		}
		seen[r.Cells[1]] = true
		s.see(">")
		s.press("down")
	}
	if len(seen) != 1500 {
		t.Errorf("%d of 1500 filters were seen", len(seen))
	}
	s.see("10.5.219.0/24", "1500 of 1500")
	s.press("home")
	s.see("10.0.0.0/24", "1 of 1500")
	s.press("end", "pgup", "pgup", "pgdown", "up")
	s.see("of 1500")
	for _, q := range src.asked {
		if q.Limit > 1000 {
			t.Errorf("%d rows were asked for at once", q.Limit)
		}
	}
}

func TestSearchIsTheEndpointsAndCanBeGivenUp(t *testing.T) {
	src := &lab{filters: 1500}
	s := show(t, src, 80, 24)
	s.press("3", "right", "/", "10.3.")
	s.see("search: 10.3.")
	s.press("enter")
	s.see(`256 found, of 1500, search "10.3."`, "10.3.0.0/24", "esc all rows")
	s.seeNot("10.0.0.0/24")
	s.press("/", "zzz")
	s.see("nothing that holds")
	s.press("backspace", "backspace", "backspace", "esc")
	s.see(`search "10.3."`)
	s.press("esc")
	s.see("1 of 1500")
	s.press("/", strings.Repeat("a", 500), "enter")
	if len(s.search) > maxSearch {
		t.Errorf("a search of %d bytes", len(s.search))
	}
}

// What follows from the policy alone is asked for once; what lives is asked for every second.
func TestStaticViewsAreNotAskedForAgain(t *testing.T) {
	src := &lab{filters: 10, applied: start}
	s := show(t, src, 80, 24)
	s.press("3", "right")
	count := func(l endpoint.ListName) (n int) {
		for _, q := range src.asked {
			if q.List == l {
				n++
			}
		}
		return n
	}
	before := count(endpoint.ListQuickModeSpecific)
	for range 5 {
		s.send(tick{})
	}
	if n := count(endpoint.ListQuickModeSpecific); n != before {
		t.Errorf("asked %d times more though the policy is the same", n-before)
	}
	src.applied, src.filters = start.Add(time.Minute), 11
	s.send(tick{})
	s.see("1 of 11")
	s.press("4")
	before = count(endpoint.ListEvents)
	for range 5 {
		s.send(tick{})
	}
	if n := count(endpoint.ListEvents); n != before+5 {
		t.Errorf("events were asked for %d times in 5 s", n-before)
	}
}

func TestTheEndpointGoesAndComesBack(t *testing.T) {
	src := &lab{filters: 3}
	s := show(t, src, 80, 24)
	s.press("4")
	s.see("main-mode SA 1 is established")
	src.err = errors.New("no instance is running on \x1b[31m/run/x.sock")
	s.send(tick{})
	s.see("! NO ANSWER, asking again: no instance is running on \\x1b[31m/run/x.sock", "main-mode SA 1 is established")
	src.err = nil
	s.send(tick{})
	s.see("policy branch")
	s.seeNot("NO ANSWER")
}

// An answer that comes late, to a question of another view, changes nothing.
func TestLateAnswersAreIgnored(t *testing.T) {
	s := show(t, &lab{filters: 3}, 80, 24)
	late := s.ask()
	s.press("4")
	before := s.text()
	s.run(late)
	if s.text() != before {
		t.Errorf("the screen changed:\n%s", s.text())
	}
}

func TestKeysEnd(t *testing.T) {
	s := show(t, &lab{}, 80, 24)
	if !s.press("q") || !s.press("ctrl+c") {
		t.Error("q and ctrl+c do not end the program")
	}
	s.press("/")
	if s.press("q") {
		t.Error("q ended the program while a search was typed")
	}
	if !s.press("ctrl+c") {
		t.Error("ctrl+c does not end the program while a search is typed")
	}
}

// P20: nothing of a paste but printable characters gets into the search.
func TestP20PastedControlsAreLeftOut(t *testing.T) {
	s := show(t, &lab{filters: 3}, 80, 24)
	s.press("/")
	s.send(tea.PasteMsg{Content: "10\x1b[2J\n.0"})
	if s.typed != "10[2J.0" {
		t.Errorf("%q", s.typed)
	}
}

// A paste is searched at once, and is no longer than an endpoint takes.
func TestAPasteIsTyped(t *testing.T) {
	s := show(t, &lab{filters: 1500}, 80, 24)
	s.press("3", "right", "/")
	s.send(tea.PasteMsg{Content: "10.3."})
	s.see("10.3.0.0/24")
	s.seeNot("10.0.0.0/24")
	s.send(tea.PasteMsg{Content: strings.Repeat("a", maxSearch)})
	if s.typed != "10.3." || s.search != "10.3." {
		t.Errorf("typed %d bytes, searched %d", len(s.typed), len(s.search))
	}
}
