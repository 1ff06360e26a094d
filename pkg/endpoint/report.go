package endpoint

import (
	"cmp"
	"encoding/hex"
	"os"
	"runtime/metrics"
	"slices"
	"time"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/sa"
	"github.com/goipsec/goipsec/pkg/suite"
)

// Status returns what the endpoint is doing now. After the endpoint has ended it says only that.
func (e *Endpoint) Status() Status {
	s := e.head()
	if e.do(func(now time.Time) { e.report(now, &s) }) != nil {
		s.Warnings = append(s.Warnings, "the endpoint has stopped")
	}
	return s
}

// head is what never changes.
func (e *Endpoint) head() Status {
	return Status{SchemaVersion: SchemaVersion, Instance: e.opts.Instance, Version: e.opts.Version, PID: os.Getpid(), Started: e.started,
		ConfigPath: e.opts.ConfigPath, KeyLog: e.opts.KeylogDir}
}

func (e *Endpoint) report(now time.Time, s *Status) {
	e.reportHead(now, s)
	e.reportPeers(now, s)
	e.reportSoft(now, s)
	e.reportDynamic(now, s)
	s.Failures = slices.Clone(e.failures)
	slices.Reverse(s.Failures)
	states := e.childStates(now)
	for id, c := range e.children {
		r := e.reportChild(now, c)
		r.State = cmp.Or(states[id], r.State)
		s.Children = append(s.Children, r)
	}
	slices.SortFunc(s.Children, func(a, b Child) int { return cmp.Compare(a.ID, b.ID) })
}

// reportHead fills in what does not grow with the number of SAs.
func (e *Endpoint) reportHead(now time.Time, s *Status) {
	s.Now = now
	s.Policy = PolicyStatus{Name: e.policy.Name, Description: e.policy.Description, Rules: len(e.policy.Rules), MainModeFilters: len(e.compiled.MainMode),
		OutboundFilters: len(e.compiled.Outbound), InboundFilters: len(e.compiled.Inbound), Applied: e.applied, Unassigned: e.policy == noPolicy, ByCommand: e.choice != nil}
	s.Addresses = e.host.addresses()
	s.Warnings = slices.Concat(e.warnings, e.waitingWarnings(), e.compiled.Warnings)
	s.Live, s.Connections = liveNames(&e.compiled.Host), connectionNames(&e.compiled.Host)
	s.LastReload = e.lastReload
	e.host.describe(s)
	e.reportTraffic(s)
	e.reportIKE(s)
	s.Process = reportProcess()
	s.Statistics, s.Counts = e.statistics(now), e.counts(now)
}

func (e *Endpoint) reportTraffic(s *Status) {
	c := e.plane.Counters()
	ike := c.IKE.Load() // before the datagrams, of which they are a part
	s.Traffic = Traffic{FromTUN: c.FromTUN.Load(), Sealed: c.Sealed.Load(), Permitted: c.Permitted.Load(), Soft: c.Soft.Load(), Sent: c.Sealed.Load() + c.Permitted.Load() + c.Soft.Load(),
		Received: c.FromWire.Load() - ike, Opened: c.Opened.Load(), Delivered: c.Delivered.Load(), IKEDatagramsIn: ike,
		Fragments: c.Fragments.Load(), Joined: c.Joined.Load(), Whole: c.Whole.Load(), Split: c.Split.Load()}
	released := c.Released.Load()
	s.Traffic.Waiting = c.Held.Load() - released
	for _, ch := range e.children {
		s.Traffic.OpenedBytes += ch.in[0].Stats(s.Now).Bytes
		s.Traffic.SealedBytes += ch.bundleStats(s.Now).Bytes
	}
	s.Drops = c.Drops()
	queues := e.plane.Queues()
	for i := range queues {
		s.Queues = append(s.Queues, QueueTraffic{FromTUN: queues[i].FromTUN.Load(), FromWire: queues[i].FromWire.Load()})
	}
	s.Traffic.Keepalives = s.Drops["keepalive"]
}

func reportProcess() Process {
	list := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/cycles/total:gc-cycles"}, {Name: "/sched/goroutines:goroutines"}}
	metrics.Read(list)
	return Process{HeapBytes: list[0].Value.Uint64(), Collections: list[1].Value.Uint64(), Goroutines: list[2].Value.Uint64()}
}

func (e *Endpoint) reportPeers(now time.Time, s *Status) {
	for _, p := range e.engine.Peers(now) {
		switch p.State {
		case "established", "retiring":
			s.Peers = append(s.Peers, reportPeer(now, &p))
		case "negotiating":
			s.Negotiating = append(s.Negotiating, Negotiation{Rule: p.Rule, Local: p.Local, Remote: p.Remote})
		}
	}
}

func (e *Endpoint) reportIKE(s *Status) {
	st := e.engine.Stats()
	s.Negotiated = negotiations(&st)
	s.IKE = IKECounters{HalfOpen: uint64(st.HalfOpen), Panics: st.Panics + e.tally.faults, Refused: map[string]uint64{}}
	for reason, n := range map[string]uint64{"malformed": st.Malformed, "unknown": st.Unknown, "uncovered": st.Uncovered, "unsupported": st.Unsupported,
		"unexpected": st.Unexpected, "unauthenticated": st.Unauthenticated, "bad-proof": st.BadProofs, "replayed": st.Replayed,
		"duplicate": st.Duplicates, "refused": st.Refused, "half-open-full": st.HalfOpenRefused, "half-open-evicted": st.HalfOpenEvicted,
		"other-version": st.Version2} {
		if n > 0 {
			s.IKE.Refused[reason] = n
		}
	}
}

