package endpoint

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/goipsec/goipsec/pkg/dataplane"
	"github.com/goipsec/goipsec/pkg/ike"
	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/keylog"
	"github.com/goipsec/goipsec/pkg/netio"
	"github.com/goipsec/goipsec/pkg/pki/revocation"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/sa"
	"github.com/goipsec/goipsec/pkg/suite"
)

// Endpoint is one running endpoint. Make it with New.
type Endpoint struct {
	opts    Options
	log     *slog.Logger
	now     func() time.Time
	started time.Time

	host   host
	db     *sa.DB
	plane  *dataplane.Plane
	engine *ike.Engine
	keys   *keylog.Log

	revocation revocationCheck

	events   chan dataplane.Event
	control  chan dataplane.Datagram
	commands chan func(now time.Time)
	checking chan struct{} // its room bounds the passwords that are looked at at once
	verdicts chan verdict
	judging  chan struct{} // its room bounds the certificates that are looked at at once
	renewing chan struct{} // held by the goroutine that looks for renewed certificates
	changes  <-chan struct{}
	paths    <-chan netio.PathEvent
	stop     chan struct{}
	stopOnce sync.Once
	done     chan struct{}
	changing sync.Mutex // held by those who read the policy file and apply it

	// What follows belongs to the goroutine of Run.
	policy      *policy.Policy
	compiled    *policy.Compiled
	filters     filterIndex // of compiled
	applied     time.Time
	children    map[uint64]*child
	accepted    map[uint64]*child // those of children that are not up yet
	nextManual  uint64
	manual      map[string]uint64 // children of manual rules, by filter ID
	failures    []Failure
	warnings    []string
	lastReload  string
	pending     []Waiting               // of the policy file, for a restart
	computedFor int                     // the overhead for which the device's MTU was computed
	choice      *choice                 // nil: the file leads
	fileAssigns string                  // the name of the policy that the file assigns
	assigned    map[string]netip.Prefix // inner addresses that gateways gave, by rule name
	configured  []isakmp.Configured     // that are not in force yet
	usesLive    bool                    // the policy in force has live keywords
	servers     follower                // what live keywords stood for
	behind      bool                    // the policy in force does not follow the host's addresses
	renewed     time.Time               // when this host's certificates were last looked at
	waiters     []*waiter
	logs        logGate
	tally       tally
	history     history

	looked    *Status       // the last overview
	searching sync.Mutex    // one search of the policy at a time, outside of that goroutine
	listing   chan struct{} // held by one search of SAs and events at a time: the others wait outside of that goroutine, which serves the key exchange between two
	soft      softTable
	dynamic   map[string]*dynamicFilter // of the default response rule, by ID
}

// firstManual keeps the IDs of manual children apart from those of the key exchange.
const firstManual = 1 << 62

// New prepares an endpoint and the host under it. On error nothing is left behind on the host.
func New(opts Options) (*Endpoint, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	if err := selfTest(opts.Policy, opts.Log); err != nil {
		return nil, err
	}
	e := &Endpoint{opts: opts, log: opts.Log, now: opts.clock, started: opts.clock(), policy: opts.Policy, fileAssigns: opts.Policy.Name, nextManual: firstManual,
		events: make(chan dataplane.Event, 4096), control: make(chan dataplane.Datagram, 1024), commands: make(chan func(time.Time)),
		verdicts: make(chan verdict), judging: make(chan struct{}, maxJudged), renewing: make(chan struct{}, 1),
		stop: make(chan struct{}), done: make(chan struct{}), children: map[uint64]*child{}, accepted: map[uint64]*child{}, manual: map[string]uint64{}, soft: softTable{list: map[softKey]*softSA{}},
		checking: make(chan struct{}, maxChecking), listing: make(chan struct{}, 1), assigned: map[string]netip.Prefix{}, dynamic: map[string]*dynamicFilter{}}
	e.db = sa.NewDB(rand.Reader, 1<<17)
	if err := e.prepare(); err != nil {
		return nil, err
	}
	return e, nil
}

