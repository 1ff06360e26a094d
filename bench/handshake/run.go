package handshake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"

	"github.com/goipsec/goipsec/bench/measure"
)

// Options say what to measure. The zero value of a field means its default.
type Options struct {
	Exchanges    []string // of Exchanges(); default: all
	Negotiations int      // of each measurement; default: 1000
	Rounds       int      // default: 7
	Progress     io.Writer
}

// Result is a whole run, as JSON has it.
type Result struct {
	Schema       int             `json:"schema"` // 1
	Machine      measure.Machine `json:"machine"`
	Negotiations int             `json:"negotiations"` // of each measurement
	Rounds       int             `json:"rounds"`
	Cases        []Case          `json:"cases"`
}

// Case is one exchange in one place.
type Case struct {
	Exchange string         `json:"exchange"` // of Exchanges()
	What     string         `json:"what"`     // in full
	Place    string         `json:"place"`    // one of the places below
	Pairs    int            `json:"pairs"`    // of engines at work
	Rate     measure.Spread `json:"per_second"`
	// CPU is of both ends, the kernel and the garbage collector; zero where the system does not tell.
	CPU measure.Spread `json:"cpu_us_each"`
	// Group is the arithmetic of the group alone, both ends: processor time, too.
	Group  measure.Spread `json:"group_us_each"`
	Allocs measure.Spread `json:"allocations_each"` // both ends
	Bytes  measure.Spread `json:"bytes_allocated_each"`
}

// The places.
const (
	Single          = "memory, one pair"
	Several         = "memory, a pair a processor"
	Loopback        = "loopback UDP, one pair"
	LoopbackSeveral = "loopback UDP, a pair a processor"
)

// ErrOptions is what every error about Options wraps.
var ErrOptions = errors.New("bench handshake")

func (o Options) complete() (Options, error) {
	if len(o.Exchanges) == 0 {
		o.Exchanges = Exchanges()
	}
	if o.Negotiations == 0 {
		o.Negotiations = 1000
	}
	if o.Rounds == 0 {
		o.Rounds = 7
	}
	for _, s := range o.Exchanges {
		if !slices.Contains(Exchanges(), s) {
			return o, fmt.Errorf("%w: %.60q is not among what is measured: %s", ErrOptions, s, strings.Join(Exchanges(), ", "))
		}
	}
	if o.Negotiations < 1 || o.Negotiations > capacity/2 || o.Rounds < 1 {
		return o, fmt.Errorf("%w: the number of negotiations must lie between 1 and %d, and rounds must be 1 or more", ErrOptions, capacity/2)
	}
	for _, x := range exchanges() {
		if slices.Contains(o.Exchanges, x.name) && x.filters > 0 && x.filters < o.Negotiations {
			return o, fmt.Errorf("%w: %s has %d peers, which is less than the negotiations", ErrOptions, x.name, x.filters)
		}
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	return o, nil
}

// bench is one case while it is measured.
type bench struct {
	exchange
	place string
	pairs int
	run   func(ctx context.Context, x exchange, n int) (usage, error)
	taken []usage
	group []float64
}

// Run measures. Rounds are interleaved over all cases, and the arithmetic of a case's group follows the case.
func Run(ctx context.Context, opts Options) (Result, error) {
	o, err := opts.complete()
	if err != nil {
		return Result{}, err
	}
	var list []*bench
	for _, x := range exchanges() {
		if !slices.Contains(o.Exchanges, x.name) {
			continue
		}
		cpus := runtime.GOMAXPROCS(0)
		list = append(list, &bench{exchange: x, place: Single, pairs: 1, run: inMemory(1)}, &bench{exchange: x, place: Several, pairs: cpus, run: inMemory(cpus)})
		if runtime.GOOS == "linux" { // elsewhere the loopback has one address, and the peers need one each
			list = append(list, &bench{exchange: x, place: Loopback, pairs: 1, run: overLoopback(1)}, &bench{exchange: x, place: LoopbackSeveral, pairs: cpus, run: overLoopback(cpus)})
		}
	}
	res := Result{Schema: 1, Machine: measure.Here(), Negotiations: o.Negotiations, Rounds: o.Rounds}
	for _, turn := range measure.Interleave(len(list), o.Rounds+1) {
		if ctx.Err() != nil {
			return Result{}, ctx.Err()
		}
		n := o.Negotiations
		if turn.Round == 0 {
			n = min(n, 50) // to warm up
		} else if turn.What == 0 {
			fmt.Fprintf(o.Progress, "round %d of %d\n", turn.Round, o.Rounds)
		}
		if err := list[turn.What].round(ctx, n, turn.Round > 0); err != nil {
			return Result{}, err
		}
	}
	for _, b := range list {
		res.Cases = append(res.Cases, b.result())
	}
	return res, nil
}

// round measures a case once.
func (b *bench) round(ctx context.Context, n int, keep bool) error {
	used, err := b.run(ctx, b.exchange, n)
	if err != nil {
		return fmt.Errorf("%s, %s: %w", b.exchange.name, b.place, err)
	}
	const few = 50
	m := start()
	for range few {
		if err := b.arithmetic(); err != nil {
			return err
		}
	}
	bare := m.stop(few)
	if keep {
		b.taken = append(b.taken, used)
		b.group = append(b.group, cmp.Or(bare.cpu, 1e6/bare.rate))
	}
	return nil
}

func (b *bench) result() Case {
	column := func(f func(usage) float64) measure.Spread {
		var list []float64
		for _, u := range b.taken {
			list = append(list, f(u))
		}
		return measure.Of(list)
	}
	return Case{Exchange: b.exchange.name, What: b.exchange.String(), Place: b.place, Pairs: b.pairs, Group: measure.Of(b.group),
		Rate: column(func(u usage) float64 { return u.rate }), CPU: column(func(u usage) float64 { return u.cpu }),
		Allocs: column(func(u usage) float64 { return u.allocs }), Bytes: column(func(u usage) float64 { return u.bytes })}
}

func (r Result) grid() measure.Grid {
	g := measure.Grid{Head: []string{"main mode and quick mode", "where", "negotiations a second", "CPU of both ends, µs each", "of it the group, µs", "allocations each", "KB allocated each"}}
	for _, c := range r.Cases {
		cpu := "–"
		if c.CPU.Max > 0 {
			cpu = c.CPU.Text(0)
		}
		g.Rows = append(g.Rows, []string{c.What, c.Place, c.Rate.Text(0), cpu, fmt.Sprintf("%.0f", c.Group.Median), fmt.Sprintf("%.0f", c.Allocs.Median), fmt.Sprintf("%.1f", c.Bytes.Median/1024)})
	}
	return g
}

func (r Result) notes(w io.Writer) error {
	_, err := fmt.Fprintf(w, "\nIKEv1 main mode (pre-shared key, AES-128-CBC, SHA-256) and quick mode, a new peer each time; both ends on this machine, their keys and SPIs compared for every one. Medians of %d interleaved rounds of %d negotiations, in brackets the least and the greatest; processor time of the whole process; %s.\n",
		r.Rounds, r.Negotiations, r.Machine)
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
