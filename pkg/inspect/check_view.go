package inspect

import (
	"fmt"
	"io"

	"github.com/goipsec/goipsec/pkg/policy"
)

// CheckView is the result of a look at a policy file that was found good.
type CheckView struct {
	SchemaVersion int           `json:"schema_version"`
	File          string        `json:"file"`
	OK            bool          `json:"ok"`
	Policies      []PolicyCount `json:"policies"`
	Warnings      []string      `json:"warnings"`
	Errors        []string      `json:"errors"`
	// Findings are what the policies say and most likely do not mean.
	Findings []FindingView `json:"findings"`
}

// FindingView is one finding of a review.
type FindingView struct {
	Code    string `json:"code"` // stable, for programs
	Policy  string `json:"policy"`
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
	Instead string `json:"instead"` // what to write
}

// ViewFindings makes views of what the review of a policy found.
func ViewFindings(policyName string, list []policy.Finding) []FindingView {
	views := make([]FindingView, len(list))
	for i, f := range list {
		views[i] = FindingView{f.Code, policyName, f.Position.File, f.Position.Line, f.Position.Column, f.Message, f.Instead}
	}
	return views
}

// PolicyCount says how much one policy of a file holds.
type PolicyCount struct {
	Name     string `json:"name"`
	Assigned bool   `json:"assigned"`
	Rules    int    `json:"rules"`
	Filters  int    `json:"filters"`
	// MainMode, Outbound and Inbound count specific filters, for the assigned policy on this host.
	MainMode int `json:"main_mode_filters,omitempty"`
	Outbound int `json:"outbound_filters,omitempty"`
	Inbound  int `json:"inbound_filters,omitempty"`
}

// ViewCheck makes the view of a file that was read: its policies, of which assigned is to be applied and was expanded into c (or nil), and
// the warnings of reading it. Errors, if there are any, are faults of the expansion.
func ViewCheck(file string, policies []*policy.Policy, assigned *policy.Policy, c *policy.Compiled, warnings, errs []string) CheckView {
	v := CheckView{SchemaVersion: SchemaVersion, File: file, OK: len(errs) == 0, Warnings: warnings, Errors: errs}
	for _, p := range policies {
		n := PolicyCount{Name: p.Name, Assigned: p == assigned, Rules: len(p.Rules)}
		for _, r := range p.Rules {
			n.Filters += len(r.Filters)
		}
		if n.Assigned && c != nil {
			n.MainMode, n.Outbound, n.Inbound = len(c.MainMode), len(c.Outbound), len(c.Inbound)
		}
		v.Policies = append(v.Policies, n)
	}
	if c != nil {
		v.Warnings = append(v.Warnings, c.Warnings...)
	}
	return v
}

// WriteText writes the view for a person.
func (v CheckView) WriteText(w io.Writer) error {
	p := &printer{w: w}
	for _, e := range v.Errors {
		p.line("%s", e)
	}
	for _, s := range v.Warnings {
		p.line("%s", s)
	}
	for _, f := range v.Findings {
		p.line("%s:%d:%d: %s (%s)\n  instead: %s", f.File, f.Line, f.Column, f.Message, f.Code, f.Instead)
	}
	for _, c := range v.Policies {
		note := ""
		if c.Assigned {
			note = fmt.Sprintf(" (assigned: %d main-mode, %d outbound and %d inbound specific filters on this host)", c.MainMode, c.Outbound, c.Inbound)
		}
		p.line("policy %q: %d rules, %d filters%s", c.Name, c.Rules, c.Filters, note)
	}
	switch {
	case !v.OK:
		p.line("%s: %d errors, %d warnings", v.File, len(v.Errors), len(v.Warnings))
	case len(v.Warnings)+len(v.Findings) > 0:
		p.line("%s: good, with %d warnings", v.File, len(v.Warnings)+len(v.Findings))
	default:
		p.line("%s: good", v.File)
	}
	return p.err
}
