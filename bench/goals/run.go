package goals

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/goipsec/goipsec/bench/classify"
	"github.com/goipsec/goipsec/bench/e2e"
	"github.com/goipsec/goipsec/bench/handshake"
	"github.com/goipsec/goipsec/bench/measure"
	"github.com/goipsec/goipsec/bench/memory"
	"github.com/goipsec/goipsec/bench/pipeline"
)

// Part is one of the measurements that goals are judged by.
type Part string

// The parts, in the order in which they run. What disturbs itself least by what went before comes first.
const (
	Pipeline  Part = "pipeline"
	Classify  Part = "classify"
	Handshake Part = "handshake"
	Memory    Part = "memory"
	E2E       Part = "e2e"
)

// Parts names them all.
func Parts() []Part { return []Part{Pipeline, Classify, Handshake, Memory, E2E} }

// Options say what to measure. The zero value of a field means its default.
type Options struct {
	Only       []Part    // default: all
	Seconds    int       // of each measurement of throughput in whole tunnels; default: 4
	Rounds     int       // of e2e and handshake; pipeline takes 24 times as many of its short ones, memory at most 3; default: 5
	ClassBench string    // directory of the ClassBench sets; empty: these goals are not measured
	Program    string    // the goipsec to measure in whole tunnels; default: the running program
	Cache      string    // directory for programs of other projects; default: goipsec in the user's cache directory
	Progress   io.Writer // nil: silent
}

// Results are what was measured. A part that was not is nil, and Missing says why.
type Results struct {
	E2E       *e2e.Result                 `json:"e2e,omitempty"`
	Pipeline  *pipeline.Result            `json:"pipeline,omitempty"`
	Classify  map[string]*classify.Result `json:"classify,omitempty"` // by set of filters
	Handshake *handshake.Result           `json:"handshake,omitempty"`
	Memory    *memory.Result              `json:"memory,omitempty"`
	Missing   map[Part]string             `json:"missing,omitempty"`
}

// Report is a whole run, as JSON has it.
type Report struct {
	Schema  int             `json:"schema"` // 1
	Machine measure.Machine `json:"machine"`
	Goals   []Row           `json:"goals"`
	Results Results         `json:"results"`
}

// ErrOptions is what every error about Options wraps.
var ErrOptions = errors.New("bench goals")

