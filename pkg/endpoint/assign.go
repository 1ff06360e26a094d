package endpoint

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goipsec/goipsec/pkg/policy"
)

// PolicyFile is what Options.Load reads: the policies of a file, one of which the file itself assigns.
type PolicyFile struct {
	Policies []*policy.Policy
	Assigned *policy.Policy // one of Policies
	// Resolve gives the DNS names of a policy their addresses. Nil: there are none.
	Resolve func(*policy.Policy) (*policy.Policy, error)
	// Start are the options that an endpoint started with this file would have: those that a reload cannot change are compared with the ones in force. Nil: nobody knows.
	Start *Options
}

// UnknownPolicyError says that a file holds no policy of that name. It is a kind of ErrNotFound.
type UnknownPolicyError struct {
	Name  string
	Known []string // the names of those that the file holds
}

// Error names what there is.
func (e *UnknownPolicyError) Error() string {
	names := make([]string, len(e.Known))
	for i, n := range e.Known {
		names[i] = fmt.Sprintf("%q", n)
	}
	return fmt.Sprintf("the policy file holds no policy %.80q; it holds %s", e.Name, strings.Join(names, ", "))
}

// Unwrap makes it an ErrNotFound.
func (e *UnknownPolicyError) Unwrap() error { return ErrNotFound }

// choice is what a command has put in the place of the file's own assignment.
type choice struct {
	name string // "": no policy at all
	over string // what the file assigned then; once it assigns something else, the choice is void
}

// noPolicy is in force while none is assigned: nothing is protected or blocked, and the key exchange answers nobody.
var noPolicy = &policy.Policy{}

// Assign reads the policy file again and puts its policy of that name in force, as Reload does. The choice holds over reloads until the file
// assigns another policy than it does now, or the endpoint ends. An unknown name is an UnknownPolicyError.
func (e *Endpoint) Assign(name string) ([]Waiting, error) { return e.load(&name) }

// Unassign takes the policy out of force: SAs are deleted, at the peers too, and nothing is protected or blocked. It holds as Assign does.
func (e *Endpoint) Unassign() error {
	e.changing.Lock()
	defer e.changing.Unlock()
	var result error
	if stopped := e.do(func(now time.Time) {
		c := &choice{over: e.fileAssigns}
		if result = e.change(now, noPolicy); result == nil {
			e.choice = c
		}
		e.noteChange(now, "no policy is assigned", result)
	}); stopped != nil {
		return stopped
	}
	return result
}

// load reads the policy file and applies the policy called name, or, if that is nil, the one that was chosen before.
func (e *Endpoint) load(name *string) (wait []Waiting, result error) {
	if e.opts.Load == nil {
		return nil, fmt.Errorf("this endpoint's policy does not come from a file")
	}
	e.changing.Lock()
	defer e.changing.Unlock()
	var before *choice
	if stopped := e.do(func(time.Time) { before = e.choice }); stopped != nil {
		return nil, stopped
	}
	f, p, c, err := e.read(name, before) // outside the loop: reading keys and resolving names may take time
	if stopped := e.do(func(now time.Time) {
		if result = e.reload(now, f, p, err); result == nil && f != nil {
			e.choice, e.fileAssigns = c, f.Assigned.Name
		}
		wait = slices.Clone(e.pending)
	}); stopped != nil {
		return nil, stopped
	}
	return wait, result
}

// read reads the file and finds the policy to apply, and the choice that holds from then on.
func (e *Endpoint) read(name *string, before *choice) (*PolicyFile, *policy.Policy, *choice, error) {
	f, err := e.opts.Load()
	if err != nil {
		return nil, nil, nil, fmt.Errorf("%w: %w", ErrPolicyFile, err)
	}
	c := before
	switch {
	case name != nil:
		c = &choice{name: *name, over: f.Assigned.Name}
	case c != nil && c.over != f.Assigned.Name:
		e.log.Info("the policy file assigns another policy than before: what a command had assigned does not hold any more", "policy", f.Assigned.Name)
		c = nil
	}
	p := f.Assigned
	switch {
	case c != nil && c.name == "" && name == nil:
		return f, noPolicy, c, nil
	case c != nil:
		i := slices.IndexFunc(f.Policies, func(p *policy.Policy) bool { return p.Name == c.name })
		if i < 0 {
			return nil, nil, nil, unknownPolicy(c.name, f.Policies)
		}
		p = f.Policies[i]
	}
	if p == f.Assigned {
		c = nil // as the file has it: the file leads again
	}
	if f.Resolve != nil {
		if p, err = f.Resolve(p); err != nil {
			return nil, nil, nil, fmt.Errorf("%w: %w", ErrPolicyFile, err)
		}
	}
	return f, p, c, nil
}

func unknownPolicy(name string, policies []*policy.Policy) error {
	e := &UnknownPolicyError{Name: name}
	for _, p := range policies {
		e.Known = append(e.Known, p.Name)
	}
	return e
}
