package endpoint

import (
	"time"

	"github.com/goipsec/goipsec/pkg/suite"
)

// tally counts what the endpoint's goroutine does. It belongs to that goroutine.
type tally struct {
	sendFailures                uint64
	getSPI, getSPIFailures      uint64
	additions, additionFailures uint64 // outbound halves of negotiated children
	updates, updateFailures     uint64 // inbound halves
	rekeys, deletions           uint64
	faults                      uint64 // of this program, that the boundary caught
	gone                        volume // of children that are no more
}

// volume sums what children have carried, in bytes of payload. No packet pays for it: the SAs count, and this is asked for now and then.
type volume struct {
	confidential, authenticated, transport, tunnel flow
	checked                                        uint64 // packets accepted by a replay window
}

// flow is bytes in both directions.
type flow struct{ out, in uint64 }

func (f *flow) add(out, in uint64) { f.out, f.in = f.out+out, f.in+in }

// add takes a child's counters in.
func (v *volume) add(now time.Time, c *child) {
	in, out := c.in[0].Stats(now), c.bundleStats(now)
	if c.confidential() {
		v.confidential.add(out.Bytes, in.Bytes)
	}
	if c.authenticated() {
		v.authenticated.add(out.Bytes, in.Bytes)
	}
	if c.tunnel() {
		v.tunnel.add(out.Bytes, in.Bytes)
	} else {
		v.transport.add(out.Bytes, in.Bytes)
	}
	if window(c.rule) >= 0 {
		v.checked += in.Packets
	}
}

func (v *volume) report(q *QuickModeStatistics) {
	q.ConfidentialBytesSent, q.ConfidentialBytesReceived = v.confidential.out, v.confidential.in
	q.AuthenticatedBytesSent, q.AuthenticatedBytesReceived = v.authenticated.out, v.authenticated.in
	q.TransportBytesSent, q.TransportBytesReceived = v.transport.out, v.transport.in
	q.BytesSentInTunnels, q.BytesReceivedInTunnels = v.tunnel.out, v.tunnel.in
	q.PacketsWithReplayDetection = v.checked
}

func (c *child) tunnel() bool { return c.info.Mode == suite.Tunnel }

// confidential reports whether the child hides what it carries.
func (c *child) confidential() bool {
	for i := range c.info.Protocols {
		switch k := &c.info.Protocols[i]; k.Encr {
		case suite.EncrNone, suite.Null, suite.NullGMAC:
		default:
			if k.Protocol == suite.ESP {
				return true
			}
		}
	}
	return false
}

// authenticated reports whether the child proves where its packets come from: AH does, and ESP with an integrity algorithm or in a combined mode.
func (c *child) authenticated() bool {
	for i := range c.info.Protocols {
		k := &c.info.Protocols[i]
		if info, ok := k.Encr.Info(); k.Protocol == suite.AH || k.Integ != suite.IntegNone || ok && info.Combined {
			return true
		}
	}
	return false
}

// reserveSPI asks the table of inbound SAs for an SPI whose packets come to a queue, or to any (-1), and counts it.
func (e *Endpoint) reserveSPI(_ suite.Protocol, queue int) (uint32, error) {
	e.tally.getSPI++
	queues := e.opts.Queues
	if queue < 0 {
		queue, queues = 0, 1
	}
	spi, err := e.db.ReserveFor(queue, queues)
	if err != nil {
		e.tally.getSPIFailures++
	}
	return spi, err
}
