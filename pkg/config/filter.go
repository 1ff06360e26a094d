package config

import (
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/policy"
)

// written is a filter with what only its rule can judge: whether and how mirrored was written.
type written struct {
	policy.GenericFilter
	mirroredAt *node // where mirrored: true (or <->) was written, nil if it was not
	node       *node
}

// filters reads a list of filters.
func (r *reader) filters(n *node, what string) []written {
	elements := r.list(n, what)
	list := make([]written, 0, len(elements))
	for _, e := range elements {
		if f, ok := r.filter(e); ok {
			list = append(list, f)
		}
	}
	if n.Kind == yaml.SequenceNode && len(elements) == 0 {
		r.fail(n, "write at least one filter, such as me <-> 10.0.0.1", "%s is empty", what)
	}
	return list
}

// filter reads one filter in either form.
func (r *reader) filter(n *node) (written, bool) {
	f := written{node: n, GenericFilter: policy.GenericFilter{Mirrored: true, Source: r.position(n)}}
	before := len(r.errs) + r.more
	if isScalar(n) {
		r.filterLine(n, &f)
	} else {
		r.filterMapping(n, &f)
	}
	if len(r.errs)+r.more > before {
		return f, false
	}
	r.checkFilter(n, &f)
	return f, len(r.errs)+r.more == before
}

// filterMapping reads the form with keys.
func (r *reader) filterMapping(n *node, f *written) {
	var from, to, ports, types *node
	var src, dst [2]*node // the port keys and the type and code keys
	ok := r.each(n, "a filter", filterKeys, func(key string, k, v *node) {
		switch key {
		case "from":
			from = v
			r.side(v, key, &f.Src)
		case "to":
			to = v
			r.side(v, key, &f.Dst)
		case "protocol":
			r.protocol(v, &f.Proto)
		case "from_port":
			src[0], ports = v, k
		case "to_port":
			dst[0], ports = v, k
		case "type":
			src[1], types = v, k
		case "code":
			dst[1], types = v, k
		case "mirrored":
			if f.Mirrored = r.boolean(v, key); f.Mirrored {
				f.mirroredAt = v
			}
		case "description":
			r.str(v, key)
		}
	})
	if !ok {
		return
	}
	if from == nil {
		r.fail(n, sidesHint, "the filter has no from")
	}
	if to == nil {
		r.fail(n, sidesHint, "the filter has no to")
	}
	if ports != nil && !hasPorts(f.Proto) {
		r.fail(ports, "add protocol: tcp or udp", "%s needs a protocol that has ports", ports.Value)
	}
	if types != nil && !isICMP(f.Proto) {
		r.fail(types, "add protocol: icmp or icmpv6", "%s needs protocol icmp or icmpv6", types.Value)
	}
	if dst[1] != nil && src[1] == nil {
		r.fail(types, "add type", "a code alone means nothing")
	}
	r.ports(src[0], "from_port", 65535, &f.SrcPorts)
	r.ports(dst[0], "to_port", 65535, &f.DstPorts)
	r.ports(src[1], "type", 255, &f.SrcPorts)
	r.ports(dst[1], "code", 255, &f.DstPorts)
}

const lineHint = "a filter on one line is FROM <-> TO [PROTOCOL [[FROM-PORT] TO-PORT]], with -> for one direction, such as me <-> 10.0.0.1 tcp 25"

