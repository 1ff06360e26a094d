package classify

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/testdata"
)

const rules = `# two rules and a catch-all
@10.0.0.0/8	192.0.2.1/32	0 : 65535	25 : 25	0x06/0xFF	0x0000/0x0000
@10.0.0.1/32	192.0.2.1/32	0 : 65535	0 : 65535	0x00/0x00

@0.0.0.0/0	0.0.0.0/0	0 : 65535	0 : 65535	0x00/0x00	0x0000/0x0000
`

// write puts text into a file of the test's own.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRunOnFiles(t *testing.T) {
	trace := "167772161 3221225985 40000 25 6 0 0\n10.0.0.1 192.0.2.1 40000 25 17\n# remark\n\n172.16.0.1 192.0.2.1 1 2 0x11\n"
	r, err := Run(Options{Rules: write(t, "a.rules", rules), Trace: write(t, "a.trace", trace), Rounds: 3, Verify: true})
	if err != nil {
		t.Fatal(err)
	}
	if r.Rules != 3 || r.HostPairs != 1 || r.Packets != 3 || r.Hits != 3 || r.Verified.Packets != 3 || r.Verified.Wrong != 0 || r.MemoryBytes == 0 || r.Lookup.Rounds != 3 {
		t.Errorf("%+v", r)
	}
	for _, s := range []Spread{r.Lookup, r.Together} {
		if s.Min <= 0 || s.Median < s.Min || s.Max < s.Median || s.Rounds != 3 || r.Machine.Go == "" || r.Batch != Batch {
			t.Errorf("%+v", r)
		}
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back Result
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, r) {
		t.Errorf("%s: %v", text, err)
	}
	for _, field := range []string{"ns_per_lookup", "ns_per_lookup_batch", "batch", "build_ns", "memory_bytes", "machine", "schema"} {
		if !strings.Contains(string(text), `"`+field+`"`) {
			t.Errorf("no %s in %s", field, text)
		}
	}
}

func TestRunOnEntriesAndPairs(t *testing.T) {
	r, err := Run(Options{Pairs: 2000, Packets: 500, Rounds: 1, Verify: true, VerifyOnly: 100, Seed: 5})
	if err != nil || r.HostPairs != 2000 || r.Hits != 500 || r.Verified.Packets != 100 || r.Seed != 5 {
		t.Errorf("%+v %v", r, err)
	}
	host := classifier.HostRange(netip.MustParseAddr("10.0.0.1"))
	entries := []classifier.Entry[int]{
		{Filter: classifier.Filter{}}, // not valid: passed over
		{Filter: classifier.Filter{Src: host, Dst: classifier.AnyV4, Proto: 6}},
		{Filter: classifier.Filter{Src: classifier.AnyV6, Dst: classifier.AnyV6}},
	}
	r, err = Run(Options{Entries: entries, Name: "policy office", Packets: 300, Rounds: 1, Verify: true})
	if err != nil || r.Source != "policy office" || r.Hits != 300 {
		t.Errorf("%+v %v", r, err)
	}
}

func TestRunWithChanges(t *testing.T) {
	r, err := Run(Options{Pairs: 500, Packets: 200, Rounds: 2, Changes: 300, Verify: true})
	if err != nil || r.Verified.Packets != 400 || r.Changes == nil {
		t.Fatalf("%+v %v", r, err)
	}
	if c := r.Changes; c.Number != 300 || len(c.Each.Samples) != 2 || c.Each.Min <= 0 || c.Longest < int64(c.Each.Max) || c.Readers < 1 {
		t.Errorf("%+v", c)
	}
}

// TestGrow looks for what growing must keep: lengths, ports, protocols, and that there are no two of a kind.
func TestGrow(t *testing.T) {
	seeds := []string{testdata.Dir(t, "classbench", "acl1_1k.rules"), testdata.Dir(t, "classbench", "fw1_1k.rules")}
	var given []classifier.Entry[int]
	for _, name := range seeds {
		entries, err := readFile(name)
		if err != nil {
			t.Fatal(err)
		}
		given = append(given, entries...)
	}
	shape := func(f classifier.Filter) string {
		src, _ := f.Src.Prefix()
		dst, _ := f.Dst.Prefix()
		return fmt.Sprint(src.Bits(), dst.Bits(), f.Proto, f.SrcPorts, f.DstPorts)
	}
	shapes := map[string]bool{}
	for i := range given {
		shapes[shape(given[i].Filter)] = true
	}
	grow := func() []classifier.Entry[int] {
		entries, err := Grow(given, 20000, rand.New(rand.NewPCG(1, 2)))
		if err != nil {
			t.Fatal(err)
		}
		return entries
	}
	entries := grow()
	seen := map[classifier.Filter]bool{}
	for i, e := range entries {
		if seen[e.Filter] || !shapes[shape(e.Filter)] || e.Value != i || i > 0 && entries[i-1].Filter.Compare(&e.Filter) < 0 {
			t.Fatalf("entry %d: %+v", i, e)
		}
		seen[e.Filter] = true
	}
	if !reflect.DeepEqual(entries, grow()) {
		t.Error("the same seed grows other filters")
	}
	if r, err := Run(Options{Grown: 3000, Seeds: seeds, Packets: 400, Rounds: 1, Changes: 200, Verify: true}); err != nil || r.Rules != 3000 || r.Hits != 400 {
		t.Errorf("%+v %v", r, err)
	}
}

