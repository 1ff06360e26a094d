package guard

import (
	"fmt"
	"slices"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// Names of our chains. The first three hang on hooks, the others hold the compiled rules.
const (
	chainInput, chainForward, chainOutput = "input", "forward", "output"
	chainInbound, chainOutbound           = "clear_inbound", "clear_outbound"
)

// leastRun is how many rules in a row must have one shape before a map is worth it.
const leastRun = 4

// compiler writes one table. The hooks are chosen so that IPv4 datagrams are whole where they are for the host itself (the kernel
// reassembles before "input"); fragments are met on IPv6 and in "forward" only.
type compiler struct {
	conn  *nftables.Conn
	table *nftables.Table
	cfg   *Config
	maps  int
}

func (c *compiler) compile() error {
	// What is jumped to has to be there first.
	if err := c.rules(c.chain(chainInbound, nil), c.cfg.Inbound); err != nil {
		return err
	}
	if err := c.rules(c.chain(chainOutbound, nil), c.cfg.Outbound); err != nil {
		return err
	}
	input := c.chain(chainInput, nftables.ChainHookInput)
	c.passes(input, expr.MetaKeyIIFNAME, true)
	c.pathMTU(input)
	c.exemptions(input)
	// IPv6 is put together behind this hook only. A datagram is judged by its first fragment, which has the ports; without that one the others are
	// never put together, and the kernel refuses fragments that overlap (RFC 5722) and first ones without the whole chain of headers (RFC 7112). To
	// drop the others would drop protected datagrams in parts too: a part does not show that it is UDP to one of our ports, or AH.
	c.add(input, match{}.family(false).laterFragment(false).verdict(Accept))
	c.add(input, match{}.jump(chainInbound))

	// Decrypted packets come from the TUN and what is to be protected goes there: neither is clear on a wire on that side.
	forward := c.chain(chainForward, nftables.ChainHookForward)
	c.add(forward, c.device(expr.MetaKeyOIFNAME).verdict(Accept))
	c.protocols(forward, true)
	c.exemptions(forward)
	c.add(forward, c.device(expr.MetaKeyIIFNAME).jump(chainOutbound))
	c.add(forward, c.device(expr.MetaKeyIIFNAME).verdict(Accept))
	c.add(forward, match{}.jump(chainInbound))
	c.add(forward, match{}.jump(chainOutbound))

	output := c.chain(chainOutput, nftables.ChainHookOutput)
	if c.cfg.MarkMask != 0 {
		c.add(output, match{}.marked(c.cfg.Mark, c.cfg.MarkMask).verdict(Accept))
	}
	c.passes(output, expr.MetaKeyOIFNAME, false)
	c.exemptions(output)
	c.add(output, match{}.jump(chainOutbound))
	return nil
}

func (c *compiler) chain(name string, hook *nftables.ChainHook) *nftables.Chain {
	ch := &nftables.Chain{Name: name, Table: c.table}
	if hook != nil {
		accept := nftables.ChainPolicyAccept
		ch.Hooknum, ch.Type, ch.Policy, ch.Priority = hook, nftables.ChainTypeFilter, &accept, nftables.ChainPriorityRef(priority)
	}
	return c.conn.AddChain(ch)
}

func (c *compiler) add(ch *nftables.Chain, m match) {
	c.conn.AddRule(&nftables.Rule{Table: c.table, Chain: ch, Exprs: m})
}

func (c *compiler) device(key expr.MetaKey) match { return match{}.device(key, c.cfg.Device) }

// passes accepts what passes in any case: loopback, the TUN, and the protocols.
func (c *compiler) passes(ch *nftables.Chain, device expr.MetaKey, inbound bool) {
	c.add(ch, match{}.device(device, "lo").verdict(Accept))
	c.add(ch, c.device(device).verdict(Accept))
	c.protocols(ch, inbound)
}

// protocols accepts IKE, ESP, AH, neighbour discovery and multicast listener discovery.
func (c *compiler) protocols(ch *nftables.Chain, inbound bool) {
	for _, p := range [...]uint8{unix.IPPROTO_ESP, unix.IPPROTO_AH} {
		c.add(ch, match{}.proto(p).verdict(Accept))
	}
	for _, port := range c.cfg.Ports {
		offset := 0 // our port is the source of what leaves, the destination of what arrives
		if inbound {
			offset = 2
		}
		c.add(ch, match{}.proto(unix.IPPROTO_UDP).payload(expr.PayloadBaseTransportHeader, offset, big16(port), big16(port)).verdict(Accept))
	}
	icmp6 := func(hops, from, to byte) {
		m := match{}.family(false).proto(unix.IPPROTO_ICMPV6)
		m = m.payload(expr.PayloadBaseNetworkHeader, 7, []byte{hops}, []byte{hops})
		c.add(ch, m.payload(expr.PayloadBaseTransportHeader, 0, []byte{from}, []byte{to}).verdict(Accept))
	}
	icmp6(255, 133, 137) // neighbour discovery (RFC 4861): a hop limit of 255 proves that no router has passed it on
	icmp6(1, 130, 132)   // multicast listener discovery (RFC 2710, RFC 3810)
	icmp6(1, 143, 143)
}

// pathMTU accepts what routers say of our own protected datagrams that are too big, or a policy that covers ICMP would make a black
// hole of every narrow path. Whether the quoted datagram was one of ours is for its reader to judge (RFC 4301 §8.2.1, row D13).
func (c *compiler) pathMTU(ch *nftables.Chain) {
	for _, f := range [...]struct {
		is4          bool
		proto        uint8
		kind         []byte // type and code
		inner, ports int    // where in the ICMP message the quoted protocol and source port lie
	}{
		{true, unix.IPPROTO_ICMP, []byte{3, 4}, 8 + 9, 8 + 20},
		{false, unix.IPPROTO_ICMPV6, []byte{2, 0}, 8 + 6, 8 + 40},
	} {
		tooBig := func(inner byte) match {
			m := match{}.family(f.is4).proto(f.proto).payload(expr.PayloadBaseTransportHeader, 0, f.kind, f.kind)
			return m.payload(expr.PayloadBaseTransportHeader, f.inner, []byte{inner}, []byte{inner})
		}
		c.add(ch, tooBig(unix.IPPROTO_ESP).verdict(Accept))
		c.add(ch, tooBig(unix.IPPROTO_AH).verdict(Accept))
		for _, port := range c.cfg.Ports {
			c.add(ch, tooBig(unix.IPPROTO_UDP).payload(expr.PayloadBaseTransportHeader, f.ports, big16(port), big16(port)).verdict(Accept))
		}
	}
}

// rules compiles rules, heaviest first. Rules in a row that differ in values only become one map.
func (c *compiler) rules(ch *nftables.Chain, rules []Rule) error {
	for len(rules) > 0 {
		s, mappable := shapeOf(&rules[0].Filter)
		n := 1
		for mappable && n < len(rules) {
			next, ok := shapeOf(&rules[n].Filter)
			if !ok || next != s {
				break
			}
			n++
		}
		if mappable && n >= leastRun {
			if err := c.runMap(ch, s, rules[:n]); err != nil {
				return fmt.Errorf("the rules of the guard could not be compiled: %w", err)
			}
		} else {
			for i := range rules[:n] {
				c.single(ch, &rules[i])
			}
		}
		rules = rules[n:]
	}
	return nil
}

// single compiles one rule.
func (c *compiler) single(ch *nftables.Chain, r *Rule) {
	f := &r.Filter
	is4 := f.Src.From.Is4()
	h := headerOf(is4)
	m := match{}.family(is4)
	for _, side := range [...]struct {
		classifier.Range
		offset int
	}{{f.Src, h.src}, {f.Dst, h.dst}} {
		if bits, ok := prefixBits(side.From, side.To); !ok || bits > 0 {
			m = m.payload(expr.PayloadBaseNetworkHeader, side.offset, side.From.AsSlice(), side.To.AsSlice())
		}
	}
	if f.Proto != 0 {
		m = m.proto(f.Proto)
	}
	if !f.SrcPorts.Given && !f.DstPorts.Given {
		c.add(ch, m.verdict(r.Verdict))
		return
	}
	if r.Verdict == Drop {
		// D10: what cannot be read might be one of the ports.
		c.add(ch, slices.Clone(m).laterFragment(is4).verdict(Drop))
	}
	for _, side := range [...]struct {
		classifier.Ports
		source bool
	}{{f.SrcPorts, true}, {f.DstPorts, false}} {
		if side.Given {
			offset, length := portField(f.Proto, side.source)
			m = m.payload(expr.PayloadBaseTransportHeader, offset, portBytes(side.From, length), portBytes(side.To, length))
		}
	}
	c.add(ch, m.verdict(r.Verdict))
}