// prepare sets up the host, the data plane and the key exchange, and takes the host's part back if a later step fails.
func (e *Endpoint) prepare() (err error) {
	if e.opts.KeylogDir != "" {
		if e.keys, err = keylog.Open(e.opts.KeylogDir); err != nil {
			return err
		}
		e.warn("the keys of all SAs are being written to " + e.opts.KeylogDir + ": whoever reads them reads the traffic")
	}
	if e.opts.Parts != nil {
		e.host = &partsHost{parts: e.opts.Parts}
	} else if e.host, err = openHost(&e.opts); err != nil {
		return errors.Join(err, e.closeKeys())
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.host.close(), e.closeKeys())
		}
	}()
	e.revocation = revocation.New(revocation.Options{Dial: e.host.dial, Log: e.log})
	if e.compiled, err = policy.CompileOn(e.policy, e.look(e.started, e.policy)); err != nil {
		return err
	}
	e.computedFor = overhead(e.compiled)
	parts, err := e.host.open(e.compiled)
	if err != nil {
		return err
	}
	for _, w := range parts.warnings {
		e.warn(w)
	}
	e.warnAnew(nil)
	e.changes, e.paths = parts.changes, parts.paths
	e.plane, err = dataplane.New(dataplane.Config{TUN: parts.device, Stranger: e.host.stranger, UDP: parts.udp, Raw: parts.raw, IP: parts.ip, Sealed: parts.sealed, DB: e.db, Clock: e.now, Pause: time.Sleep,
		Events: e.events, Control: e.control, Rand: rand.Reader, MTU: parts.mtu})
	if err != nil {
		return err
	}
	e.engine, err = ike.New(ike.Config{Rand: rand.Reader, Policy: e.compiled, NewSPI: e.reserveSPI,
		Port: e.opts.Port, NATPort: e.opts.NATPort, Queues: e.opts.Queues})
	if err != nil {
		return err
	}
	e.plane.Apply(e.compiled)
	e.host.inForce(e.compiled.Host.Addresses)
	e.applied, e.usesLive = e.started, e.policy.UsesLive()
	return e.installManual(e.compiled, e.started)
}

func (e *Endpoint) closeKeys() error {
	if e.keys == nil {
		return nil
	}
	return e.keys.Close()
}

func (e *Endpoint) warn(text string) {
	e.warnings = append(e.warnings, text)
	e.log.Warn(text)
}

// selfTest runs the known-answer tests and fails if the policy needs an algorithm that failed one.
func selfTest(p *policy.Policy, log *slog.Logger) error {
	return judgeSelfTest(p, suite.SelfTest(), log)
}

// judgeSelfTest says loudly what failed. A policy that names a disabled algorithm is refused, even where it names others beside it: with fewer to choose from
// it would not be the policy that was meant.
func judgeSelfTest(p *policy.Policy, failed []error, log *slog.Logger) error {
	for _, err := range failed {
		log.Error("an algorithm gave a wrong answer and is disabled: this build or machine is faulty", "error", err)
	}
	if len(failed) == 0 {
		return nil
	}
	exchange := false
	for r := range p.EveryRule {
		exchange = exchange || r.Action.Kind == policy.Negotiate && r.Manual == nil
		_, _, group := r.Action.PFS.Info()
		broken := r.Action.PFS != suite.GroupNone && !group
		for _, m := range r.Action.Methods {
			broken = broken || !available(&m)
		}
		if broken {
			return fmt.Errorf("rule %q needs an algorithm that failed its self-test; do not use this build or this machine: %w", r.Name, failed[0])
		}
	}
	for _, m := range p.KeyExchange.Methods {
		_, cipher := m.Encr.Info()
		_, _, hash := m.Hash.Info()
		_, _, group := m.Group.Info()
		if exchange && (!cipher || !hash || !group) {
			return fmt.Errorf("the key exchange needs an algorithm that failed its self-test; do not use this build or this machine: %w", failed[0])
		}
	}
	return nil
}

