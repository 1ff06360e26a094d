package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/goipsec/goipsec/bench/flood"
)

// udpPort is the first port of the generator and the sink.
const udpPort = 5300

// udp measures each of udpCases.
func (t *trial) udp(ctx context.Context, s *sample) error {
	for _, c := range udpCases {
		x, err := t.flood(ctx, c, time.Duration(t.o.Seconds)*time.Second)
		if err != nil {
			return fmt.Errorf("%d bytes, %s: %w", c.size, flowsText(c.flows), err)
		}
		s.udp = append(s.udp, x)
	}
	return nil
}

// flood runs the generator in host a and the sink in host b.
func (t *trial) flood(ctx context.Context, c udpCase, length time.Duration) (x datagrams, err error) {
	o := flood.Options{Port: udpPort, Flows: c.flows, Size: c.size, Run: rand.Uint32(), Window: max(t.o.Window, 0), Warm: time.Second / 2, Length: length}
	o.From, o.To = t.tunnel.ends()
	options, err := json.Marshal(o)
	if err != nil {
		return x, err
	}
	args := func(what string) []string { return []string{t.tools, "bench", "flood", what, string(options)} }
	limit, cancel := context.WithTimeout(ctx, length+30*time.Second)
	defer cancel()
	used, err := t.watch(ctx, func() (uint64, error) {
		sink, err := t.lab.b.start("the sink", args("sink"))
		if err != nil {
			return 0, err
		}
		if err := sink.expect(limit, "ready", 10*time.Second); err != nil {
			return 0, err
		}
		text, err := t.lab.a.output(limit, "the generator", args("send")...)
		if err != nil {
			sink.stop()
			return 0, errors.Join(err, ctx.Err())
		}
		if err := json.Unmarshal(text, &x.sent); err != nil {
			return 0, fmt.Errorf("the generator's report cannot be read: %w", err)
		}
		select {
		case <-sink.ended:
		case <-limit.Done():
			return 0, limit.Err()
		}
		if err := json.Unmarshal([]byte(strings.TrimPrefix(sink.log.String(), "ready")), &x.counts); err != nil {
			return 0, fmt.Errorf("the sink printed no report: %w; it printed:\n%s", err, sink.log)
		}
		return x.counts.Received * uint64(c.size), nil
	})
	if err != nil {
		return x, err
	}
	if x.counts.InTime == 0 || x.sent.Packets < x.counts.Received {
		return x, fmt.Errorf("%d datagrams were sent and %d arrived", x.sent.Packets, x.counts.InTime)
	}
	x.packets = used.packets
	x.cpu = float64(used.cpu.Nanoseconds()) / 1000 / float64(used.packets)
	return x, nil
}
