package endpoint

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/policy"
)

// listed asks an endpoint for a list and fails the test on an error.
func listed(t *testing.T, e *Endpoint, q Query) Page {
	t.Helper()
	p, err := e.List(q)
	if err != nil {
		t.Fatalf("%s: %v", q.List, err)
	}
	return p
}

func TestListsOfARunningPair(t *testing.T) {
	e := ikePair(t)
	if err := e.a.Connect(t.Context(), "to-2"); err != nil {
		t.Fatal(err)
	}
	carry(t, e.a, e.b, "10.1.0.1", "10.2.0.1")
	a := e.a.Endpoint

	if p := listed(t, a, Query{List: ListOverview}); p.Status == nil || p.Status.Policy.Name != "end-1" || len(p.Status.Children) != 0 ||
		p.Status.Statistics.QuickMode.ActiveTunnels != 1 || p.Applied.IsZero() {
		t.Errorf("overview: %+v", p.Status)
	}
	if p := listed(t, a, Query{List: ListRules}); p.Total != 1 || p.Rules[0].Name != "to-2" || p.Rules[0].Mode != "tunnel" || p.Rules[0].Tunnel != "192.0.2.1 .. 192.0.2.2" {
		t.Errorf("rules: %+v", p)
	}
	generic := listed(t, a, Query{List: ListQuickModeGeneric}).Filters
	if len(generic) != 1 || generic[0].Source != "10.1.0.0/24" || generic[0].Weight != "" || generic[0].Direction != "one way" {
		t.Errorf("generic filters: %+v", generic)
	}
	specific := listed(t, a, Query{List: ListQuickModeSpecific}).Filters
	if len(specific) != 2 || specific[0].Direction != "outbound" || specific[1].Direction != "inbound" || specific[1].Source != "10.2.0.0/24" || specific[0].Weight == "" {
		t.Errorf("specific filters: %+v", specific)
	}
	mm := listed(t, a, Query{List: ListMainModeSpecific}).Filters
	if len(mm) != 1 || mm[0].Source != "192.0.2.1" || mm[0].Destination != "192.0.2.2" || mm[0].Auth[0] != "psk" || mm[0].Weight == "" {
		t.Errorf("main-mode filters: %+v", mm)
	}
	if p := listed(t, a, Query{List: ListMainModeGeneric}); p.Total != 1 || p.Filters[0].Policy != "key exchange of end-1" {
		t.Errorf("main-mode generic filters: %+v", p)
	}
	if p := listed(t, a, Query{List: ListMainModePolicies}); len(p.Methods) != len(policy.DefaultKeyExchange().Methods) || p.Methods[0].Seconds != 8*3600 || p.Methods[0].Rules != 1 || p.Methods[1].Order != 2 {
		t.Errorf("key exchange: %+v", p)
	}
	if p := listed(t, a, Query{List: ListQuickModePolicies}); len(p.Methods) != len(policy.DefaultMethods()) || p.Methods[0].Policy != "of rule to-2" || p.Methods[0].Order != 1 {
		t.Errorf("negotiation policies: %+v", p)
	}
	if p := listed(t, a, Query{List: ListMainModeSAs}); len(p.Peers) != 1 || p.Peers[0].Remote.Addr() != outerB {
		t.Errorf("main-mode SAs: %+v", p)
	}
	child := listed(t, a, Query{List: ListQuickModeSAs, Search: "TUNNEL 10.2.0.0/24"})
	if len(child.Children) != 1 || child.Children[0].PacketsOut != 1 {
		t.Errorf("quick-mode SAs: %+v", child)
	}
	if p := listed(t, a, Query{List: ListQuickModeSAs, Search: "tunnel 10.3."}); p.Total != 1 || p.Matched != 0 || len(p.Children) != 0 {
		t.Errorf("a search for what is not there: %+v", p)
	}
	kinds := map[EventKind]bool{}
	for _, ev := range listed(t, a, Query{List: ListEvents}).Events {
		kinds[ev.Kind] = true
		if ev.Kind == EventPeerUp && (len(ev.Identities) != 1 || !strings.Contains(ev.What, ev.Identities[0])) {
			t.Errorf("%q names %q", ev.What, ev.Identities)
		}
	}
	if !kinds[EventPeerUp] || !kinds[EventChildUp] {
		t.Errorf("events: %v", kinds)
	}
}

