package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/metrics"
	"slices"
	"strings"
	"time"

	"github.com/goipsec/goipsec/bench/measure"
)

// Options say what to measure. The zero value of a field means its default.
type Options struct {
	Suites  []string // of Suites(); default: all
	Sizes   []int    // of inner packets in bytes, 64 to 1420; default: 64, 512, 1420
	Packets int      // of each measurement; default: 1024: short enough that most are not interrupted
	Rounds  int      // default: 121
}

// Result is a whole run, as JSON has it.
type Result struct {
	Schema  int             `json:"schema"` // 1
	Machine measure.Machine `json:"machine"`
	Packets int             `json:"packets"` // of each measurement
	Rounds  int             `json:"rounds"`
	Cases   []Case          `json:"cases"`
}

// Case is one suite with one size of packet.
type Case struct {
	Suite string `json:"suite"`
	Size  int    `json:"size"` // of the inner packet, in bytes
	Out   Way    `json:"outbound"`
	In    Way    `json:"inbound"`
}

// Way is one direction.
type Way struct {
	Path   measure.Spread `json:"ns_per_packet"`
	Raw    measure.Spread `json:"raw_ns_per_packet"`      // the bare cipher
	Ratio  measure.Spread `json:"of_raw"`                 // path over bare cipher, round by round
	Allocs measure.Spread `json:"allocations_per_packet"` // of the whole process meanwhile
}

// ErrOptions is what every error about Options wraps.
var ErrOptions = errors.New("bench pipeline")

func (o Options) complete() (Options, error) {
	if len(o.Suites) == 0 {
		o.Suites = Suites()
	}
	if len(o.Sizes) == 0 {
		o.Sizes = []int{64, 512, mtu}
	}
	if o.Packets == 0 {
		o.Packets = 1024
	}
	if o.Rounds == 0 {
		o.Rounds = 121
	}
	for _, s := range o.Suites {
		if !slices.Contains(Suites(), s) {
			return o, fmt.Errorf("%w: suite %.60q is not among those that are measured: %s", ErrOptions, s, strings.Join(Suites(), ", "))
		}
	}
	for _, n := range o.Sizes {
		if n < 64 || n > mtu {
			return o, fmt.Errorf("%w: %d bytes is no size from 64 to %d", ErrOptions, n, mtu)
		}
	}
	if o.Packets < 1 || o.Rounds < 1 {
		return o, fmt.Errorf("%w: packets and rounds must be 1 or more", ErrOptions)
	}
	return o, nil
}

// bench is one case while it is measured.
type bench struct {
	suite      string
	size       int
	rig        *rig
	seal, open func()
	columns    [4][]float64 // out, raw seal, in, raw open: nanoseconds a packet
	allocs     [2][]float64
}

// Run measures. Rounds are interleaved over all cases, and within a case the path and the bare cipher follow each other.
func Run(ctx context.Context, opts Options) (res Result, err error) {
	o, err := opts.complete()
	if err != nil {
		return Result{}, err
	}
	var list []*bench
	defer func() {
		for _, b := range list {
			err = errors.Join(err, b.rig.close())
		}
	}()
	for _, p := range protections() {
		if !slices.Contains(o.Suites, p.name) {
			continue
		}
		for _, size := range o.Sizes {
			b, err := newBench(p, size)
			if err != nil {
				return Result{}, err
			}
			list = append(list, b)
		}
	}
	res = Result{Schema: 1, Machine: measure.Here(), Packets: o.Packets, Rounds: o.Rounds}
	for _, turn := range measure.Interleave(len(list), o.Rounds+1) {
		if ctx.Err() != nil {
			return Result{}, ctx.Err()
		}
		if err := list[turn.What].round(o.Packets, turn.Round > 0); err != nil { // the first round warms up
			return Result{}, err
		}
	}
	for _, b := range list {
		res.Cases = append(res.Cases, b.result())
	}
	return res, nil
}

func newBench(p protection, size int) (b *bench, err error) {
	b = &bench{suite: p.name, size: size}
	if b.seal, b.open, err = p.raw(size); err != nil {
		return nil, err
	}
	b.rig, err = newRig(p, size)
	return b, err
}

// round measures the four columns once.
func (b *bench) round(n int, keep bool) error {
	bare := func(f func()) func(int) (time.Duration, error) {
		return func(n int) (time.Duration, error) {
			began := time.Now()
			for range n {
				f()
			}
			return time.Since(began), nil
		}
	}
	for i, run := range []func(int) (time.Duration, error){b.rig.out, bare(b.seal), b.rig.in, bare(b.open)} {
		before := allocations()
		took, err := run(n)
		if err != nil {
			return fmt.Errorf("%s, %d bytes: %w", b.suite, b.size, err)
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
	return Case{Suite: b.suite, Size: b.size, Out: way(b.columns[0], b.columns[1], b.allocs[0]), In: way(b.columns[2], b.columns[3], b.allocs[1])}
}

func (r Result) grid() measure.Grid {
	g := measure.Grid{Head: []string{"suite", "bytes", "outbound, ns", "raw seal, ns", "outbound of raw", "inbound, ns", "raw open, ns", "inbound of raw", "allocations"}}
	for _, c := range r.Cases {
		row := []string{c.Suite, fmt.Sprint(c.Size)}
		for _, w := range []Way{c.Out, c.In} {
			row = append(row, w.Path.Text(0), fmt.Sprintf("%.0f", w.Raw.Median), fmt.Sprintf("%.2f", w.Ratio.Median))
		}
		g.Rows = append(g.Rows, append(row, fmt.Sprintf("%.2f, %.2f", c.Out.Allocs.Median, c.In.Allocs.Median)))
	}
	return g
}

func (r Result) notes(w io.Writer) error {
	_, err := fmt.Fprintf(w, "\nA packet's whole way through the data plane in memory, and the bare cipher of the standard library beside it; medians of %d interleaved rounds of %d packets, in brackets the least and the greatest; allocations a packet out, in; %s.\n",
		r.Rounds, r.Packets, r.Machine)
	return err
}

// Markdown writes the table that bench/README.md holds, and what is needed to judge it.
func (r Result) Markdown(w io.Writer) error {
	return errors.Join(r.grid().Markdown(w), r.notes(w))
}

// Text is Markdown for a terminal.
func (r Result) Text(w io.Writer) error {
	return errors.Join(r.grid().Text(w), r.notes(w))
}
