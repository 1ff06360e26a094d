package guard

import (
	"fmt"
	"slices"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"golang.org/x/sys/unix"
)

// Names of our chains. The first three hang on hooks; the others hold what these share.
const (
	chainInput, chainForward, chainOutput = "input", "forward", "output"
	chainInbound, chainOutbound           = "clear_inbound", "clear_outbound"
	chainReadable, chainFirstFragment     = "readable", "first_fragment"
	// What is appended to the names of the chains of rules: those for packets whose own side is me, and those for others.
	ofMe, ofOthers = "_me", "_others"
)

// compiler writes one table. The hooks are chosen so that IPv4 datagrams are whole where they are for the host itself (the kernel
// reassembles before "input"); fragments are met on IPv6 and in "forward" only.
type compiler struct {
	setConn, conn *nftables.Conn // the transaction that makes the sets, and the one with the rules that ask them
	table         *nftables.Table
	cfg           *Config
	sets          int
	// noRanges keeps to what a kernel before 5.6, or one without nft_socket, can: rules with ranges are asked one by one, and answers to the endpoint's own
	// questions to servers pass only where the policy lets them.
	noRanges bool
}

func (c *compiler) compile() error {
	// What is jumped to has to be there first.
	c.readable()
	if err := c.direction(chainInbound, c.cfg.Inbound, true); err != nil {
		return err
	}
	if err := c.direction(chainOutbound, c.cfg.Outbound, false); err != nil {
		return err
	}
	input := c.chain(chainInput, nftables.ChainHookInput)
	c.passes(input, expr.MetaKeyIIFNAME, true)
	c.pathMTU(input)
	if c.cfg.MarkMask != 0 && !c.noRanges {
		c.add(input, match{}.toMarked(c.cfg.Mark, c.cfg.MarkMask).verdict(Accept), "to the endpoint's own sockets")
	}
	c.exemptions(input)
	// IPv6 is put together behind this hook only. A datagram is judged by its first fragment, which has the ports; without that one the others are
	// never put together, and the kernel refuses fragments that overlap (RFC 5722). To drop the others would drop protected datagrams in parts too: a
	// part does not show that it is UDP to one of our ports, or AH.
	c.add(input, match{}.family(false).laterFragment(false).verdict(Accept), "later fragments: the first one is judged")
	c.add(input, match{}.family(false).jump(chainReadable), "")
	c.add(input, match{}.jump(chainInbound), "")

	// Decrypted packets come from the TUN and what is to be protected goes there: neither is clear on a wire on that side. Nothing else that is
	// forwarded is exempt: IKE and ESP of others are packets like any.
	forward := c.chain(chainForward, nftables.ChainHookForward)
	c.add(forward, c.device(expr.MetaKeyOIFNAME).verdict(Accept), "into the TUN")
	c.exemptions(forward)
	c.add(forward, match{}.family(false).jump(chainReadable), "")
	c.add(forward, c.device(expr.MetaKeyIIFNAME).jump(chainOutbound), "")
	c.add(forward, c.device(expr.MetaKeyIIFNAME).verdict(Accept), "out of the TUN")
	c.add(forward, match{}.jump(chainInbound), "")
	c.add(forward, match{}.jump(chainOutbound), "")

	output := c.chain(chainOutput, nftables.ChainHookOutput)
	if c.cfg.MarkMask != 0 {
		c.add(output, match{}.marked(c.cfg.Mark, c.cfg.MarkMask).verdict(Accept), "the endpoint's own packets")
	}
	c.passes(output, expr.MetaKeyOIFNAME, false)
	c.exemptions(output)
	c.add(output, match{}.jump(chainOutbound), "")
	return nil
}

// readable drops IPv6 packets of which it cannot be told whether they are what a rule names: those without a readable upper-layer protocol, and first
// fragments without the ports (RFC 7112). Receivers should refuse such datagrams; what is behind a gateway may not.
func (c *compiler) readable() {
	all := slices.Concat(c.cfg.Inbound, c.cfg.Outbound)
	names := func(f func(*classifier.Filter) bool) bool {
		return slices.ContainsFunc(all, func(r Rule) bool { return r.Filter.Src.From.Is6() && f(&r.Filter) })
	}
	ports := names(func(f *classifier.Filter) bool { return f.SrcPorts.Given || f.DstPorts.Given })
	first := c.chain(chainFirstFragment, nil)
	if ports {
		c.add(first, match{}.portsReadable().back(), "")
		for _, p := range withPorts {
			c.add(first, match{}.proto(p).verdict(Drop), fmt.Sprintf("first fragments without the ports of protocol %d", p))
		}
	}
	chain := c.chain(chainReadable, nil)
	if ports || names(func(f *classifier.Filter) bool { return f.Proto != 0 }) {
		c.add(chain, match{}.fragment6().jump(chainFirstFragment), "")
		c.add(chain, match{}.readable().back(), "")
		c.add(chain, match{}.verdict(Drop), "IPv6 without a readable protocol")
	}
}

