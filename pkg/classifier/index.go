package classifier

import "github.com/goipsec/goipsec/pkg/packet"

// Entry is one filter and what it stands for.
type Entry[V any] struct {
	Filter Filter
	Value  V
}

// Index is an immutable snapshot that answers "which is the first of these entries that matches" without walking them.
// It is safe for any number of concurrent readers and a look-up does not allocate.
type Index[V any] struct{ entries []Entry[V] }

// Build compiles entries, heaviest first: on several matches the lowest position wins.
func Build[V any](entries []Entry[V]) *Index[V] {
	return &Index[V]{entries: append([]Entry[V](nil), entries...)}
}

// Lookup returns the value of the first entry that matches k.
func (x *Index[V]) Lookup(k *packet.Key) (v V, ok bool) {
	for i := range x.entries {
		if x.entries[i].Filter.Match(k) {
			return x.entries[i].Value, true
		}
	}
	return v, false
}
