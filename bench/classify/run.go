package classify

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/packet"
)

// Options say what to measure. Exactly one of Rules, Entries, Pairs and Grown names the filters.
type Options struct {
	Rules   string                  // a ClassBench filter file
	Entries []classifier.Entry[int] // filters in order of precedence
	Pairs   int                     // that many generated filters between two hosts
	Grown   int                     // that many filters that Grow makes of those in Seeds
	Seeds   []string                // ClassBench filter files to grow from
	Name    string                  // what the result calls the entries; empty: made up

	Trace      string // a ClassBench trace file; empty: a made trace
	Packets    int    // length of a made trace; 0: 65536
	Rounds     int    // 0: 9
	Verify     bool   // hold answers to the linear truth
	VerifyOnly int    // that many packets of the trace; 0: all
	Seed       uint64 // of the made trace and filters; the same seed makes the same
	Changes    int    // of the index, in each round, while readers look up; 0: this is not measured
}

// Result is what was measured. Times are in nanoseconds, memory in bytes.
type Result struct {
	Schema      int      `json:"schema"` // 1
	Source      string   `json:"source"`
	Rules       int      `json:"rules"`
	HostPairs   int      `json:"host_pair_rules"` // of them between two addresses, with no protocol or port
	Packets     int      `json:"trace_packets"`
	Hits        int      `json:"trace_hits"`
	Seed        uint64   `json:"seed"`
	BuildNS     int64    `json:"build_ns"`
	MemoryBytes int      `json:"memory_bytes"`
	PerRule     float64  `json:"memory_bytes_per_rule"`
	Lookup      Spread   `json:"ns_per_lookup"`       // one by one
	Together    Spread   `json:"ns_per_lookup_batch"` // in batches of Batch, a packet of them
	Batch       int      `json:"batch"`
	Changes     *Changes `json:"changes,omitempty"`
	Verified    *Check   `json:"verified,omitempty"`
	Machine     Machine  `json:"machine"`
}

// Spread is a measure over rounds.
type Spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	Rounds int     `json:"rounds"`
}

// Check is how many answers were held to the linear truth, before changes and after. A wrong one makes Run fail as well.
type Check struct {
	Packets int `json:"packets"`
	Wrong   int `json:"wrong"`
}

func (c *Check) add(o *Check) { c.Packets, c.Wrong = c.Packets+o.Packets, c.Wrong+o.Wrong }

// Batch is how many packets are looked up together: as many as the data plane does (pkg/dataplane/ahead.go).
const Batch = 32

// ErrWrong says that the index gave another answer than the linear truth. It must never be seen.
var ErrWrong = errors.New("the index and the linear truth disagree: this is a fault of the classifier, please report it with the filters and the trace")

// Run measures. With ErrWrong the result is complete all the same.
func Run(opts Options) (Result, error) {
	rng := rand.New(rand.NewPCG(opts.Seed, 0x676f6970736563))
	entries, source, err := opts.filters(rng)
	if err != nil {
		return Result{}, err
	}
	if len(entries) == 0 {
		return Result{}, fmt.Errorf("%s holds no filters: nothing to measure", source)
	}
	keys, err := opts.keys(rng, entries)
	if err != nil {
		return Result{}, err
	}
	if len(keys) == 0 {
		return Result{}, fmt.Errorf("the trace %s holds no packets: nothing to measure", opts.Trace)
	}
	began := time.Now()
	index := classifier.Build(entries)
	r := Result{
		Schema: 1, Source: source, Rules: len(entries), Packets: len(keys), Seed: opts.Seed, Batch: Batch,
		BuildNS: time.Since(began).Nanoseconds(), MemoryBytes: index.Bytes(), Machine: machine(),
	}
	r.PerRule = float64(r.MemoryBytes) / float64(r.Rules)
	for i := range entries {
		if entries[i].Filter.IsHostPair() {
			r.HostPairs++
		}
	}
	rounds := opts.Rounds
	if rounds <= 0 {
		rounds = 9
	}
	r.Lookup, r.Together, r.Hits = lookUp(index, keys, rounds)
	if opts.Verify {
		r.Verified = verify(index, entries, keys, opts.VerifyOnly)
	}
	if opts.Changes > 0 {
		c := newChanger(index, entries, rng)
		r.Changes = c.run(opts.Changes, rounds, keys)
		if opts.Verify {
			r.Verified.add(verify(c.now.Load(), c.present(), keys, opts.VerifyOnly))
		}
	}
	if opts.Verify {
		if r.Verified.Wrong > 0 {
			return r, ErrWrong
		}
	}
	return r, nil
}

// lookUp looks the trace up one by one and in batches, in turns, round after round, the first one unmeasured.
func lookUp(index *classifier.Index[int], keys []packet.Key, rounds int) (alone, together Spread, hits int) {
	var each [2][]float64
	b := newBatches(index)
	for i := -1; i < rounds; i++ {
		began := time.Now()
		hits = 0
		for k := range keys {
			if _, ok := index.Find(&keys[k]); ok {
				hits++
			}
		}
		middle := time.Now()
		for at := 0; at < len(keys); at += Batch {
			b.lookUp(keys[at:min(at+Batch, len(keys))])
		}
		if i >= 0 {
			each[0] = append(each[0], float64(middle.Sub(began).Nanoseconds())/float64(len(keys)))
			each[1] = append(each[1], float64(time.Since(middle).Nanoseconds())/float64(len(keys)))
		}
	}
	return spreadOf(each[0]), spreadOf(each[1]), hits
}

func spreadOf(samples []float64) Spread {
	slices.Sort(samples)
	n := len(samples)
	return Spread{Median: samples[n/2], Min: samples[0], Max: samples[n-1], Rounds: n}
}

// batches looks up at most Batch packets together.
type batches struct {
	index  finder
	values [Batch]int
	found  [Batch]bool
}

func newBatches(index finder) *batches { return &batches{index: index} }

func (b *batches) lookUp(keys []packet.Key) {
	b.index.LookupBatch(keys, b.values[:], b.found[:])
}

// finder is what verify doubts.
type finder interface {
	Lookup(k *packet.Key) (value int, ok bool)
	LookupBatch(keys []packet.Key, values []int, found []bool)
}

// verify holds the answers for the first packets of the trace, alone and in batches, to the linear truth.
func verify(index finder, entries []classifier.Entry[int], keys []packet.Key, only int) *Check {
	if only > 0 && only < len(keys) {
		keys = keys[:only]
	}
	c := &Check{Packets: len(keys)}
	b := newBatches(index)
	for i := range keys {
		if i%Batch == 0 {
			b.lookUp(keys[i:min(i+Batch, len(keys))])
		}
		want := -1
		for e := range entries {
			if entries[e].Filter.Match(&keys[i]) {
				want = e
				break
			}
		}
		right := func(got int, ok bool) bool { return ok == (want >= 0) && (!ok || got == entries[want].Value) }
		if !right(index.Lookup(&keys[i])) || !right(b.values[i%Batch], b.found[i%Batch]) {
			c.Wrong++
		}
	}
	return c
}