// withPorts are the protocols whose headers begin with what filters compare as ports.
var withPorts = [...]uint8{unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_DCCP, unix.IPPROTO_ICMPV6, unix.IPPROTO_SCTP, unix.IPPROTO_MH, unix.IPPROTO_UDPLITE}

// direction compiles the rules of one direction: once for packets whose own side is one of the host's addresses at that moment, once without the rules for me.
func (c *compiler) direction(name string, rules []Rule, inbound bool) error {
	blocks := arrange(entries(c.cfg, rules), inbound)
	own := func(s shape) bool { return inbound && s.dstMe || !inbound && s.srcMe }
	me, others := c.chain(name+ofMe, nil), c.chain(name+ofOthers, nil)
	open := false
	for _, b := range blocks {
		chains := []*nftables.Chain{me, others}
		if own(b.shape) {
			chains, open = chains[:1], true
		}
		if err := c.block(chains, b, inbound); err != nil {
			return fmt.Errorf("the rules of the guard could not be compiled: %w", err)
		}
	}
	choose := c.chain(name, nil)
	if open {
		for _, p := range notMeOf(c.cfg) {
			c.add(choose, match{}.family(p.Addr().Is4()).address(inbound, classifier.RangeOf(p)).goTo(others.Name), "")
		}
		c.add(choose, match{}.local(inbound).goTo(me.Name), "")
	}
	c.add(choose, match{}.goTo(others.Name), "")
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

// add adds a rule; the text says to people what it is for.
func (c *compiler) add(ch *nftables.Chain, m match, text string) {
	r := &nftables.Rule{Table: c.table, Chain: ch, Exprs: m}
	if text != "" {
		r.UserData = userdata.AppendString(nil, userdata.TypeComment, text)
	}
	c.conn.AddRule(r)
}

func (c *compiler) device(key expr.MetaKey) match { return match{}.device(key, c.cfg.Device) }

// passes accepts what passes in any case: loopback, the TUN, and the protocols.
func (c *compiler) passes(ch *nftables.Chain, device expr.MetaKey, inbound bool) {
	c.add(ch, match{}.device(device, "lo").verdict(Accept), "loopback")
	c.add(ch, c.device(device).verdict(Accept), "the TUN")
	c.protocols(ch, inbound)
}

// protocols accepts IKE, ESP, AH, neighbour discovery and multicast listener discovery.
func (c *compiler) protocols(ch *nftables.Chain, inbound bool) {
	for _, p := range [...]uint8{unix.IPPROTO_ESP, unix.IPPROTO_AH} {
		c.add(ch, match{}.proto(p).verdict(Accept), map[uint8]string{unix.IPPROTO_ESP: "ESP", unix.IPPROTO_AH: "AH"}[p])
	}
	for _, port := range c.cfg.Ports {
		offset := 0 // our port is the source of what leaves, the destination of what arrives
		if inbound {
			offset = 2
		}
		c.add(ch, match{}.proto(unix.IPPROTO_UDP).payload(expr.PayloadBaseTransportHeader, offset, big16(port), big16(port)).verdict(Accept), fmt.Sprintf("IKE, UDP port %d", port))
	}
	icmp6 := func(hops, from, to byte, text string) {
		m := match{}.family(false).proto(unix.IPPROTO_ICMPV6)
		m = m.payload(expr.PayloadBaseNetworkHeader, 7, []byte{hops}, []byte{hops})
		c.add(ch, m.payload(expr.PayloadBaseTransportHeader, 0, []byte{from}, []byte{to}).verdict(Accept), text)
	}
	icmp6(255, 133, 137, "neighbour discovery")        // neighbour discovery (RFC 4861): a hop limit of 255 proves that no router has passed it on
	icmp6(1, 130, 132, "multicast listener discovery") // multicast listener discovery (RFC 2710, RFC 3810)
	icmp6(1, 143, 143, "multicast listener discovery")
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
		text := map[bool]string{true: "ICMP", false: "ICMPv6"}[f.is4] + " too big about "
		tooBig := func(inner byte) match {
			m := match{}.family(f.is4).proto(f.proto).payload(expr.PayloadBaseTransportHeader, 0, f.kind, f.kind)
			return m.payload(expr.PayloadBaseTransportHeader, f.inner, []byte{inner}, []byte{inner})
		}
		c.add(ch, tooBig(unix.IPPROTO_ESP).verdict(Accept), text+"ESP")
		c.add(ch, tooBig(unix.IPPROTO_AH).verdict(Accept), text+"AH")
		for _, port := range c.cfg.Ports {
			c.add(ch, tooBig(unix.IPPROTO_UDP).payload(expr.PayloadBaseTransportHeader, f.ports, big16(port), big16(port)).verdict(Accept), fmt.Sprintf("%sUDP from port %d", text, port))
		}
	}
}

