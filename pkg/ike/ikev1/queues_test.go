package ikev1

import (
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/suite"
)

// A peer that has many children gets none for one more queue of a tunnel, and its main-mode SA stays at both ends; it gets the first of a tunnel, and renews what it has.
func TestNoFurtherChildrenWhereThereAreMany(t *testing.T) {
	c := newCouple(t, suite.GroupNone)
	for _, m := range c.m {
		m.cfg.Queues = 2
	}
	c.recompile(0, tunnelRule(hostA, hostB, "10.1.0.0/24", "10.2.0.0/24"))
	c.recompile(1, tunnelRule(hostB, hostA, "10.2.0.0/24", "10.1.0.0/24"))
	c.want(0)
	c.deliver(start, 100)
	s, answers := c.sa(0), c.m[1]
	p := s.peer
	newest := func(queue int) (pick *child) {
		for _, o := range p.children {
			if o.queue == queue && o.usable() {
				pick = o
			}
		}
		return pick
	}
	// ask begins a quick mode for a queue and reports whether the peer made a child.
	ask := func(queue int, replaces *child) bool {
		w := &want{filter: newest(0).filter, selector: newest(0).sa.Selector, queue: queue}
		if replaces != nil {
			w.replaces = replaces.sa.ID
		}
		before := len(answers.children)
		p.wants = append(p.wants, w)
		c.m[0].startQuickMode(start, s, w)
		c.deliver(start, 20)
		for _, m := range c.m { // exchanges that have ended are forgotten after a while
			for _, s := range m.established {
				clear(s.phase2)
			}
		}
		return len(answers.children) > before
	}
	if newest(1) == nil {
		t.Fatal("there is no child for queue 1")
	}
	for len(answers.children) < maxFurther {
		if !ask(0, newest(0)) {
			t.Fatalf("refused at %d children", len(answers.children))
		}
	}
	if ask(2, nil) || answers.stats.Refused != 1 {
		t.Errorf("a child for one more queue was made at %d", len(answers.children))
	}
	if f := p.last; f == nil || !strings.Contains(f.What, "further child, for queue 2") {
		t.Errorf("the initiator says %+v", f)
	}
	for n, m := range c.m {
		for _, s := range m.established {
			if s.state != Established || s.doubt {
				t.Errorf("host %d: the main-mode SA is %v", n, s.state)
			}
		}
	}
	told := ""
	for _, o := range answers.peers {
		if o.last != nil {
			told = o.last.What + "; " + o.last.Why
		}
	}
	if !strings.Contains(told, "for its queue 2 beside that of another") {
		t.Errorf("the responder says %q", told)
	}
	if !ask(1, newest(1)) || !ask(0, newest(0)) || !ask(0, nil) {
		t.Errorf("what is no further child was refused at %d children: %v", len(answers.children), p.last)
	}
	if len(c.m[0].established) != 1 || len(answers.established) != 1 {
		t.Error("a main mode was begun")
	}
}
