package pipeline

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"time"

	"github.com/goipsec/goipsec/bench/measure"
)

// Options say what to measure. The zero value of a field means its default.
type Options struct {
	Suites  []string // of Suites(); default: all
	Kinds   []Kind   // default: both; superpackets have a size of their own
	Sizes   []int    // of inner packets in bytes, 64 to 1420; default: 64, 512, 1420
	SAs     []int    // pairs of SAs, each a number of its own to measure with; default: 1 and 100,000. Superpackets only with the least number
	Packets int      // of each measurement; default: 1024: short enough that most are not interrupted
	Rounds  int      // default: 61
}

// Result is a whole run, as JSON has it.
type Result struct {
	Schema  int             `json:"schema"` // 2
	Machine measure.Machine `json:"machine"`
	Packets int             `json:"packets"` // of each measurement
	Rounds  int             `json:"rounds"`
	Cases   []Case          `json:"cases"`
}

// Case is one suite with one number of SAs and one kind and size of packet.
type Case struct {
	Suite  string `json:"suite"`
	SAs    int    `json:"sas"` // pairs, which take turns in a random order
	Kind   Kind   `json:"kind"`
	Size   int    `json:"size"`   // of the inner packet, in bytes; of each that a superpacket stands for
	Cipher Cipher `json:"cipher"` // of the path
	Out    Way    `json:"outbound"`
	In     Way    `json:"inbound"`
}

// Way is one direction.
type Way struct {
	Path   measure.Spread `json:"ns_per_packet"`          // a superpacket counts for all that it stands for
	Raw    measure.Spread `json:"raw_ns_per_packet"`      // the bare cipher
	Ratio  measure.Spread `json:"of_raw"`                 // path over bare cipher, round by round
	Allocs measure.Spread `json:"allocations_per_packet"` // of the whole process meanwhile
}

// ErrOptions is what every error about Options wraps.
var ErrOptions = errors.New("bench pipeline")

const maxSAs = 1 << 20

func (o Options) complete() (Options, error) {
	if len(o.Suites) == 0 {
		o.Suites = Suites()
	}
	if len(o.Kinds) == 0 {
		o.Kinds = Kinds()
	}
	if len(o.Sizes) == 0 {
		o.Sizes = []int{64, 512, mtu}
	}
	if len(o.SAs) == 0 {
		o.SAs = []int{1, 100_000}
	}
	if o.Packets == 0 {
		o.Packets = 1024
	}
	if o.Rounds == 0 {
		o.Rounds = 61
	}
	for _, s := range o.Suites {
		if !slices.Contains(Suites(), s) {
			return o, fmt.Errorf("%w: suite %.60q is not among those that are measured: %s", ErrOptions, s, strings.Join(Suites(), ", "))
		}
	}
	for _, k := range o.Kinds {
		if !slices.Contains(Kinds(), k) {
			return o, fmt.Errorf("%w: packets are %v, not %.40q", ErrOptions, Kinds(), k)
		}
	}
	for _, n := range o.Sizes {
		if n < 64 || n > mtu {
			return o, fmt.Errorf("%w: %d bytes is no size from 64 to %d", ErrOptions, n, mtu)
		}
	}
	for _, n := range o.SAs {
		if n < 1 || n > maxSAs {
			return o, fmt.Errorf("%w: %d is no number of SAs from 1 to %d", ErrOptions, n, maxSAs)
		}
	}
	if o.Packets < 1 || o.Rounds < 1 {
		return o, fmt.Errorf("%w: packets and rounds must be 1 or more", ErrOptions)
	}
	return o, nil
}

// subject is what has a rig: a suite, a number of SAs, a kind of packet.
type subject struct {
	protection
	sas  int
	kind Kind
}

// few is how many SA pairs a rig may have that shares the memory with others. Larger ones are there one at a time.
const few = 1000

// groups says which subjects take turns with each other.
func (o Options) groups() (list [][]subject) {
	var small []subject
	for _, p := range protections() {
		if !slices.Contains(o.Suites, p.name) {
			continue
		}
		for _, n := range o.SAs {
			for _, k := range o.Kinds {
				switch {
				case k == Superpackets && n > slices.Min(o.SAs):
				case n <= few:
					small = append(small, subject{p, n, k})
				default:
					list = append(list, []subject{{p, n, k}})
				}
			}
		}
	}
	if len(small) > 0 {
		list = append([][]subject{small}, list...)
	}
	return list
}

