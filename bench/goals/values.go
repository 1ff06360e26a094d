package goals

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/goipsec/goipsec/bench/classify"
	"github.com/goipsec/goipsec/bench/e2e"
	"github.com/goipsec/goipsec/bench/handshake"
	"github.com/goipsec/goipsec/bench/measure"
	"github.com/goipsec/goipsec/bench/pipeline"
)

const null = e2e.Null

// wireguards are the two of which the better one is W.
var wireguards = []string{"wireguard-go", "tailscale"}

// figure is one measure of whole tunnels: a sample for each round, and whether more is better.
type figure struct {
	of   func(p *e2e.Peer) measure.Spread
	more bool
}

func tcp(flows int) figure {
	return figure{more: true, of: func(p *e2e.Peer) measure.Spread {
		for _, t := range p.TCP {
			if t.Flows == flows {
				return t.Gbps
			}
		}
		return measure.Spread{}
	}}
}

func udp(size, flows int) figure {
	return figure{more: true, of: func(p *e2e.Peer) measure.Spread {
		for _, u := range p.UDP {
			if u.Size == size && u.Flows == flows {
				return u.Rate
			}
		}
		return measure.Spread{}
	}}
}

var (
	idle   = figure{of: func(p *e2e.Peer) measure.Spread { return p.Added }}
	loaded = figure{of: func(p *e2e.Peer) measure.Spread { return p.Load.P99 }}
)

// samples are those of a peer, or why there are none.
func (f figure) samples(r *Results, peer string) ([]float64, error) {
	p := r.E2E.Of(peer)
	if p == nil {
		return nil, fmt.Errorf("the peer %s was not measured", peer)
	}
	if s := f.of(p).Samples; len(s) > 0 {
		return s, nil
	}
	return nil, fmt.Errorf("this was not measured of %s", peer)
}

// overW is a peer's figure over the better WireGuard's, round by round: which one is better may change from round to round.
func overW(peer string, f figure) func(r *Results) (Measured, error) {
	return func(r *Results) (Measured, error) {
		ours, err := f.samples(r, peer)
		if err != nil {
			return Measured{}, err
		}
		var best []float64
		for _, name := range wireguards {
			theirs, err := f.samples(r, name)
			if err != nil {
				return Measured{}, err
			}
			if best == nil {
				best = slices.Clone(theirs)
				continue
			}
			for i := range min(len(best), len(theirs)) {
				if (theirs[i] > best[i]) == f.more {
					best[i] = theirs[i]
				}
			}
		}
		return of(measure.Of(measure.Ratios(ours, best)))
	}
}

// overN is a peer's figure over the null forwarder's, round by round.
func overN(peer string, f figure) func(r *Results) (Measured, error) {
	return func(r *Results) (Measured, error) {
		ours, err := f.samples(r, peer)
		if err != nil {
			return Measured{}, err
		}
		n, err := f.samples(r, null)
		if err != nil {
			return Measured{}, err
		}
		return of(measure.Of(measure.Ratios(ours, n)))
	}
}

// ofVeth is a peer's goodput over one TCP flow as a share of the bare veth's, round by round.
func ofVeth(peer string) func(r *Results) (Measured, error) {
	return func(r *Results) (Measured, error) {
		ours, err := tcp(1).samples(r, peer)
		if err != nil {
			return Measured{}, err
		}
		bare, err := tcp(1).samples(r, e2e.Bare)
		if err != nil {
			return Measured{}, err
		}
		return of(measure.Of(measure.Ratios(ours, bare)))
	}
}

func out(c pipeline.Case) pipeline.Way { return c.Out }

func in(c pipeline.Case) pipeline.Way { return c.In }

// path is the whole way of a datagram of the only SA in memory over the bare cipher.
func path(suite string, size int, way func(pipeline.Case) pipeline.Way) func(r *Results) (Measured, error) {
	return func(r *Results) (Measured, error) {
		for _, c := range r.Pipeline.Cases {
			if c.Suite == suite && c.Size == size && c.SAs == 1 && c.Kind == pipeline.Datagrams {
				return of(way(c).Ratio)
			}
		}
		return Measured{}, fmt.Errorf("%s with %d bytes was not measured", suite, size)
	}
}

