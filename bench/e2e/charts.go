package e2e

import (
	"fmt"
	"strings"

	"github.com/goipsec/goipsec/bench/measure"
	"github.com/goipsec/goipsec/bench/plot"
)

// Charts are what was measured of all peers as bars, a chart for each measure. The bare veth is left out where it would dwarf the rest.
func (r Result) Charts() (list []plot.Chart) {
	add := func(file, title, unit string, bare bool, f func(p *Peer) measure.Spread) {
		c := plot.Chart{File: "e2e-" + file, Title: title, Unit: unit}
		rounds := fmt.Sprint(r.Rounds)
		if file == idleChart && r.IdleRounds > 0 {
			rounds = fmt.Sprintf("%d (%s: %d)", r.Rounds, strings.Join(r.IdlePeers, ", "), r.Rounds+r.IdleRounds)
		}
		c.Note = fmt.Sprintf("medians of %s interleaved rounds of %d s, least and greatest; %s", rounds, r.Seconds, r.Machine)
		for i := range r.Peers {
			p := &r.Peers[i]
			if i == 0 && !bare {
				continue
			}
			v := f(p)
			if len(v.Samples) == 0 {
				continue
			}
			c.Bars = append(c.Bars, plot.Bar{Name: p.Name, Value: v, Own: strings.HasPrefix(p.Name, "goipsec")})
		}
		if len(c.Bars) > 0 {
			list = append(list, c)
		}
	}
	for i, t := range r.Peers[0].TCP {
		add(fmt.Sprintf("tcp-%d", t.Flows), "TCP, "+flowsText(t.Flows), "Gb/s", true, func(p *Peer) measure.Spread { return p.TCP[i].Gbps })
		add(fmt.Sprintf("tcp-%d-cpu", t.Flows), "Processor time, TCP, "+flowsText(t.Flows), "seconds a gigabyte, both ends", false, func(p *Peer) measure.Spread { return p.TCP[i].CPU })
	}
	for i, u := range r.Peers[0].UDP {
		title := fmt.Sprintf("UDP, %d bytes, %s", u.Size, flowsText(u.Flows))
		add(fmt.Sprintf("udp-%d-%d", u.Size, u.Flows), title, "1000 packets a second received", true, func(p *Peer) measure.Spread { return p.udp(i).Rate.Times(1e-3) })
		add(fmt.Sprintf("udp-%d-%d-cpu", u.Size, u.Flows), "Processor time, "+title, "µs a packet, both ends", false, func(p *Peer) measure.Spread { return p.udp(i).CPU })
	}
	add(idleChart, "Idle round trip added", "µs", false, func(p *Peer) measure.Spread { return p.Added })
	add("load", "Round trip under one TCP flow, 99th percentile", "ms", true, func(p *Peer) measure.Spread { return p.Load.P99.Times(1e-3) })
	add("calls-tcp", "System calls for 1000 packets, TCP", "both ends", false, func(p *Peer) measure.Spread { return p.Calls.TCP })
	add("calls-udp", "System calls for 1000 packets, UDP, 64 bytes", "both ends", false, func(p *Peer) measure.Spread { return p.Calls.UDP })
	return list
}

// idleChart is the one that may have more rounds than the others.
const idleChart = "idle"

// udp is the i-th case, without samples if it was not measured of this peer.
func (p *Peer) udp(i int) UDP {
	if i < len(p.UDP) {
		return p.UDP[i]
	}
	return UDP{}
}