func available(m *policy.Method) bool {
	if m.ESP != nil {
		if _, ok := m.ESP.Encr.Info(); !ok {
			return false
		}
		if _, ok := m.ESP.Integ.Info(); !ok && m.ESP.Integ != suite.IntegNone {
			return false
		}
	}
	if m.AH != nil {
		if _, ok := m.AH.Integ.Info(); !ok {
			return false
		}
	}
	return true
}

// Run works until ctx ends or Stop is called, and then takes everything back. It returns nil after an orderly end. If the data plane fails (the device
// was deleted, say), Run returns what happened and leaves the black holes and the guard in force, as they are after a crash.
func (e *Endpoint) Run(ctx context.Context) error {
	defer close(e.done)
	planeCtx, stopPlane := context.WithCancel(context.Background())
	planeEnded := make(chan error, 1)
	go func() { planeEnded <- e.plane.Run(planeCtx) }()
	failed := e.loop(ctx, planeEnded)
	e.shutdown()
	stopPlane()
	if failed != nil {
		// Fail closed: nobody asked for the end, so what was protected must not flow in clear now.
		return errors.Join(fmt.Errorf("%w; what was protected is stopped, not let out in clear, until the next up, or until goipsec down gives it free", failed),
			e.host.abandon(), e.closeKeys())
	}
	return errors.Join(<-planeEnded, e.host.close(), e.closeKeys())
}

// loop is the one goroutine that owns the key exchange.
func (e *Endpoint) loop(ctx context.Context, planeEnded <-chan error) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case d := <-e.control:
			e.receive(e.now(), d)
		case ev := <-e.events:
			e.planeEvent(e.now(), ev)
		case f := <-e.commands:
			f(e.now())
		case v := <-e.verdicts:
			e.engine.Answer(e.now(), v.id, v.Verdict)
		case <-e.changes:
			e.addressesChanged(e.now())
		case ev := <-e.paths:
			e.pathChanged(e.now(), ev)
		case <-tick.C:
			e.housekeeping(e.now())
		case <-timer.C:
		case err := <-planeEnded:
			return fmt.Errorf("the data plane stopped: %w", err)
		case <-e.stop:
			return nil
		case <-ctx.Done():
			return nil
		}
		e.settle(timer)
	}
}

// settle runs due timers, applies what the key exchange asks for, and sets the timer for its next deadline.
func (e *Endpoint) settle(timer *time.Timer) {
	now := e.now()
	e.engine.Advance(now)
	e.drain(now)
	e.assignNew(now)
	next := time.Hour
	if d := e.engine.Deadline(); !d.IsZero() {
		next = max(d.Sub(now), time.Millisecond)
	}
	timer.Reset(next)
}

// Stop asks Run to end, and returns at once.
func (e *Endpoint) Stop() { e.stopOnce.Do(func() { close(e.stop) }) }

// do runs f on the goroutine of Run and waits for it. It fails if the endpoint has ended.
func (e *Endpoint) do(f func(now time.Time)) error {
	ran := make(chan struct{})
	select {
	case e.commands <- func(now time.Time) { f(now); close(ran) }:
		<-ran
		return nil
	case <-e.done:
		return errors.New("the endpoint has stopped")
	}
}

// shutdown deletes every SA, telling the peers.
func (e *Endpoint) shutdown() {
	now := e.now()
	e.engine.Close(now)
	e.drain(now)
	for id := range e.children {
		e.removeChild(id)
	}
	for _, w := range e.waiters {
		w.finish(errors.New("the endpoint is stopping"))
	}
	e.waiters = nil
}

// outerAddresses are the addresses that IKE uses for a filter: the tunnel's ends, or the packet's own.
func (e *Endpoint) outerAddresses(f *policy.QuickModeFilter, pair dataplane.Pair) (local, remote netip.Addr, err error) {
	t := f.Rule.Tunnel
	if t == nil {
		return pair.Local, pair.Remote, nil
	}
	if t.Local.IsValid() {
		return t.Local, t.Remote, nil
	}
	local, err = e.host.sourceFor(t.Remote)
	return local, t.Remote, err
}
