package memory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/goipsec/goipsec/bench/measure"
)

// Options say what to measure. The zero value of a field means its default.
type Options struct {
	Suites   []string // of Suites(); default: all
	SAs      int      // SA pairs, and IKE SAs of each engine; default: 100,000
	Rounds   int      // default: 3; the figures hardly differ
	NoIKE    bool     // leave out the IKE SAs, which take most of the time
	Progress io.Writer
}

// Result is a whole run, as JSON has it.
type Result struct {
	Schema  int             `json:"schema"` // 1
	Machine measure.Machine `json:"machine"`
	SAs     int             `json:"sas"`
	Rounds  int             `json:"rounds"`
	Pairs   []Pair          `json:"sa_pairs"`
	IKE     *IKE            `json:"ike_sa,omitempty"`
}

// Pair is an SA pair of one suite. Bytes are of live heap, for each.
type Pair struct {
	Suite string         `json:"suite"`
	Bytes measure.Spread `json:"bytes"`
	Bare  measure.Spread `json:"bare_bytes"` // of them the standard library's ciphers and MACs, both directions
}

// IKE is what an engine holds for an IKE SA with one SA pair, in bytes of live heap.
type IKE struct {
	Initiator measure.Spread `json:"initiator_bytes"`
	Responder measure.Spread `json:"responder_bytes"`
	Fresh     measure.Spread `json:"fresh_bytes"` // right after the negotiation, the mean of both roles
}

// ErrOptions is what every error about Options wraps.
var ErrOptions = errors.New("bench memory")

const maxSAs = 1 << 20

func (o Options) complete() (Options, error) {
	if len(o.Suites) == 0 {
		o.Suites = Suites()
	}
	if o.SAs == 0 {
		o.SAs = 100_000
	}
	if o.Rounds == 0 {
		o.Rounds = 3
	}
	for _, s := range o.Suites {
		if !slices.Contains(Suites(), s) {
			return o, fmt.Errorf("%w: suite %.60q is not among those that are measured: %s", ErrOptions, s, strings.Join(Suites(), ", "))
		}
	}
	if o.SAs < 1 || o.SAs > maxSAs || o.Rounds < 1 {
		return o, fmt.Errorf("%w: the number of SAs must lie between 1 and %d, and rounds must be 1 or more", ErrOptions, maxSAs)
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	return o, nil
}

// Run measures, round by round.
func Run(ctx context.Context, opts Options) (Result, error) {
	o, err := opts.complete()
	if err != nil {
		return Result{}, err
	}
	res := Result{Schema: 1, Machine: measure.Here(), SAs: o.SAs, Rounds: o.Rounds}
	var list []protection
	for _, p := range protections() {
		if slices.Contains(o.Suites, p.name) {
			list = append(list, p)
		}
	}
	whole, bare := make([][]float64, len(list)), make([][]float64, len(list))
	var initiator, responder, fresh []float64
	for round := range o.Rounds {
		fmt.Fprintf(o.Progress, "round %d of %d\n", round+1, o.Rounds)
		for i, p := range list {
			w, b, err := p.pairs(ctx, o.SAs)
			if err != nil {
				return Result{}, fmt.Errorf("%s: %w", p.name, err)
			}
			whole[i], bare[i] = append(whole[i], w), append(bare[i], b)
		}
		if o.NoIKE {
			continue
		}
		k, err := keyExchange(ctx, o.SAs)
		if err != nil {
			return Result{}, err
		}
		initiator, responder, fresh = append(initiator, k.initiator), append(responder, k.responder), append(fresh, k.fresh)
	}
	for i, p := range list {
		res.Pairs = append(res.Pairs, Pair{Suite: p.name, Bytes: measure.Of(whole[i]), Bare: measure.Of(bare[i])})
	}
	if !o.NoIKE {
		res.IKE = &IKE{Initiator: measure.Of(initiator), Responder: measure.Of(responder), Fresh: measure.Of(fresh)}
	}
	return res, nil
}

// pairs measures n SA pairs, and what they need of the standard library, in bytes for each.
func (p protection) pairs(ctx context.Context, n int) (whole, bare float64, err error) {
	o, err := newOwner(p, n)
	if err != nil {
		return 0, 0, err
	}
	if whole, err = grown(n, func() (any, error) { return o.build(ctx) }); err != nil {
		return 0, 0, err
	}
	bare, err = grown(n, func() (any, error) { return p.bares(n) })
	return whole, bare, err
}

func (r Result) grids() (list []measure.Grid) {
	g := measure.Grid{Head: []string{"SA pair", "bytes", "of it the standard library's ciphers", "the rest"}}
	for _, p := range r.Pairs {
		g.Rows = append(g.Rows, []string{p.Suite, p.Bytes.Text(0), fmt.Sprintf("%.0f", p.Bare.Median), fmt.Sprintf("%.0f", p.Bytes.Median-p.Bare.Median)})
	}
	list = append(list, g)
	if r.IKE != nil {
		list = append(list, measure.Grid{Head: []string{"IKE SA with the record of one SA pair", "bytes"}, Rows: [][]string{
			{"initiator", r.IKE.Initiator.Text(0)}, {"responder", r.IKE.Responder.Text(0)}, {"either, in the first minute", r.IKE.Fresh.Text(0)}}})
	}
	return list
}

// write prints the grids with print, and what is needed to judge them.
func (r Result) write(w io.Writer, print func(measure.Grid, io.Writer) error) error {
	for _, g := range r.grids() {
		if err := print(g, w); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	_, err := fmt.Fprintf(w, "Bytes of live heap for each (the difference of HeapAlloc after a collection) at %d; medians of %d rounds, in brackets the least and the greatest; %s.\n", r.SAs, r.Rounds, r.Machine)
	return err
}

// Markdown writes the tables that bench/README.md holds.
func (r Result) Markdown(w io.Writer) error { return r.write(w, measure.Grid.Markdown) }

// Text is Markdown for a terminal.
func (r Result) Text(w io.Writer) error { return r.write(w, measure.Grid.Text) }