// Run measures. Rounds are interleaved over all cases, but for those with many SAs, of which there is one suite at a time; within a case the path and
// the bare cipher follow each other.
func Run(ctx context.Context, opts Options) (Result, error) {
	o, err := opts.complete()
	if err != nil {
		return Result{}, err
	}
	res := Result{Schema: 2, Machine: measure.Here(), Packets: o.Packets, Rounds: o.Rounds}
	for _, group := range o.groups() {
		cases, err := o.run(ctx, group)
		if err != nil {
			return Result{}, err
		}
		res.Cases = append(res.Cases, cases...)
	}
	suites := Suites()
	slices.SortStableFunc(res.Cases, func(a, b Case) int { return slices.Index(suites, a.Suite) - slices.Index(suites, b.Suite) })
	return res, nil
}

// run measures subjects in turn.
func (o Options) run(ctx context.Context, subjects []subject) (cases []Case, err error) {
	var rigs []*rig
	defer func() {
		for _, r := range rigs {
			err = errors.Join(err, r.close())
		}
	}()
	var list []*bench
	for _, s := range subjects {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		r, err := newRig(s.protection, s.kind, s.sas)
		if err != nil {
			return nil, fmt.Errorf("%s, %d SAs: %w", s.name, s.sas, err)
		}
		rigs = append(rigs, r)
		sizes := o.Sizes
		if s.kind == Superpackets {
			sizes = []int{superSize}
		}
		for _, size := range sizes {
			b, err := newBench(r, size)
			if err != nil {
				return nil, err
			}
			list = append(list, b)
		}
	}
	runtime.GC() // not in the middle of a measurement
	for _, turn := range measure.Interleave(len(list), o.Rounds+1) {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err := list[turn.What].round(o.Packets, turn.Round > 0); err != nil { // the first round warms up
			return nil, err
		}
	}
	for _, b := range list {
		cases = append(cases, b.result())
	}
	return cases, nil
}

// bench is one case while it is measured.
type bench struct {
	rig        *rig
	load       load
	seal, open func()
	columns    [4][]float64 // out, raw seal, in, raw open: nanoseconds a packet
	allocs     [2][]float64
}

// newBench makes a case of packets of a size, of which some are verified.
func newBench(r *rig, size int) (b *bench, err error) {
	b = &bench{rig: r}
	if b.seal, b.open, err = r.raw(size); err != nil {
		return nil, err
	}
	if b.load, err = newLoad(r.kind, size); err != nil {
		return nil, err
	}
	return b, r.verify(&b.load, 3*batch+1)
}

// round measures the four columns once, with n packets or a few more.
func (b *bench) round(n int, keep bool) error {
	n = b.load.whole(n)
	bare := func(f func()) func(*load, int) (time.Duration, error) {
		return func(_ *load, n int) (time.Duration, error) {
			began := time.Now()
			for range n {
				f()
			}
			return time.Since(began), nil
		}
	}
	for i, run := range []func(*load, int) (time.Duration, error){b.rig.out, bare(b.seal), b.rig.in, bare(b.open)} {
		before := allocations()
		took, err := run(&b.load, n)
		if err != nil {
			return fmt.Errorf("%s, %d SAs, %s of %d bytes: %w", b.rig.name, len(b.rig.outbound), b.rig.kind, b.load.size, err)
		}
		if !keep {
			continue
		}
		b.columns[i] = append(b.columns[i], float64(took.Nanoseconds())/float64(n))
		if i%2 == 0 {
			b.allocs[i/2] = append(b.allocs[i/2], float64(allocations()-before)/float64(n))
		}
	}
	return nil
}

// allocations counts the objects that were ever allocated on the heap.
func allocations() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:objects"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

func (b *bench) result() Case {
	way := func(path, raw, allocs []float64) Way {
		return Way{Path: measure.Of(path), Raw: measure.Of(raw), Ratio: measure.Of(measure.Ratios(path, raw)), Allocs: measure.Of(allocs)}
	}
	return Case{Suite: b.rig.name, SAs: len(b.rig.outbound), Kind: b.rig.kind, Size: b.load.size, Cipher: b.rig.cipher,
		Out: way(b.columns[0], b.columns[1], b.allocs[0]), In: way(b.columns[2], b.columns[3], b.allocs[1])}
}