// filterLine reads the form on one line. It is the form for long lists.
func (r *reader) filterLine(n *node, f *written) {
	s, ok := r.str(n, "a filter")
	if !ok {
		return
	}
	words := strings.Fields(s)
	if len(words) < 3 || len(words) > 6 || words[1] != "<->" && words[1] != "->" {
		r.fail(n, lineHint, "%q is no filter", shorten(s))
		return
	}
	if f.Mirrored = words[1] == "<->"; f.Mirrored {
		f.mirroredAt = n
	}
	r.sideText(n, "from", words[0], &f.Src)
	r.sideText(n, "to", words[2], &f.Dst)
	if len(words) == 3 {
		return
	}
	r.protocolText(n, words[3], &f.Proto)
	rest := words[4:]
	switch {
	case len(rest) == 0:
	case isICMP(f.Proto):
		r.portsText(n, "type", rest[0], 255, &f.SrcPorts)
		if len(rest) == 2 {
			r.portsText(n, "code", rest[1], 255, &f.DstPorts)
		}
	case !hasPorts(f.Proto):
		r.fail(n, "name a protocol that has ports: tcp, udp, sctp, dccp, udplite", "ports need a protocol that has them")
	default:
		r.portsText(n, "to_port", rest[len(rest)-1], 65535, &f.DstPorts)
		if len(rest) == 2 {
			r.portsText(n, "from_port", rest[0], 65535, &f.SrcPorts)
		}
	}
}

func (r *reader) side(n *node, key string, spec *policy.AddrSpec) {
	if s, ok := r.text(n, key); ok {
		r.sideText(n, key, s, spec)
	}
}

func (r *reader) sideText(n *node, key, s string, spec *policy.AddrSpec) {
	found, hint, err := side(s)
	if err != nil {
		r.fail(n, hint, "%s: %v", key, err)
		return
	}
	*spec = found
}

func (r *reader) protocol(n *node, proto *uint8) {
	if s, ok := r.text(n, "protocol"); ok {
		r.protocolText(n, s, proto)
	}
}

func (r *reader) protocolText(n *node, s string, proto *uint8) {
	p, hint, ok := protocol(s)
	if !ok {
		r.fail(n, hint, "unknown protocol %q", shorten(s))
	}
	*proto = p
}

// ports reads the value of a port key, if there is one.
func (r *reader) ports(n *node, key string, limit uint64, p *classifier.Ports) {
	if n == nil {
		return
	}
	if s, ok := r.text(n, key); ok {
		r.portsText(n, key, s, limit, p)
	}
}

func (r *reader) portsText(n *node, key, s string, limit uint64, p *classifier.Ports) {
	found, problem := ports(s, limit)
	if problem != "" {
		r.fail(n, "", "%s %s; here is %q", key, problem, shorten(s))
		return
	}
	*p = found
}

// checkFilter checks what needs the whole filter and no rule.
func (r *reader) checkFilter(n *node, f *written) {
	a, b := family(&f.Src), family(&f.Dst)
	if a != 0 && b != 0 && a != b {
		r.fail(n, "both sides are IPv4, or both IPv6", "the filter mixes IPv4 and IPv6: nothing can match it")
		return
	}
	wrong := 0
	switch f.Proto {
	case icmp:
		wrong = 6
	case icmpv6:
		wrong = 4
	}
	if wrong != 0 && (a == wrong || b == wrong) {
		r.fail(n, "IPv4 has icmp, IPv6 has icmpv6", "the filter's protocol is not that of its addresses")
	}
}

// checkNegotiable checks what IKE cannot negotiate for a filter.
func (r *reader) checkNegotiable(f *written) {
	for _, p := range [2]classifier.Ports{f.SrcPorts, f.DstPorts} {
		switch {
		case !p.Given:
		case isICMP(f.Proto):
			r.fail(f.node, "leave out type and code, or permit or block by them",
				"a negotiated filter cannot name an ICMP type: an IKEv1 quick-mode identity has no room for it")
			return
		case p.From != p.To:
			r.fail(f.node, "write one filter a port, or leave the port out; IKEv2, which has ranges, is not here yet",
				"a negotiated filter cannot have a range of ports (%v): an IKEv1 quick-mode identity has one port", p)
			return
		case p.From == 0:
			r.fail(f.node, "leave the port out for any port", "port 0 cannot be negotiated: it stands for any port")
			return
		}
	}
}
