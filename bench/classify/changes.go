package classify

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goipsec/goipsec/bench/measure"
	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/packet"
)

// Changes is what it costs to insert or delete one filter while readers look up. The collection of what changes leave behind is part of it.
type Changes struct {
	Number  int            `json:"changes"`       // of each round, half of them insertions
	Each    measure.Spread `json:"ns_per_change"` // the mean of a round
	Longest int64          `json:"longest_ns"`    // of all rounds
	Readers int            `json:"readers"`
	Lookups int64          `json:"lookups_meanwhile"`
}

// changer moves entries in and out of an index that readers look at.
type changer struct {
	entries []classifier.Entry[int]
	rng     *rand.Rand
	in, out []int // numbers of entries
	now     atomic.Pointer[classifier.Index[int]]
}

// newChanger takes a sixteenth of the entries, but at least one, out of their index.
func newChanger(x *classifier.Index[int], entries []classifier.Entry[int], rng *rand.Rand) *changer {
	c := &changer{entries: entries, rng: rng}
	c.now.Store(x)
	for i := range entries {
		if entries[i].Filter.IsValid() {
			c.in = append(c.in, i)
		}
	}
	for range (len(c.in) + 15) / 16 {
		c.delete()
	}
	return c
}

// take removes and returns an element that is drawn at random.
func (c *changer) take(list *[]int) int {
	l := *list
	at := c.rng.IntN(len(l))
	n := l[at]
	l[at] = l[len(l)-1]
	*list = l[:len(l)-1]
	return n
}

func (c *changer) delete() {
	n := c.take(&c.in)
	x, ok := c.now.Load().Delete(c.entries[n].Filter, classifier.RankOf(n))
	if !ok {
		panic("an entry that was put in is not there")
	}
	c.now.Store(x)
	c.out = append(c.out, n)
}

func (c *changer) insert() {
	n := c.take(&c.out)
	c.now.Store(c.now.Load().Insert(c.entries[n], classifier.RankOf(n)))
	c.in = append(c.in, n)
}

// run makes rounds of n changes, the first one unmeasured, while as many readers as there are other processors look the trace up.
func (c *changer) run(n, rounds int, keys []packet.Key) *Changes {
	r := &Changes{Number: n, Readers: max(runtime.GOMAXPROCS(0)-1, 1)}
	var stop atomic.Bool
	var lookups atomic.Int64
	var readers sync.WaitGroup
	for id := range r.Readers {
		readers.Go(func() {
			count := int64(0)
			for i := id; !stop.Load(); i++ {
				c.now.Load().Find(&keys[i%len(keys)])
				count++
			}
			lookups.Add(count)
		})
	}
	var each []float64
	for round := -1; round < rounds; round++ {
		began := time.Now()
		last := began
		for i := range n {
			if i%2 == 0 {
				c.insert()
			} else {
				c.delete()
			}
			now := time.Now()
			if round >= 0 {
				r.Longest = max(r.Longest, now.Sub(last).Nanoseconds())
			}
			last = now
		}
		if round >= 0 {
			each = append(each, float64(last.Sub(began).Nanoseconds())/float64(n))
		}
	}
	stop.Store(true)
	readers.Wait()
	r.Each, r.Lookups = measure.Of(each), lookups.Load()
	return r
}

// present are the entries, with those that are not in the index made such as match nothing.
func (c *changer) present() []classifier.Entry[int] {
	list := slices.Clone(c.entries)
	for _, n := range c.out {
		list[n].Filter = classifier.Filter{}
	}
	return list
}