// childStates are the states of negotiated children, as status names them.
func (e *Endpoint) childStates(now time.Time) map[uint64]string {
	states := map[uint64]string{}
	for _, c := range e.engine.Children(now) {
		switch {
		case c.State == "retiring":
			states[c.Child.ID] = "replaced"
		case c.Renewing:
			states[c.Child.ID] = "rekeying"
		}
	}
	return states
}

func reportPeer(now time.Time, p *isakmp.PeerInfo) Peer {
	hash, weak, _ := p.Hash.Info()
	group, weakGroup, _ := p.Group.Info()
	encr, _ := p.Encr.Info()
	age := now.Sub(p.Established)
	inner := ""
	if p.Inner.IsValid() {
		inner = p.Inner.String()
	}
	return Peer{User: p.User, Inner: inner, Aggressive: p.Aggressive, ID: p.ID, Rule: p.Rule, Local: p.Local, Remote: p.Remote, Initiator: p.Initiator, InitiatorCookie: hex.EncodeToString(p.InitiatorCookie[:]),
		ResponderCookie: hex.EncodeToString(p.ResponderCookie[:]), Encr: encr.Name, KeyBits: p.KeyBits, Hash: hash, Group: group, Auth: p.Auth,
		RemoteID: p.RemoteID, State: p.State, AgeSeconds: seconds(age), SecondsLeft: seconds(p.Remaining), NATLocal: p.NATLocal,
		NATRemote: p.NATRemote, DPD: p.DPD, Weak: cmp.Or(encr.Weak, weak, weakGroup)}
}

func seconds(d time.Duration) uint64 { return uint64(max(d, 0) / time.Second) }

// bundleStats are the counters of the outermost outbound SA: each packet passes it once.
func (c *child) bundleStats(now time.Time) sa.Stats {
	return c.outermost().Stats(now)
}

func (c *child) outermost() *sa.Outbound {
	if c.bundle.AH != nil {
		return c.bundle.AH
	}
	return c.bundle.ESP
}

func (e *Endpoint) reportChild(now time.Time, c *child) Child {
	i := c.info
	in, out := c.in[0].Stats(now), c.bundleStats(now)
	r := Child{ID: i.ID, PeerID: i.PeerID, Queue: i.Queue, Rule: i.Rule, FilterID: i.Filter, Filter: i.Selector.String(), Local: i.Local, Remote: c.in[0].Remote(), Mode: modeName(i.Mode),
		Encap: "ip", Selector: reportSelector(&i.Selector), ESN: i.ESN, Initiator: i.Initiator, Manual: c.manual, State: c.state(),
		AgeSeconds: seconds(now.Sub(c.since)), IdleSeconds: idle(now, c, in, out), BytesIn: in.Bytes, BytesOut: out.Bytes, PacketsIn: in.Packets,
		PacketsOut: out.Packets, MTU: c.bundle.InnerMTU(now)}
	if i.Remote.Port() != 0 {
		r.Encap = "udp"
	}
	for _, k := range i.Protocols {
		r.Protocols = append(r.Protocols, reportKeys(&k))
	}
	life := c.in[0].Config().Lifetime
	if life.HardTime > 0 {
		left := seconds(life.HardTime - now.Sub(c.since))
		r.SecondsLeft = &left
	}
	if life.HardBytes > 0 {
		left := (life.HardBytes - min(life.HardBytes, max(in.Bytes, out.Bytes))) / 1024
		r.KilobytesLeft = &left
	}
	return r
}

func (c *child) state() string {
	if c.up {
		return "installed"
	}
	return "inbound"
}

func idle(now time.Time, c *child, in, out sa.Stats) uint64 {
	last := c.since
	for _, t := range []time.Time{in.LastUsed, out.LastUsed} {
		if t.After(last) {
			last = t
		}
	}
	return seconds(now.Sub(last))
}

func modeName(m suite.Mode) string {
	if m == suite.Tunnel {
		return "tunnel"
	}
	return "transport"
}

func reportKeys(k *isakmp.ProtocolKeys) ChildKeys {
	r := ChildKeys{Protocol: "esp", SPIIn: k.SPIIn, SPIOut: k.SPIOut, KeyBits: k.KeyBits}
	if k.Protocol == suite.AH {
		r.Protocol = "ah"
	}
	if i, ok := k.Encr.Info(); ok && k.Encr != suite.EncrNone {
		r.Encr, r.Weak = i.Name, i.Weak
	}
	if i, ok := k.Integ.Info(); ok && k.Integ != suite.IntegNone {
		r.Integ = i.Name
		r.Weak = cmp.Or(r.Weak, i.Weak)
	}
	return r
}

func reportSelector(f *classifier.Filter) Selector {
	return Selector{LocalFrom: f.Src.From, LocalTo: f.Src.To, RemoteFrom: f.Dst.From, RemoteTo: f.Dst.To, Protocol: f.Proto,
		LocalPorts: reportPorts(f.SrcPorts), RemotePorts: reportPorts(f.DstPorts)}
}

func reportPorts(p classifier.Ports) *PortRange {
	if !p.Given {
		return nil
	}
	return &PortRange{From: p.From, To: p.To}
}