// No list shows a key, whatever it is asked for.
func TestListsShowNoSecret(t *testing.T) {
	e := ikePair(t)
	if err := e.a.Connect(t.Context(), "to-2"); err != nil {
		t.Fatal(err)
	}
	for _, name := range everyList {
		p := listed(t, e.a.Endpoint, Query{List: name, Limit: maxLimit})
		if text := fmt.Sprintf("%+v", p); strings.Contains(text, "throw-away") {
			t.Errorf("%s shows the pre-shared key: %s", name, text)
		}
	}
}

var everyList = []ListName{ListOverview, ListRules, ListMainModeGeneric, ListMainModeSpecific, ListMainModePolicies, ListMainModeSAs, ListQuickModeGeneric,
	ListQuickModeSpecific, ListQuickModePolicies, ListQuickModeSAs, ListSoftSAs, ListDynamic, ListEvents, ListFailures}

func TestQueriesThatCannotBeAnswered(t *testing.T) {
	e := ikePair(t)
	for _, q := range []Query{{List: "passwords"}, {List: ListRules, Offset: -1}, {List: ListRules, Limit: -1}, {List: ListRules, Limit: maxLimit + 1},
		{List: ListRules, Search: strings.Repeat("a", maxSearch+1)}} {
		if _, err := e.a.List(q); !errors.Is(err, ErrQuery) {
			t.Errorf("%+v: %v", q, err)
		}
	}
}

// Pages follow one another without a gap or an overlap, with and without a search.
func TestPagesMakeUpTheList(t *testing.T) {
	var text strings.Builder
	text.WriteString("policy: many\nrules:\n  - name: web\n    action: permit\n    filters:\n")
	const filters = 250
	for i := range filters {
		fmt.Fprintf(&text, "      - me <-> 10.%d.%d.0/24 tcp any 443\n", i/100, i%100)
	}
	e := join(t, text.String(), ikePolicy(2, 1, defaultIKE))
	for search, want := range map[string]int{"": filters, "10.1.": 100, "WEB 10.2.": 50, "nothing": 0} {
		seen := map[string]bool{}
		for offset := 0; ; offset += 33 {
			p := listed(t, e.a.Endpoint, Query{List: ListQuickModeGeneric, Search: search, Offset: offset, Limit: 33})
			if p.Total != filters || p.Matched != want {
				t.Fatalf("search %q, offset %d: %d of %d", search, offset, p.Matched, p.Total)
			}
			for _, f := range p.Filters {
				if seen[f.Destination] {
					t.Errorf("search %q: %s twice", search, f.Destination)
				}
				seen[f.Destination] = true
			}
			if len(p.Filters) == 0 {
				break
			}
		}
		if len(seen) != want {
			t.Errorf("search %q: %d entries, want %d", search, len(seen), want)
		}
	}
}

func TestTheHistoryForgetsTheOldestAndCountsWhatRepeats(t *testing.T) {
	var h history
	now := time.Unix(0, 0)
	for range 5 {
		h.note(now, Event{Kind: EventFailure, What: "the same"})
	}
	if list := h.newestFirst(); len(list) != 1 || list[0].Count != 5 || list[0].Seq != 5 {
		t.Errorf("five equal events: %+v", list)
	}
	for i := range maxEvents + 10 {
		h.note(now, Event{Kind: EventFailure, What: fmt.Sprint(i)})
		h.note(now, Event{Kind: EventFailure, What: fmt.Sprint(i)})
	}
	list := h.newestFirst()
	if len(list) != maxEvents || list[0].What != fmt.Sprint(maxEvents+9) || list[0].Count != 2 || list[maxEvents-1].What != "10" {
		t.Errorf("%d events, from %+v to %+v", len(list), list[0], list[len(list)-1])
	}
	for i := range list[:maxEvents-1] {
		if list[i].Seq <= list[i+1].Seq {
			t.Fatalf("event %d is not newer than the next", i)
		}
	}
}
