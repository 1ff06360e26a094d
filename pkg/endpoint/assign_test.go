package endpoint

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/policy"
)

// two is a file with the tunnel of ikePolicy as the policy "work" and a further one, "closed", that blocks 10.2.0.0/24. It assigns one of them.
func two(assign string) string {
	work := strings.Replace(strings.TrimPrefix(ikePolicy(1, 2, defaultIKE), "policy: end-1\n"), "\n", "\n    ", -1)
	return fmt.Sprintf("assign: %s\npolicies:\n  - name: work\n    %s\n  - name: closed\n    rules:\n      - {name: no, filters: [10.1.0.0/24 <-> 10.2.0.0/24], action: block}\n",
		assign, strings.TrimSpace(work))
}

func inForce(t *testing.T, e *end, name string, byCommand bool) {
	t.Helper()
	s := e.Status().Policy
	if s.Name != name || s.Unassigned != (name == "") || s.ByCommand != byCommand {
		t.Errorf("in force is %+v, want %q (by command: %t)", s, name, byCommand)
	}
}

// A policy is put in force and taken out by command: as a whole, over reloads, until the file assigns another one than it did.
func TestAssignAndUnassign(t *testing.T) {
	e := join(t, two("work"), ikePolicy(2, 1, defaultIKE))
	carry(t, e.a, e.b, "10.1.0.5", "10.2.0.5")
	inForce(t, e.a, "work", false)
	kept := e.a.Status().Children[0].ID

	var unknown *UnknownPolicyError
	if _, err := e.a.Assign("wrok"); !errors.As(err, &unknown) || !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), `it holds "work", "closed"`) {
		t.Errorf("%v", err)
	}
	if s := e.a.Status(); len(s.Children) != 1 || s.Children[0].ID != kept || !strings.HasPrefix(s.LastReload, "refused") {
		t.Errorf("a name that there is not changed something: %+v", s)
	}
	if _, err := e.a.Assign("work"); err != nil {
		t.Fatal(err)
	}
	inForce(t, e.a, "work", false) // as the file has it
	if s := e.a.Status(); len(s.Children) != 1 || s.Children[0].ID != kept {
		t.Errorf("the SAs of the policy that was in force are gone: %+v", s.Children)
	}

	if _, err := e.a.Assign("closed"); err != nil {
		t.Fatal(err)
	}
	inForce(t, e.a, "closed", true)
	eventually(t, func() bool { return len(e.a.Status().Children) == 0 && len(e.b.Status().Children) == 0 })
	blocked := e.a.Status().Drops["blocked"]
	if err := e.a.host.Send(datagram("10.1.0.5", "10.2.0.5", nil)); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return e.a.Status().Drops["blocked"] == blocked+1 })

	// The choice holds over reloads, also of a file that has changed otherwise, and one without it is refused.
	e.a.setText(two("work") + "wins_servers: [10.0.0.1]\n")
	if _, err := e.a.Reload(); err != nil {
		t.Fatal(err)
	}
	inForce(t, e.a, "closed", true)
	e.a.setText(strings.Replace(two("work"), "name: closed", "name: shut", 1))
	if _, err := e.a.Reload(); !errors.As(err, &unknown) {
		t.Errorf("%v", err)
	}
	inForce(t, e.a, "closed", true)
	// The file assigns another policy: it leads again.
	e.a.setText(strings.Replace(two("shut"), "name: closed", "name: shut", 1))
	if _, err := e.a.Reload(); err != nil {
		t.Fatal(err)
	}
	inForce(t, e.a, "shut", false)
}

// Without a policy nothing is protected or blocked, nobody is answered, and the peer has been told.
func TestUnassignLeavesNothing(t *testing.T) {
	e := join(t, two("work"), ikePolicy(2, 1, defaultIKE))
	carry(t, e.a, e.b, "10.1.0.5", "10.2.0.5")
	if err := e.a.Unassign(); err != nil {
		t.Fatal(err)
	}
	inForce(t, e.a, "", true)
	eventually(t, func() bool {
		a, b := e.a.Status(), e.b.Status()
		return len(a.Children)+len(a.Peers)+len(b.Children)+len(b.Peers) == 0
	})
	s := e.a.Status()
	if s.Policy.OutboundFilters+s.Policy.InboundFilters+s.Policy.MainModeFilters != 0 {
		t.Errorf("%+v", s.Policy)
	}
	var text strings.Builder
	if err := s.WriteText(&text); err != nil || !strings.Contains(text.String(), "no policy is assigned") {
		t.Errorf("%v\n%s", err, &text)
	}
	// The peer's negotiation is not answered.
	refused := s.IKE.Refused["uncovered"]
	if err := e.b.host.Send(datagram("10.2.0.5", "10.1.0.5", nil)); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return e.a.Status().IKE.Refused["uncovered"] > refused })
	// A reload, and one of a bad file, leave it so; assigning one by name ends it.
	if _, err := e.a.Reload(); err != nil {
		t.Fatal(err)
	}
	inForce(t, e.a, "", true)
	e.a.setText("policy: [")
	for _, read := range []func() ([]Waiting, error){e.a.Reload, func() ([]Waiting, error) { return e.a.Assign("work") }} {
		if _, err := read(); !errors.Is(err, ErrPolicyFile) {
			t.Errorf("%v", err)
		}
	}
	inForce(t, e.a, "", true)
	e.a.setText(two("work"))
	if _, err := e.a.Assign("work"); err != nil {
		t.Fatal(err)
	}
	inForce(t, e.a, "work", false)
	carry(t, e.a, e.b, "10.1.0.5", "10.2.0.5")
}

// A name that cannot be resolved leaves the policy in force whole.
func TestReloadThatCannotResolveANameChangesNothing(t *testing.T) {
	e := ikePair(t)
	carry(t, e.a, e.b, "10.1.0.5", "10.2.0.5")
	load := e.a.opts.Load
	e.a.opts.Load = func() (*PolicyFile, error) {
		f, err := load()
		if err == nil {
			f.Resolve = func(*policy.Policy) (*policy.Policy, error) { return nil, errors.New("no such host") }
		}
		return f, err
	}
	before := e.a.Status()
	e.a.setText(strings.Replace(e.a.text, "10.2.0.0/24", "10.2.0.0/16", 1))
	if _, err := e.a.Reload(); !errors.Is(err, ErrPolicyFile) || !strings.Contains(err.Error(), "no such host") {
		t.Errorf("%v", err)
	}
	if s := e.a.Status(); s.Policy != before.Policy || len(s.Children) != 1 {
		t.Errorf("%+v", s.Policy)
	}
	carry(t, e.a, e.b, "10.1.0.5", "10.2.0.5")
}
