package classifier

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// ParseClassBench reads one line of a ClassBench filter file: "@src/len dst/len lo : hi lo : hi proto/mask flags/mask", fields parted by tabs or blanks.
// The flags are ignored. The full port range, 0 to 65535, counts as not given. A protocol mask must be 0x00 or 0xff.
func ParseClassBench(line string) (f Filter, err error) {
	fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "@"))
	if len(fields) < 9 || fields[3] != ":" || fields[6] != ":" {
		return f, fmt.Errorf("%q is no ClassBench filter: want @src/len dst/len lo : hi lo : hi proto/mask", line)
	}
	if f.Src, err = parseRange(fields[0]); err != nil {
		return f, err
	}
	if f.Dst, err = parseRange(fields[1]); err != nil {
		return f, err
	}
	if f.SrcPorts, err = parsePorts(fields[2], fields[4]); err != nil {
		return f, err
	}
	if f.DstPorts, err = parsePorts(fields[5], fields[7]); err != nil {
		return f, err
	}
	proto, mask, _ := strings.Cut(fields[8], "/")
	p, err := strconv.ParseUint(proto, 0, 8)
	if err != nil {
		return f, fmt.Errorf("%q is no protocol: want a number from 0 to 255", proto)
	}
	switch m, err := strconv.ParseUint(mask, 0, 8); {
	case err == nil && m == 0xff:
		f.Proto = uint8(p)
	case err != nil || m != 0:
		return f, fmt.Errorf("%q is no protocol mask: want 0x00 (any) or 0xff", mask)
	}
	if !f.IsValid() {
		return f, fmt.Errorf("%q: the addresses are of two families, or a port range ends before it starts", line)
	}
	return f, nil
}

func parseRange(s string) (Range, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return Range{}, fmt.Errorf("%q is no prefix: want address/length", s)
	}
	return RangeOf(p), nil
}

func parsePorts(lo, hi string) (Ports, error) {
	from, err1 := strconv.ParseUint(lo, 10, 16)
	to, err2 := strconv.ParseUint(hi, 10, 16)
	if err1 != nil || err2 != nil {
		return Ports{}, fmt.Errorf("%q : %q is no port range: want two numbers from 0 to 65535", lo, hi)
	}
	if from == 0 && to == 65535 {
		return Ports{}, nil
	}
	return Ports{uint16(from), uint16(to), true}, nil
}