// TestMoveKeepsNeighbourhoods holds the permutations to what they are for: addresses part at the bit where they parted.
func TestMoveKeepsNeighbourhoods(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	number := func(r classifier.Range) uint32 { b := r.From.As4(); return binary.BigEndian.Uint32(b[:]) }
	for range 5000 {
		key := rng.Uint64()
		a := classifier.HostRange(host4(rng))
		low := rng.IntN(33)
		b := a.From.As4()
		binary.BigEndian.PutUint32(b[:], number(a)^uint32(uint64(1)<<low>>1))
		c := classifier.HostRange(netip.AddrFrom4(b))
		if bits.Len32(number(move(a, key))^number(move(c, key))) != low {
			t.Fatalf("%v and %v part elsewhere", a, c)
		}
	}
}

func TestSameSeedSameTrace(t *testing.T) {
	make := func(seed uint64) []packet.Key {
		rng := rand.New(rand.NewPCG(seed, 1))
		return MakeTrace(Pairs(50, rng), 200, rng)
	}
	if !reflect.DeepEqual(make(3), make(3)) || reflect.DeepEqual(make(3), make(4)) {
		t.Error("a seed must make its own trace, and always the same")
	}
}

// liar says that nothing ever matches.
type liar struct{}

func (liar) Lookup(*packet.Key) (int, bool) { return 0, false }

func (liar) LookupBatch(keys []packet.Key, _ []int, found []bool) { clear(found[:len(keys)]) }

// fickle lies in batches only.
type fickle struct{ *classifier.Index[int] }

func (fickle) LookupBatch(keys []packet.Key, values []int, found []bool) {
	liar{}.LookupBatch(keys, values, found)
}

func TestVerifyFindsWrongAnswers(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	entries := Pairs(50, rng)
	index := classifier.Build(entries)
	for name, c := range map[string]struct {
		index finder
		wrong int
	}{"always": {liar{}, 40}, "in batches": {fickle{index}, 40}, "never": {index, 0}} {
		if got := verify(c.index, entries, MakeTrace(entries, 40, rng), 0); got.Wrong != c.wrong {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	good := write(t, "a.rules", rules)
	for name, c := range map[string]struct {
		opts Options
		want string
	}{
		"nothing":      {Options{}, "one way"},
		"two sources":  {Options{Rules: good, Pairs: 3}, "one way"},
		"no rule file": {Options{Rules: none}, "cannot be read"},
		"no trace":     {Options{Rules: good, Trace: none}, "cannot be read"},
		"bad rule":     {Options{Rules: write(t, "bad", "# x\n@nonsense")}, "bad:2:"},
		"long line":    {Options{Rules: write(t, "long", strings.Repeat("x", 1<<17))}, "too long"},
		"no rules":     {Options{Rules: write(t, "empty", "\n")}, "no filters"},
		"empty trace":  {Options{Rules: good, Trace: write(t, "empty", "# nothing\n")}, "no packets"},
		"few columns":  {Options{Rules: good, Trace: write(t, "t", "1 2 3 4")}, "t:1: 4 columns"},
		"bad source":   {Options{Rules: good, Trace: write(t, "t", "x 2 3 4 5")}, `"x" is no address`},
		"bad target":   {Options{Rules: good, Trace: write(t, "t", "1 4294967296 3 4 5")}, "is no address"},
		"bad port":     {Options{Rules: good, Trace: write(t, "t", "1 2 65536 4 5")}, "16 bits"},
		"no seeds":     {Options{Grown: 5}, "no filters"},
		"few seeds":    {Options{Grown: 50, Seeds: []string{write(t, "wide", "@0.0.0.0/0 0.0.0.0/0 0 : 65535 0 : 65535 0x00/0x00")}}, "too few"},
		"families":     {Options{Rules: good, Trace: write(t, "t", "1 fd00::1 6 4 5")}, "two families"},
		"long trace":   {Options{Rules: good, Trace: write(t, "t", strings.Repeat("x", 1<<17))}, "too long"},
	} {
		if _, err := Run(c.opts); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRunOnClassBenchSets(t *testing.T) {
	for _, name := range []string{"acl1_1k.rules", "fw1_1k.rules", "ipc1_1k.rules"} {
		r, err := Run(Options{Rules: testdata.Dir(t, "classbench", name), Packets: 3000, Rounds: 1, Verify: true})
		if err != nil || r.Verified.Packets != 3000 || r.Hits == 0 {
			t.Errorf("%s: %+v %v", name, r, err)
		}
	}
}
