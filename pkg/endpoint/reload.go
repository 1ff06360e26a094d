package endpoint

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/goipsec/goipsec/pkg/dataplane"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/policy"
)

func pairOf(k *packet.Key) dataplane.Pair { return dataplane.Pair{Local: k.Src, Remote: k.Dst} }

// errPartly is wrapped where a change could not be taken back.
var errPartly = errors.New("the policy is in force, but not all of its rules with manual keys")

// Reload reads the policy again and applies it. SAs whose filter and settings are still there stay. If the new policy is bad, or cannot be applied, the
// old one stays and the error wraps ErrPolicyFile.
// DNS names are resolved again. What Assign or Unassign chose stays chosen, unless the file assigns another policy than it did then.
// It returns the settings of the file that are not in force and wait for a restart.
func (e *Endpoint) Reload() ([]Waiting, error) { return e.load(nil) }

func (e *Endpoint) reload(now time.Time, f *PolicyFile, p *policy.Policy, err error) error {
	if err == nil {
		err = e.change(now, p)
	}
	e.noteChange(now, "reloaded", err)
	if f != nil && (err == nil || errors.Is(err, errPartly)) {
		e.noteWaiting(now, append(waiting(e.opts, f.Start), e.narrower(f.Start)...))
	}
	return err
}

// noteChange remembers for status how a change of policy ended, and logs it.
func (e *Endpoint) noteChange(now time.Time, what string, err error) {
	e.noteReload(now, what, err)
	e.lastReload = "applied at " + now.Format(time.RFC3339)
	if errors.Is(err, errPartly) {
		e.lastReload = "applied in part at " + now.Format(time.RFC3339) + ": " + err.Error()
		e.log.Error("reloaded in part", "error", err)
		return
	}
	if err != nil {
		e.lastReload = "refused at " + now.Format(time.RFC3339) + ": " + err.Error()
		e.log.Error("reload refused; the old policy stays", "error", err)
		return
	}
	e.log.Info(what, "policy", e.policy.Name)
}

// change compiles p and puts it in force everywhere, in the order in which nothing passes that either policy forbids: the guard, routes, data plane,
// key exchange.
func (e *Endpoint) change(now time.Time, p *policy.Policy) error {
	c, err := policy.CompileOn(p.Assign(e.assigned), e.look(now, p))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPolicyFile, err)
	}
	if err := selfTest(p, e.log); err != nil {
		return err
	}
	manual, err := e.planManual(c, now)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPolicyFile, err)
	}
	before := e.dynamic
	e.dynamic = e.dynamicUnder(c)
	if err := e.host.apply(c, e.dynamicFilters()); err != nil {
		e.dynamic = before
		return errors.Join(err, e.host.apply(e.compiled, e.dynamicFilters()))
	}
	old := e.compiled
	if p != e.policy {
		e.usesLive = p.UsesLive()
	}
	e.policy, e.compiled, e.applied = p, c, now
	e.keepAssigned(p)
	e.plane.Apply(c, e.dynamicFilters()...)
	e.host.inForce(c.Host.Addresses)
	e.warnAnew(old)
	e.engine.SetPolicy(now, c)
	e.drain(now)
	e.keepSoft(now)
	e.dropManual(c)
	if err := e.addManual(manual); err != nil {
		return fmt.Errorf("%w: %w", errPartly, err)
	}
	return nil
}

// addressesChanged follows the host's addresses: *me* stands for others now. What fails is tried again every second.
func (e *Endpoint) addressesChanged(now time.Time) (applied bool) {
	changed, err := e.follow(now)
	if err != nil && !e.behind {
		e.logs.log(e.log, now, slog.LevelError, "the host's addresses changed and the policy could not be expanded again; it is tried until it can be", "error", err)
	}
	if err == nil && changed {
		e.history.note(now, Event{Kind: EventAddresses, What: "the host's addresses changed, and the policy was expanded for the new ones"})
	}
	if err == nil && e.behind {
		e.log.Info("the policy follows the host's addresses again")
	}
	e.behind = err != nil
	return err == nil
}

// strangeSource follows a change of addresses that a packet from the host itself has told of, before the system did.
func (e *Endpoint) strangeSource(now time.Time, source netip.Addr) {
	if e.host.stranger(source) && e.addressesChanged(now) {
		e.host.leaveOut(source)
	}
}

// installManual makes the SAs of the manual rules of c.
func (e *Endpoint) installManual(c *policy.Compiled, now time.Time) error {
	list, err := e.planManual(c, now)
	if err != nil {
		return err
	}
	return e.addManual(list)
}

// planManual builds, without installing them, the children of manual rules that are not there yet.
func (e *Endpoint) planManual(c *policy.Compiled, now time.Time) ([]*child, error) {
	var list []*child
	rules := map[*policy.Rule]bool{}
	for _, f := range c.Outbound {
		if f.Action != policy.Negotiate || f.Rule.Manual == nil {
			continue
		}
		if rules[f.Rule] {
			return nil, faulty(f.Rule, fmt.Errorf("rule %q has manual keys, but its filters stand for more than one pair of addresses, and one key pair can "+
				"protect only one; write single addresses instead of me or any, and a rule for each pair", f.Rule.Name))
		}
		rules[f.Rule] = true
		if _, there := e.manual[f.ID]; there {
			continue
		}
		ch, err := e.newManual(f, now)
		if err != nil {
			return nil, err
		}
		list = append(list, ch)
	}
	return list, nil
}

// faulty makes a fault of the policy of what is wrong with a rule.
func faulty(r *policy.Rule, err error) error {
	return policy.Errors{{Position: r.Source, Message: err.Error()}}
}

func (e *Endpoint) newManual(f *policy.QuickModeFilter, now time.Time) (*child, error) {
	local, remote, err := e.outerAddresses(f, dataplane.Pair{Local: f.Filter.Src.From, Remote: f.Filter.Dst.From})
	if err != nil {
		return nil, fmt.Errorf("rule %q: %w", f.Rule.Name, err)
	}
	info, err := manualChild(e.nextManual, f, local, remote, e.opts.NATPort)
	if err != nil {
		return nil, faulty(f.Rule, err)
	}
	e.nextManual++
	ch, err := buildChild(info, f.Rule, e.host.pathMTU(remote), now)
	if err != nil {
		return nil, faulty(f.Rule, fmt.Errorf("rule %q: %w", f.Rule.Name, err))
	}
	if f.Rule.Manual.TestOnly {
		e.warn(fmt.Sprintf("rule %q uses a counter-mode cipher with manual keys: every start repeats nonces under the same key, which breaks the cipher; "+
			"for tests only", f.Rule.Name))
	}
	return ch, nil
}

func (e *Endpoint) addManual(list []*child) error {
	for _, c := range list {
		if err := e.installInbound(c); err != nil {
			return fmt.Errorf("rule %q: %w", c.info.Rule, err)
		}
		c.up = true
		e.children[c.info.ID] = c
		e.manual[c.info.Filter] = c.info.ID
		e.plane.Install(c.info.Filter, c.pair(), c.bundle)
		e.logKeys(c.info)
	}
	return nil
}

// dropManual removes the children of manual filters that c no longer has.
func (e *Endpoint) dropManual(c *policy.Compiled) {
	for id, n := range e.manual {
		if !slices.ContainsFunc(c.Outbound, func(f *policy.QuickModeFilter) bool { return f.ID == id }) {
			e.removeChild(n)
			delete(e.manual, id)
		}
	}
}