func (o Options) complete() (Options, error) {
	if len(o.Only) == 0 {
		o.Only = Parts()
	}
	for _, p := range o.Only {
		if !slices.Contains(Parts(), p) {
			return o, fmt.Errorf("%w: %.40q is unknown: choose from %v", ErrOptions, p, Parts())
		}
	}
	if o.Seconds == 0 {
		o.Seconds = 4
	}
	if o.Rounds == 0 {
		o.Rounds = 5
	}
	if o.Seconds < 1 || o.Rounds < 1 {
		return o, fmt.Errorf("%w: seconds and rounds must be 1 or more", ErrOptions)
	}
	if o.ClassBench != "" {
		if _, err := os.Stat(o.classBench("acl1")); err != nil {
			return o, fmt.Errorf("%w: no ClassBench sets there: %w", ErrOptions, err)
		}
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	return o, nil
}

func (o Options) classBench(set string) string { return filepath.Join(o.ClassBench, set+"_10k.rules") }

// Run measures and judges. A part that fails is missing from the report, and the others go on; only the end of ctx ends the run.
func Run(ctx context.Context, opts Options) (Report, error) {
	o, err := opts.complete()
	if err != nil {
		return Report{}, err
	}
	report := Report{Schema: 1, Machine: measure.Here(), Results: Results{Missing: map[Part]string{}}}
	r := &report.Results
	for _, part := range Parts() {
		if !slices.Contains(o.Only, part) {
			r.Missing[part] = "it was not asked for"
			continue
		}
		fmt.Fprintf(o.Progress, "%s\n", part)
		runtime.GC() // what the part before has left is not collected at the cost of this one
		err := r.measure(ctx, part, o)
		if ctx.Err() != nil {
			return Report{}, ctx.Err()
		}
		if err != nil {
			r.Missing[part] = reason(err)
			fmt.Fprintf(o.Progress, "%s: %v\n", part, err)
		}
	}
	report.Goals = Judge(r)
	return report, nil
}

// reason is why a part is missing, in one line.
func reason(err error) string {
	if errors.Is(err, fs.ErrPermission) {
		return "it needs root"
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}

func (r *Results) measure(ctx context.Context, part Part, o Options) error {
	switch part {
	case Pipeline:
		return keep(&r.Pipeline)(pipeline.Run(ctx, pipeline.Options{SAs: []int{1}, Rounds: 24*o.Rounds + 1}))
	case Classify:
		return r.classify(ctx, o)
	case Handshake:
		return keep(&r.Handshake)(handshake.Run(ctx, handshake.Options{Exchanges: []string{x25519}, Rounds: o.Rounds, Progress: o.Progress}))
	case Memory:
		return keep(&r.Memory)(memory.Run(ctx, memory.Options{Rounds: min(o.Rounds, 3), NoIKE: true, Progress: o.Progress}))
	default:
		return keep(&r.E2E)(e2e.Run(ctx, e2e.Options{Peers: []string{"goipsec", "goipsec-chacha", "goipsec-raw", "goipsec-sockets", "wireguard-go", "tailscale", e2e.Null}, Streams: []string{"goipsec-chacha", "goipsec-raw", "goipsec-sockets"}, Flows: []int{1, 4}, Seconds: o.Seconds, Rounds: o.Rounds,
			IdleRounds: idleRounds, IdlePeers: append([]string{"goipsec"}, wireguards...), Program: o.Program, Cache: o.Cache, Progress: o.Progress}))
	}
}

// idleRounds are the further rounds of idle echoes: one start of a tunnel is up to twice as quick as the next.
const idleRounds = 9

// keep stores a result where there is no error.
func keep[R any](to **R) func(R, error) error {
	return func(r R, err error) error {
		if err == nil {
			*to = &r
		}
		return err
	}
}

// The sets of filters, beside those of ClassBench, which are called by their names.
const (
	hostPairs    = "1,000,000 host pairs"
	grownMillion = "1,000,000 grown"
	grownFew     = "10,000 grown"
)

// classify measures look-ups. Some answers of each are held to the linear truth.
func (r *Results) classify(ctx context.Context, o Options) error {
	r.Classify = map[string]*classify.Result{}
	sets := map[string]classify.Options{hostPairs: {Pairs: 1_000_000}}
	if o.ClassBench != "" {
		var seeds []string
		for _, set := range slices.Sorted(maps.Keys(references)) {
			sets[set] = classify.Options{Rules: o.classBench(set)}
			seeds = append(seeds, o.classBench(set))
		}
		sets[grownFew] = classify.Options{Grown: 10_000, Seeds: seeds}
		sets[grownMillion] = classify.Options{Grown: 1_000_000, Seeds: seeds, Changes: 2000}
	}
	for _, name := range slices.Sorted(maps.Keys(sets)) {
		c := sets[name]
		if ctx.Err() != nil {
			return ctx.Err()
		}
		c.Verify, c.VerifyOnly = true, 200
		runtime.GC()
		res, err := classify.Run(c)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fmt.Fprintf(o.Progress, "%s: %.0f ns a look-up, %.0f of %d packets together\n", name, res.Lookup.Median, res.Together.Median, res.Batch)
		r.Classify[name] = &res
	}
	return nil
}

// missing says why a part has no results; "" if it has.
func (r *Results) missing(p Part) string {
	if why := r.Missing[p]; why != "" {
		return why
	}
	has := map[Part]bool{E2E: r.E2E != nil, Pipeline: r.Pipeline != nil, Classify: r.Classify != nil, Handshake: r.Handshake != nil, Memory: r.Memory != nil}
	if !has[p] {
		return "it was not measured"
	}
	return ""
}
