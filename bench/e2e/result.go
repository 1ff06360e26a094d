package e2e

import (
	"github.com/goipsec/goipsec/bench/measure"
)

// Schema is the version of Result's JSON form. Version 2 added UDP, load and system calls.
const Schema = 2

// Result is a whole run, as JSON has it.
type Result struct {
	Schema    int             `json:"schema"`
	Machine   measure.Machine `json:"machine"`
	LoadAfter string          `json:"load_average_after,omitempty"` // includes what the run itself did
	IPerf     string          `json:"iperf3"`
	Seconds   int             `json:"seconds"`
	Rounds    int             `json:"rounds"`
	Echoes    int             `json:"echoes"`
	// IdleRounds are rounds beyond Rounds in which only the idle echoes of IdlePeers, and of the bare veth, were measured. Their samples stand behind the others'.
	IdleRounds int      `json:"idle_rounds,omitempty"`
	IdlePeers  []string `json:"idle_peers,omitempty"`
	Window     int      `json:"udp_window"`      // datagrams under way at most; 0: flat out
	Peers      []Peer   `json:"peers"`           // the bare veth first
	Again      []string `json:"again,omitempty"` // turns that failed and were taken once more, and why they failed
}

// Peer is what was measured of one peer. What was not measured has no samples.
type Peer struct {
	Name     string `json:"name"`
	Version  string `json:"version"`
	Protects string `json:"protects,omitempty"` // how
	MTU      int    `json:"mtu"`                // of the device that traffic went through, in bytes: the peer's own default
	TCP      []TCP  `json:"tcp,omitempty"`
	UDP      []UDP  `json:"udp,omitempty"`
	// RTT is the median of each round's idle echoes in microseconds, Added that less the bare veth's of the same round.
	RTT   measure.Spread `json:"idle_rtt_us"`
	Added measure.Spread `json:"added_rtt_us"`
	Load  Load           `json:"under_tcp_load"`
	Calls Calls          `json:"system_calls_per_1000_packets"`
}

// TCP is the goodput over a number of parallel connections, as the receiver counts it.
type TCP struct {
	Flows  int            `json:"flows"`
	Gbps   measure.Spread `json:"gbit_per_second"`
	OfBare measure.Spread `json:"of_veth"`            // round by round, as a share of the bare veth's
	Ratio  measure.Spread `json:"of_first,omitempty"` // round by round: the first peer's over this one's
	Resent measure.Spread `json:"retransmits"`        // segments, in a round
	// CPU is the processor time of the tunnel's programs at both ends for each byte that entered the tunnel, in nanoseconds, which is seconds a
	// gigabyte. It depends far less than throughput on what else the machine does.
	CPU measure.Spread `json:"cpu_ns_per_byte"`
}

// UDP is what arrived of single datagrams of one size.
type UDP struct {
	Size   int            `json:"size"` // of the whole inner IP datagram, in bytes
	Flows  int            `json:"flows"`
	Rate   measure.Spread `json:"packets_per_second"`
	Gbps   measure.Spread `json:"gbit_per_second"` // of payload
	OfBare measure.Spread `json:"of_veth"`
	Ratio  measure.Spread `json:"of_first,omitempty"`
	Lost   measure.Spread `json:"lost"`              // share of those sent
	CPU    measure.Spread `json:"cpu_us_per_packet"` // of the tunnel's programs at both ends
	// In all rounds together:
	Duplicates uint64 `json:"duplicates"`
	Reordered  uint64 `json:"reordered"`
	Corrupt    uint64 `json:"corrupt"`
	Foreign    uint64 `json:"foreign"`
	Stalls     uint64 `json:"stalls"` // times that a whole window was taken for lost
}

// Load is the round-trip time in microseconds while one TCP flow fills the tunnel.
type Load struct {
	Median measure.Spread `json:"median_us"`
	P99    measure.Spread `json:"p99_us"`
	Lost   int            `json:"lost"` // echoes without an answer within a second; they count as one second
}

// Calls are the system calls of the tunnel's programs at both ends for a thousand inner packets.
type Calls struct {
	TCP     measure.Spread `json:"tcp"`           // one flow; full packets are counted
	UDP     measure.Spread `json:"udp_64"`        // one flow of 64-byte datagrams
	Missing string         `json:"why,omitempty"` // why there are none
}

// Of returns what was measured of a peer, or nil.
func (r Result) Of(peer string) *Peer {
	for i := range r.Peers {
		if r.Peers[i].Name == peer {
			return &r.Peers[i]
		}
	}
	return nil
}

