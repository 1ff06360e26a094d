package endpoint

import (
	"fmt"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/policy"
)

// A search through a million filters takes nobody's time but its own: the goroutine of the key exchange goes on meanwhile.
func TestAMillionFiltersAreSearchedBesideTheKeyExchange(t *testing.T) {
	if testing.Short() {
		t.Skip("-short")
	}
	const filters = 1_000_000
	e := ikePair(t)
	rule := &policy.Rule{Name: "many", Action: policy.FilterAction{Kind: policy.Permit}}
	generic := policy.GenericFilter{Src: policy.AddrSpec{Kind: policy.Me}, Dst: policy.AddrSpec{Kind: policy.Any}, Mirrored: true}
	rule.Filters = make([]policy.GenericFilter, filters)
	for i := range rule.Filters {
		rule.Filters[i] = generic
		rule.Filters[i].Proto = uint8(i % 200)
		rule.Filters[i].Src = policy.AddrSpec{Kind: policy.DNSName, Name: fmt.Sprintf("host-%d.example", i)}
	}
	// The list is put in place as a policy in force has it; that it could be expanded is not what is tested.
	if err := e.a.do(func(time.Time) {
		c := *e.a.compiled
		p := *c.Policy
		p.Rules = append([]*policy.Rule{rule}, p.Rules...)
		c.Policy = &p
		e.a.compiled = &c
	}); err != nil {
		t.Fatal(err)
	}
	searched := make(chan Page, 1)
	go func() {
		p, err := e.a.List(Query{List: ListQuickModeGeneric, Search: "HOST-999999.example"})
		if err != nil {
			t.Error(err)
		}
		searched <- p
	}()
	answers := 0
	for {
		select {
		case p := <-searched:
			if p.Total != filters+1 || p.Matched != 1 || p.Filters[0].Source != "host-999999.example" {
				t.Errorf("%d of %d: %+v", p.Matched, p.Total, p.Filters)
			}
			if answers == 0 {
				t.Error("the endpoint answered nobody while the search went on")
			}
			t.Logf("%d other answers during the search", answers)
			return
		default:
			listed(t, e.a.Endpoint, Query{List: ListOverview})
			answers++
		}
	}
}
