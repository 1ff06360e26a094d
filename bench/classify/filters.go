package classify

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"

	"github.com/goipsec/goipsec/pkg/classifier"
)

// filters returns the filters to measure and what they are called.
func (o *Options) filters(rng *rand.Rand) (entries []classifier.Entry[int], source string, err error) {
	given := 0
	for _, is := range []bool{o.Rules != "", o.Entries != nil, o.Pairs > 0, o.Grown > 0} {
		if is {
			given++
		}
	}
	if given != 1 {
		return nil, "", errors.New("name the filters to measure in one way: a rule file, a policy, a number of host pairs, or one to grow")
	}
	source = o.Name
	switch {
	case o.Rules != "":
		if source == "" {
			source = o.Rules
		}
		entries, err = readFile(o.Rules)
		return entries, source, err
	case o.Grown > 0:
		if source == "" {
			source = fmt.Sprintf("%d grown filters", o.Grown)
		}
		entries, err = grown(o.Seeds, o.Grown, rng)
		return entries, source, err
	case o.Pairs > 0:
		if source == "" {
			source = fmt.Sprintf("%d host pairs", o.Pairs)
		}
		return Pairs(o.Pairs, rng), source, nil
	}
	if source == "" {
		source = "entries"
	}
	return o.Entries, source, nil
}

func readFile(name string) ([]classifier.Entry[int], error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("the rule file cannot be read: %w", err)
	}
	defer file.Close()
	return ReadRules(file, name)
}

// grown grows filters from those of all files.
func grown(files []string, n int, rng *rand.Rand) ([]classifier.Entry[int], error) {
	var given []classifier.Entry[int]
	for _, name := range files {
		entries, err := readFile(name)
		if err != nil {
			return nil, err
		}
		given = append(given, entries...)
	}
	return Grow(given, n, rng)
}

// ReadRules reads a ClassBench filter file: the first line that matches wins. Empty lines and lines that begin with # count for nothing.
// An entry's value is its line number.
func ReadRules(r io.Reader, name string) (entries []classifier.Entry[int], err error) {
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		f, err := classifier.ParseClassBench(line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, n, err)
		}
		entries = append(entries, classifier.Entry[int]{Filter: f, Value: n})
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return entries, nil
}

// Pairs makes n filters between two random hosts, every fourth of them IPv6.
func Pairs(n int, rng *rand.Rand) []classifier.Entry[int] {
	entries := make([]classifier.Entry[int], n)
	for i := range entries {
		host := host4
		if i%4 == 3 {
			host = host6
		}
		f := classifier.Filter{Src: classifier.HostRange(host(rng)), Dst: classifier.HostRange(host(rng))}
		entries[i] = classifier.Entry[int]{Filter: f, Value: i}
	}
	return entries
}

func host4(rng *rand.Rand) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], rng.Uint32())
	b[0] = 10
	return netip.AddrFrom4(b)
}

func host6(rng *rand.Rand) netip.Addr {
	b := [16]byte{0xfd}
	binary.BigEndian.PutUint64(b[8:], rng.Uint64())
	return netip.AddrFrom16(b)
}
