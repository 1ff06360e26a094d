package interop

import (
	"fmt"
	"strings"

	"github.com/goipsec/goipsec/pkg/suite"
	"github.com/goipsec/goipsec/test/interop/lab"
)

// A shape is how packets are carried: mode, families, sequence numbers.
type shape struct {
	name         string
	tunnel       bool
	outer6       bool
	inner6       bool
	esn          bool
	mode, family string // as docs/interop.md says it
}

func shapes() []shape {
	var list []shape
	for _, esn := range []bool{false, true} {
		for _, s := range []shape{
			{name: "transport/IPv4", mode: "transport", family: "IPv4"},
			{name: "transport/IPv6", mode: "transport", family: "IPv6", outer6: true, inner6: true},
			{name: "tunnel/IPv4inIPv4", mode: "tunnel", family: "IPv4 in IPv4", tunnel: true},
			{name: "tunnel/IPv6inIPv6", mode: "tunnel", family: "IPv6 in IPv6", tunnel: true, outer6: true, inner6: true},
			{name: "tunnel/IPv4inIPv6", mode: "tunnel", family: "IPv4 in IPv6", tunnel: true, outer6: true},
			{name: "tunnel/IPv6inIPv4", mode: "tunnel", family: "IPv6 in IPv4", tunnel: true, inner6: true},
		} {
			if s.esn = esn; esn {
				s.name += "/ESN"
				s.mode += ", ESN"
			}
			list = append(list, s)
		}
	}
	return list
}

// A cell of the matrix is one transform in one shape. Every transform has addresses and SPIs of its own, so that all of a shape
// are in the kernel, and in one goipsec, at once.
type cell struct {
	transform
	shape
	n int // from 1
}

func cells(s shape) []cell {
	var list []cell
	for i, x := range transforms() {
		if s.outer6 != s.inner6 && x.encr != suite.EncrNone && x.ah != suite.IntegNone {
			continue // the kernel takes such packets and cannot send them: behind a tunnel into another family it finds no AH state
		}
		list = append(list, cell{transform: x, shape: s, n: i + 1})
	}
	return list
}

// The addresses: ours are 10.2.1.N and fd02:0:0:1::N outside, 192.168.1.N and fd01::N inside; the kernel's end in 2.1.
const (
	kernelOuter4, kernelOuter6 = "10.2.2.1", "fd02:0:0:2::1"
	kernelInner4, kernelInner6 = "192.168.2.1", "fd03::1"
)

func pick(v6 bool, a4, a6 string) string {
	if v6 {
		return a6
	}
	return a4
}

func (c cell) ourOuter() string {
	return pick(c.outer6, fmt.Sprintf("10.2.1.%d", c.n), fmt.Sprintf("fd02:0:0:1::%x", c.n))
}
func (c cell) itsOuter() string { return pick(c.outer6, kernelOuter4, kernelOuter6) }

// ourInner and itsInner are the addresses that talk: those inside the tunnel, or in transport mode the hosts' own.
func (c cell) ourInner() string {
	if !c.tunnel {
		return c.ourOuter()
	}
	return pick(c.inner6, fmt.Sprintf("192.168.1.%d", c.n), fmt.Sprintf("fd01::%x", c.n))
}

func (c cell) itsInner() string {
	if !c.tunnel {
		return c.itsOuter()
	}
	return pick(c.inner6, kernelInner4, kernelInner6)
}

// SPIs: to us and from us, for ESP and AH.
func (c cell) spi(proto suite.Protocol, direction string) uint32 {
	spi := uint32(0x1000 + c.n)
	if direction == toUs {
		spi += 0x1000
	}
	if proto == suite.AH {
		spi += 0x8000
	}
	return spi
}

// The directions, seen from goipsec.
const (
	toUs   = "to us"
	fromUs = "from us"
)

// Where the sequence numbers of ESN begin in the kernel. Beyond 32 bits it shows whether both put the high half into the ICV; an
// endpoint begins at zero.
const (
	fromZero     = " replay-window 64"
	beyond32Bits = " replay-window 64 replay-seq-hi 1 replay-oseq-hi 1"
)

// install is the batch for ip that gives the kernel its SAs and policies: everything between the two inner addresses must be
// protected, in both directions.
func (c cell) install(begin string) string {
	var b strings.Builder
	for _, direction := range []string{fromUs, toUs} {
		src, dst, from, to, dir := c.ourOuter(), c.itsOuter(), c.ourInner(), c.itsInner(), "in"
		if direction == toUs {
			src, dst, from, to, dir = dst, src, to, from, "out"
		}
		mode, templates, more := "transport", "", ""
		if c.tunnel {
			mode = "tunnel"
		}
		if c.esn {
			more = begin
		}
		state := func(proto suite.Protocol, mode, algorithms string) {
			name := map[suite.Protocol]string{suite.ESP: "esp", suite.AH: "ah"}[proto]
			fmt.Fprintf(&b, "xfrm state add src %s dst %s proto %s spi 0x%x reqid %d mode %s%s%s %s\n",
				src, dst, name, c.spi(proto, direction), c.n, mode, more, c.flags(proto, mode), algorithms)
			templates += fmt.Sprintf(" tmpl src %s dst %s proto %s reqid %d mode %s", src, dst, name, c.n, mode)
		}
		if c.encr != suite.EncrNone {
			state(suite.ESP, mode, c.kernelESP(direction))
			mode = "transport" // AH around it protects what is there already
		}
		if c.ah != suite.IntegNone {
			state(suite.AH, mode, c.kernelAH(direction))
		}
		fmt.Fprintf(&b, "xfrm policy add src %s dst %s dir %s priority 100%s\n", from, to, dir, templates)
	}
	return b.String()
}

// flags of an SA. The kernel pads AH to 8 bytes under IPv4 too, unless told to keep to RFC 4302 §2.2 (align4).
func (c cell) flags(proto suite.Protocol, mode string) string {
	flags := ""
	if c.esn {
		flags += " esn"
	}
	if mode == "tunnel" {
		flags += " af-unspec"
	}
	if proto == suite.AH && !c.outer6 {
		flags += " align4"
	}
	if flags != "" {
		flags = " flag" + flags
	}
	return flags
}

// furnish puts a host and the kernel on one network with the addresses of a shape, and the kernel's SAs in place.
func furnish(l *lab.Lab, s shape, begin string) (*lab.Kernel, *lab.Host) {
	k, a := l.Kernel(), l.Host("a")
	k.Connect(a, "10.2.0.1/16", "fd02::1/32")
	k.Address(kernelOuter4+"/16", kernelOuter6+"/32", kernelInner4+"/32", kernelInner6+"/128")
	var ours, its strings.Builder
	for _, c := range cells(s) {
		prefix := pick(c.outer6, "/16", "/32 nodad")
		fmt.Fprintf(&ours, "addr add dev eth0 %s%s\n", c.ourOuter(), prefix)
		its.WriteString(c.install(begin))
	}
	a.Run("ip -batch " + l.WriteFile("addresses", ours.String()))
	k.Run("ip route replace 192.168.1.0/24 dev vec0 src " + kernelInner4 + "; ip -6 route replace fd01::/64 dev vec0 src " + kernelInner6)
	// Neighbour discovery must pass in clear, or there is no link to send protected packets over.
	for _, dir := range []string{"in", "out"} {
		for _, message := range []int{135, 136} {
			fmt.Fprintf(&its, "xfrm policy add src ::/0 dst ::/0 proto ipv6-icmp type %d dir %s priority 1 action allow\n", message, dir)
		}
	}
	k.Run("ip -batch " + l.WriteFile("xfrm", its.String()))
	return k, a
}