// allocations is the greatest median of all suites, sizes and directions.
func allocations(r *Results) (worst Measured, err error) {
	err = errors.New("no suite was measured")
	for _, c := range r.Pipeline.Cases {
		for _, w := range []pipeline.Way{c.Out, c.In} {
			m, bad := of(w.Allocs)
			if bad != nil {
				return m, bad
			}
			if err != nil || m.Median > worst.Median {
				worst, err = m, nil
			}
		}
	}
	return worst, err
}

// set is what was measured of one set of filters. All but the generated pairs need ClassBench's.
func (r *Results) set(name string) (*classify.Result, error) {
	if c := r.Classify[name]; c != nil {
		return c, nil
	}
	return nil, errors.New("the ClassBench sets were not there: name the directory that has acl1_10k.rules and its like (--classbench)")
}

// alone is the time of a look-up by itself, together that of one in a batch of classify.Batch, as the data plane looks up where there are many filters.
func alone(c *classify.Result) classify.Spread    { return c.Lookup }
func together(c *classify.Result) classify.Spread { return c.Together }

// lookup is the time of a look-up in one set of filters.
func lookup(set string, how func(*classify.Result) classify.Spread) func(r *Results) (Measured, error) {
	return func(r *Results) (Measured, error) {
		c, err := r.set(set)
		if err != nil {
			return Measured{}, err
		}
		return span(how(c), 1), nil
	}
}

// growth is the time of a look-up among a million filters over that among ten thousand that were grown alike, both by the same method.
func growth(how func(*classify.Result) classify.Spread) func(r *Results) (Measured, error) {
	return func(r *Results) (Measured, error) {
		few, err := r.set(grownFew)
		if err != nil {
			return Measured{}, err
		}
		many, err := r.set(grownMillion)
		if err != nil {
			return Measured{}, err
		}
		return span(how(many), how(few).Median), nil
	}
}

// change is the time of an insertion or deletion among a million filters.
func change(r *Results) (Measured, error) {
	c, err := r.set(grownMillion)
	if err != nil {
		return Measured{}, err
	}
	if c.Changes == nil {
		return Measured{}, errors.New("no changes were made")
	}
	return of(c.Changes.Each)
}

func span(s classify.Spread, by float64) Measured {
	return Measured{s.Median / by, s.Min / by, s.Max / by, s.Rounds}
}

// references are what TupleMerge (online, its authors' C++) took for a look-up in these ClassBench sets on the reference machine, in nanoseconds.
var references = map[string]float64{"acl1": 557, "fw1": 241, "ipc1": 374}

// tupleMerge is the geometric mean of our look-ups over TupleMerge's.
func tupleMerge(r *Results) (Measured, error) {
	sum := Measured{}
	for set, reference := range references {
		c, err := r.set(set)
		if err != nil {
			return Measured{}, err
		}
		m := span(c.Lookup, reference)
		sum.Median, sum.Min, sum.Max, sum.Rounds = sum.Median+math.Log(m.Median), sum.Min+math.Log(m.Min), sum.Max+math.Log(m.Max), m.Rounds
	}
	mean := func(logs float64) float64 { return math.Exp(logs / float64(len(references))) }
	return Measured{mean(sum.Median), mean(sum.Min), mean(sum.Max), sum.Rounds}, nil
}

// negotiations is the rate with X25519 on all processors.
func negotiations(r *Results) (Measured, error) {
	for _, c := range r.Handshake.Cases {
		if c.Exchange == x25519 && c.Place == handshake.Several {
			return of(c.Rate)
		}
	}
	return Measured{}, errors.New("X25519 was not measured")
}

const x25519 = "curve25519"

// pairBytes is what an SA pair of a suite takes.
func pairBytes(suite string) func(r *Results) (Measured, error) {
	return func(r *Results) (Measured, error) {
		for _, p := range r.Memory.Pairs {
			if p.Suite == suite {
				return of(p.Bytes)
			}
		}
		return Measured{}, fmt.Errorf("%s was not measured", suite)
	}
}
