package endpoint

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goipsec/goipsec/pkg/policy"
)

// ListName names one of the lists that a monitor shows.
type ListName string

const (
	ListOverview          ListName = "overview" // Status without its SAs, and with the last failure only; up to a second old, and shared: it is not to be changed
	ListRules             ListName = "rules"    // of the active policy
	ListMainModeGeneric   ListName = "main-mode-generic-filters"
	ListMainModeSpecific  ListName = "main-mode-specific-filters"
	ListMainModePolicies  ListName = "main-mode-policies" // key exchange settings
	ListMainModeSAs       ListName = "main-mode-sas"
	ListQuickModeGeneric  ListName = "quick-mode-generic-filters"
	ListQuickModeSpecific ListName = "quick-mode-specific-filters"
	ListQuickModePolicies ListName = "quick-mode-policies" // negotiation policies: security methods
	ListQuickModeSAs      ListName = "quick-mode-sas"
	ListSoftSAs           ListName = "soft-sas"        // traffic that fell back to clear
	ListDynamic           ListName = "dynamic-filters" // of the default response rule
	ListEvents            ListName = "events"          // newest first
	ListFailures          ListName = "failures"        // newest first
)

// Query asks for a part of a list.
type Query struct {
	List ListName `json:"list"`
	// Search keeps the entries in which each of its words occurs, whatever the case; "": all.
	Search string `json:"search"`
	// Offset is the first entry to return; Limit how many, 0: 100, at most 1000.
	Offset int `json:"offset"`
	Limit  int `json:"limit"`
}

// Bounds of a Query.
const (
	defaultLimit = 100
	maxLimit     = 1000
	maxSearch    = 200 // bytes
)

// ErrQuery is wrapped by the error of a Query that cannot be answered.
var ErrQuery = errors.New("no such list, or a search that cannot be")

// Page is the part of a list that a Query asked for, in the one field that the list is of. It holds no secrets.
type Page struct {
	SchemaVersion int      `json:"schema_version"`
	List          ListName `json:"list"`
	Total         int      `json:"total"`   // entries of the list
	Matched       int      `json:"matched"` // of them, those that the search finds
	Offset        int      `json:"offset"`
	// Applied is when the policy was applied that the list is about: while it is the same, so are rules, filters and policies.
	Applied time.Time `json:"applied"`

	Status   *Status         `json:"status,omitempty"`
	Rules    []RuleEntry     `json:"rules,omitempty"`
	Filters  []FilterEntry   `json:"filters,omitempty"`
	Methods  []MethodEntry   `json:"methods,omitempty"`
	Peers    []Peer          `json:"peers,omitempty"`
	Children []Child         `json:"children,omitempty"`
	Soft     []SoftSA        `json:"soft,omitempty"`
	Dynamic  []DynamicFilter `json:"dynamic,omitempty"`
	Events   []Event         `json:"events,omitempty"`
	Failures []Failure       `json:"failures,omitempty"`
}

// List answers a Query. What only needs the policy in force is searched outside of the goroutine of Run: a million filters hold nobody up.
func (e *Endpoint) List(q Query) (Page, error) {
	if q.Limit == 0 {
		q.Limit = defaultLimit
	}
	if q.Offset < 0 || q.Limit < 0 || q.Limit > maxLimit || len(q.Search) > maxSearch {
		return Page{}, fmt.Errorf("%w: offset %d, limit %d (at most %d), a search of %d bytes (at most %d)", ErrQuery, q.Offset, q.Limit, maxLimit, len(q.Search), maxSearch)
	}
	p := Page{SchemaVersion: SchemaVersion, List: q.List, Offset: q.Offset}
	c := &cut{page: &p, words: strings.Fields(strings.ToLower(q.Search)), end: q.Offset + q.Limit}
	var compiled *policy.Compiled
	var err error
	if q.List != ListOverview {
		e.listing <- struct{}{}
	}
	stopped := e.do(func(now time.Time) {
		compiled, p.Applied = e.compiled, e.applied
		err = e.listLive(now, q.List, c)
	})
	if q.List != ListOverview {
		<-e.listing
	}
	if stopped != nil {
		return Page{}, stopped
	}
	if !errors.Is(err, errNotLive) {
		return p, err
	}
	e.searching.Lock()
	defer e.searching.Unlock()
	return p, listPolicy(compiled, q.List, c)
}

// cut takes the entries of a list one by one and says which of them belong on the page.
type cut struct {
	page  *Page
	words []string
	end   int
}

