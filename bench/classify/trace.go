package classify

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/packet"
)

// keys reads or makes the trace.
func (o *Options) keys(rng *rand.Rand, entries []classifier.Entry[int]) ([]packet.Key, error) {
	if o.Trace == "" {
		n := o.Packets
		if n <= 0 {
			n = 1 << 16
		}
		return MakeTrace(entries, n, rng), nil
	}
	file, err := os.Open(o.Trace)
	if err != nil {
		return nil, fmt.Errorf("the trace cannot be read: %w", err)
	}
	defer file.Close()
	return ReadTrace(file, o.Trace)
}

// ReadTrace reads a ClassBench trace: source, destination, source port, destination port and protocol on each line, and columns that are ignored. IPv4 addresses
// are decimal numbers; addresses of either family may also be written as usual.
func ReadTrace(r io.Reader, name string) (keys []packet.Key, err error) {
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || fields[0][0] == '#' {
			continue
		}
		k, err := parseKey(fields)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, n, err)
		}
		keys = append(keys, k)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return keys, nil
}

func parseKey(fields []string) (k packet.Key, err error) {
	if len(fields) < 5 {
		return k, fmt.Errorf("%d columns: want source, destination, source port, destination port, protocol", len(fields))
	}
	if k.Src, err = parseAddr(fields[0]); err != nil {
		return k, err
	}
	if k.Dst, err = parseAddr(fields[1]); err != nil {
		return k, err
	}
	if k.Src.Is4() != k.Dst.Is4() {
		return k, fmt.Errorf("%s and %s are of two families", k.Src, k.Dst)
	}
	var n [3]uint64
	for i, bits := range [3]int{16, 16, 8} {
		if n[i], err = strconv.ParseUint(fields[2+i], 0, bits); err != nil {
			return k, fmt.Errorf("%q is no number of %d bits", fields[2+i], bits)
		}
	}
	k.SrcPort, k.DstPort, k.Proto = uint16(n[0]), uint16(n[1]), uint8(n[2])
	k.Flags = packet.ProtoKnown | packet.PortsKnown
	return k, nil
}

func parseAddr(s string) (netip.Addr, error) {
	if n, err := strconv.ParseUint(s, 10, 32); err == nil {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(n))
		return netip.AddrFrom4(b), nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return a, fmt.Errorf("%q is no address: want a decimal number, or IPv4 or IPv6 notation", s)
	}
	return a.Unmap(), nil
}

// MakeTrace makes n packets, each in a corner of a filter that is drawn at random, one in sixteen of them a later fragment.
// Filters that are not valid are passed over.
func MakeTrace(entries []classifier.Entry[int], n int, rng *rand.Rand) []packet.Key {
	keys := make([]packet.Key, 0, n)
	for tries := 0; len(keys) < n && tries < 16*n; tries++ {
		if f := &entries[rng.IntN(len(entries))].Filter; f.IsValid() {
			keys = append(keys, corner(f, rng))
		}
	}
	return keys
}

// corner is a packet of a filter.
func corner(f *classifier.Filter, rng *rand.Rand) packet.Key {
	k := packet.Key{Src: end(f.Src, rng), Dst: end(f.Dst, rng), Proto: f.Proto, Flags: packet.ProtoKnown | packet.PortsKnown}
	if k.Proto == 0 {
		k.Proto = []uint8{6, 17, 1, 50}[rng.IntN(4)]
	}
	k.SrcPort, k.DstPort = port(f.SrcPorts, rng), port(f.DstPorts, rng)
	if rng.IntN(16) == 0 {
		k.Flags = packet.ProtoKnown | packet.Fragment | packet.NonFirst
		k.SrcPort, k.DstPort = 0, 0
	}
	return k
}

// end is one of the two ends of a range, but a random address of any.
func end(r classifier.Range, rng *rand.Rand) netip.Addr {
	switch {
	case r == classifier.AnyV4:
		return host4(rng)
	case r == classifier.AnyV6:
		return host6(rng)
	case rng.IntN(2) == 0:
		return r.From
	}
	return r.To
}

func port(p classifier.Ports, rng *rand.Rand) uint16 {
	if !p.Given {
		return uint16(rng.Uint32())
	}
	return p.From + uint16(rng.IntN(int(p.To-p.From)+1))
}