// block compiles one block into each of the chains.
func (c *compiler) block(chains []*nftables.Chain, b *block, inbound bool) error {
	if len(b.rules) < leastSet || c.noRanges && !b.shape.exact || b.shape.srcMe && b.shape.dstMe || b.shape.srcMe && inbound || b.shape.dstMe && !inbound {
		for _, e := range b.rules {
			for _, ch := range chains {
				c.single(ch, e, inbound)
			}
		}
		return nil
	}
	var drops, accepts []*entry
	for _, e := range b.rules {
		if e.Verdict == Drop {
			drops = append(drops, e)
		} else {
			accepts = append(accepts, e)
		}
	}
	if b.shape.hasPorts() {
		if err := c.laterFragments(chains, drops, inbound); err != nil {
			return err
		}
	}
	for _, part := range [...]struct {
		Verdict
		rules []*entry
	}{{Drop, drops}, {Accept, accepts}} {
		if len(part.rules) == 0 {
			continue
		}
		s, err := c.newSet(b.shape, part.rules, true, part.Verdict == Drop)
		if err != nil {
			return err
		}
		for _, ch := range chains {
			c.add(ch, match{}.family(b.shape.is4).lookup(s).rule(part.Verdict), setComment+s.set.Name)
		}
	}
	return nil
}

// laterFragments is D10: what cannot be read might be one of the ports. Later fragments between the addresses of rules that drop are dropped.
func (c *compiler) laterFragments(chains []*nftables.Chain, drops []*entry, inbound bool) error {
	var bare []entry
	type between struct {
		classifier.Filter
		srcMe, dstMe bool
	}
	seen := map[between]bool{}
	for _, d := range drops {
		e := *d
		e.reach.SrcPorts, e.reach.DstPorts = classifier.Ports{}, classifier.Ports{}
		// Rules for many ports between the same addresses are one here.
		if k := (between{e.reach, e.srcMe, e.dstMe}); !seen[k] {
			seen[k] = true
			bare = append(bare, e)
		}
	}
	for _, b := range arrange(bare, inbound) {
		s, err := c.newSet(b.shape, b.rules, false, true)
		if err != nil {
			return err
		}
		for _, ch := range chains {
			c.add(ch, match{}.family(b.shape.is4).laterFragment(b.shape.is4).lookup(s).verdict(Drop), setComment+s.set.Name)
		}
	}
	return nil
}

// single compiles one rule. The chain sees to the side that is this host's, if that is me.
func (c *compiler) single(ch *nftables.Chain, e *entry, inbound bool) {
	f := &e.reach
	m := match{}.family(f.Src.From.Is4())
	for _, side := range [...]struct {
		classifier.Range
		me, destination bool
	}{{f.Src, e.srcMe, false}, {f.Dst, e.dstMe, true}} {
		switch {
		case side.me && side.destination != inbound:
			m = m.local(side.destination)
		case !side.me && !side.IsAny():
			m = m.address(side.destination, side.Range)
		}
	}
	if f.Proto != 0 {
		m = m.proto(f.Proto)
	}
	if !f.SrcPorts.Given && !f.DstPorts.Given {
		c.add(ch, m.rule(e.Verdict), e.comment())
		return
	}
	if e.Verdict == Drop {
		// D10: what cannot be read might be one of the ports.
		c.add(ch, slices.Clone(m).laterFragment(f.Src.From.Is4()).verdict(Drop), e.comment())
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
	c.add(ch, m.rule(e.Verdict), e.comment())
}