// take counts an entry and reports whether it is to be put on the page; text is only called if there is something to look for in it.
func (c *cut) take(text func() string) bool {
	c.page.Total++
	if len(c.words) > 0 {
		s := strings.ToLower(text())
		for _, w := range c.words {
			if !strings.Contains(s, w) {
				return false
			}
		}
	}
	c.page.Matched++
	return c.page.Matched > c.page.Offset && c.page.Matched <= c.end
}

// errNotLive says that a list is one of the policy.
var errNotLive = errors.New("not a list of the running endpoint")

// listLive makes the lists that belong to the endpoint's goroutine.
func (e *Endpoint) listLive(now time.Time, name ListName, c *cut) error {
	p := c.page
	switch name {
	case ListOverview:
		p.Status = e.overview(now)
	case ListMainModeSAs:
		for _, i := range e.engine.Peers(now) {
			if i.State != "established" && i.State != "retiring" {
				continue
			}
			x := reportPeer(now, &i)
			if c.take(func() string {
				return fmt.Sprintln(x.ID, x.Rule, x.Local, x.Remote, x.RemoteID, x.State, x.Encr, x.Hash, x.Group, x.Auth)
			}) {
				p.Peers = append(p.Peers, x)
			}
		}
	case ListQuickModeSAs:
		e.listChildren(now, c)
	case ListSoftSAs:
		var s Status
		e.reportSoft(now, &s)
		for _, x := range s.Soft {
			if c.take(func() string { return fmt.Sprintln(x.Rule, x.Selector) }) {
				p.Soft = append(p.Soft, x)
			}
		}
	case ListDynamic:
		var s Status
		e.reportDynamic(now, &s)
		for _, x := range s.Dynamic {
			if c.take(func() string { return x.Filter }) {
				p.Dynamic = append(p.Dynamic, x)
			}
		}
	case ListEvents:
		for _, x := range e.history.newestFirst() {
			if c.take(func() string {
				return fmt.Sprintln(x.Kind, x.Rule, x.Local, x.Remote, x.What, x.Why, x.Next)
			}) {
				p.Events = append(p.Events, x)
			}
		}
	case ListFailures:
		for _, x := range slices.Backward(e.failures) {
			if c.take(func() string { return fmt.Sprintln(x.Rule, x.Remote, x.What, x.Why, x.Next) }) {
				p.Failures = append(p.Failures, x)
			}
		}
	default:
		return errNotLive
	}
	return nil
}

// overviewAge is for how long an overview is good. Any account of the host may ask the web monitor for one as often as it likes, and to make one is to ask the
// system for its interfaces and the guard for its counters, and to add up all SAs.
const overviewAge = time.Second

// overview is Status without what grows with the number of SAs or filters, of the policy in force, and at most a second old. It is shared, and nobody changes it.
func (e *Endpoint) overview(now time.Time) *Status {
	if s := e.looked; s != nil && now.Sub(s.Now) < overviewAge && s.Policy.Applied.Equal(e.applied) && s.LastReload == e.lastReload {
		return s
	}
	e.looked = e.makeOverview(now)
	return e.looked
}

func (e *Endpoint) makeOverview(now time.Time) *Status {
	s := e.head()
	e.reportHead(now, &s)
	if n := len(e.failures); n > 0 {
		s.Failures = []Failure{e.failures[n-1]}
	}
	s.TUN.Routes = nil // one for each prefix of the policy
	return &s
}

// listChildren reports only what is asked for: with a hundred thousand SAs the rest is not even made.
func (e *Endpoint) listChildren(now time.Time, c *cut) {
	ids := make([]uint64, 0, len(e.children))
	for id := range e.children {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	states := e.childStates(now)
	for _, id := range ids {
		ch := e.children[id]
		if !c.take(func() string { return childText(ch) }) {
			continue
		}
		r := e.reportChild(now, ch)
		if s := states[id]; s != "" {
			r.State = s
		}
		c.page.Children = append(c.page.Children, r)
	}
}

// childText is what a search looks for in a child.
func childText(c *child) string {
	s := fmt.Sprintln(c.info.ID, c.info.Rule, c.info.Local, c.in[0].Remote(), modeName(c.info.Mode), reportSelector(&c.info.Selector))
	for i := range c.info.Protocols {
		k := reportKeys(&c.info.Protocols[i])
		s += fmt.Sprintf(" %s %08x %08x %s %s", k.Protocol, k.SPIIn, k.SPIOut, k.Encr, k.Integ)
	}
	return s
}