// summarise turns samples, for each peer in the order of rounds, into a Result. The first peer is the bare veth. idle are each peer's round trips of the rounds
// beyond those; who has some has one for each of the bare veth's; nil: there were no such rounds.
func summarise(r Result, flows []int, peers []Peer, samples [][]sample, idle [][]float64) Result {
	rtts := func(p int) []float64 {
		list := summary{samples, p}.column(func(s sample) float64 { return s.rtt })
		if p < len(idle) {
			list = append(list, idle[p]...)
		}
		return list
	}
	for p := range peers {
		s := summary{samples, p}
		peer := peers[p]
		peer.RTT = measure.Of(rtts(p))
		peer.Added = measure.Of(measure.Differences(peer.RTT.Samples, rtts(0)))
		for i, x := range samples[p] {
			if i == 0 {
				peer.MTU = x.mtu
			}
			if x.noCalls != "" {
				peer.Calls.Missing = x.noCalls
			}
			peer.Load.Lost += x.loadLost
			peer.Calls.TCP.Samples = append(peer.Calls.TCP.Samples, x.callsTCP...)
			peer.Calls.UDP.Samples = append(peer.Calls.UDP.Samples, x.callsUDP...)
		}
		peer.Calls.TCP, peer.Calls.UDP = measure.Of(peer.Calls.TCP.Samples), measure.Of(peer.Calls.UDP.Samples)
		if len(samples[p]) > 0 && samples[p][0].loadP99 > 0 {
			peer.Load.Median = s.spread(func(s sample) float64 { return s.loadMedian })
			peer.Load.P99 = s.spread(func(s sample) float64 { return s.loadP99 })
		}
		for i, n := range flows {
			if len(samples[p]) > 0 && len(samples[p][0].gbps) > 0 {
				peer.TCP = append(peer.TCP, s.tcp(i, n))
			}
		}
		for i, c := range udpCases {
			if len(samples[p]) > 0 && len(samples[p][0].udp) > 0 {
				peer.UDP = append(peer.UDP, s.udp(i, c))
			}
		}
		r.Peers = append(r.Peers, peer)
	}
	return r
}

// summary is the samples of one peer, and of all beside which it is seen.
type summary struct {
	samples [][]sample
	peer    int
}

func (s summary) column(f func(s sample) float64) []float64 {
	list := make([]float64, 0, len(s.samples[s.peer]))
	for _, x := range s.samples[s.peer] {
		list = append(list, f(x))
	}
	return list
}

func (s summary) spread(f func(s sample) float64) measure.Spread { return measure.Of(s.column(f)) }

// beside are the ratios of a figure to the bare veth's, and of the first peer's to it, round by round.
func (s summary) beside(f func(s sample) float64) (ofBare, ratio measure.Spread) {
	ofBare = measure.Of(measure.Ratios(s.column(f), summary{s.samples, 0}.column(f)))
	if len(s.samples) > 1 {
		ratio = measure.Of(measure.Ratios(summary{s.samples, 1}.column(f), s.column(f)))
	}
	return ofBare, ratio
}

func (s summary) tcp(i, flows int) TCP {
	gbps := func(s sample) float64 { return s.gbps[i] }
	t := TCP{Flows: flows, Gbps: s.spread(gbps), Resent: s.spread(func(s sample) float64 { return s.resent[i] }), CPU: s.spread(func(s sample) float64 { return s.cpu[i] })}
	t.OfBare, t.Ratio = s.beside(gbps)
	return t
}

func (s summary) udp(i int, c udpCase) UDP {
	rate := func(s sample) float64 { return s.udp[i].counts.PerSecond() }
	u := UDP{Size: c.size, Flows: c.flows, Rate: s.spread(rate), Gbps: s.spread(func(s sample) float64 { return c.gbps(s.udp[i].counts.PerSecond()) }),
		Lost: s.spread(func(s sample) float64 { return s.udp[i].lost() }), CPU: s.spread(func(s sample) float64 { return s.udp[i].cpu })}
	if first := s.samples[min(1, len(s.samples)-1)]; len(first) > 0 && len(first[0].udp) > 0 {
		u.OfBare, u.Ratio = s.beside(rate)
	}
	for _, x := range s.samples[s.peer] {
		c := x.udp[i].counts
		u.Duplicates, u.Reordered, u.Corrupt, u.Foreign = u.Duplicates+c.Duplicates, u.Reordered+c.Reordered, u.Corrupt+c.Corrupt, u.Foreign+c.Foreign
		u.Stalls += x.udp[i].sent.Stalls
	}
	return u
}
