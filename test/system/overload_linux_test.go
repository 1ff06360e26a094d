package system

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/control"
	"github.com/goipsec/goipsec/pkg/endpoint"
	"github.com/goipsec/goipsec/test/interop/lab"
)

var overloadFor = flag.Duration("overload", 3*time.Second, "how long the overload tests overload")

// overloadReasons are why packets may be lost under overload. Every other reason would mean that a packet was changed, repeated, or came later than
// the replay window reaches.
var overloadReasons = []string{
	"send-failed",    // the system had no room
	"tun-write",      // nor had the device
	"reassembly",     // another fragment of the datagram had been lost in front of the TUN
	"control-busy",   // too much IKE at once
	"no-sa",          // more came than is held while an SA is negotiated
	"outbound-limit", // the SA was used up before the next one was there
	"lifetime-over",  // the same at the receiving end
	"unknown-spi",    // an SA was deleted with packets of it under way
	"device-noise", "keepalive",
	"event-lost", // no packet: the owner of the SAs was told of them more often than it could listen
}

// wayIn are the reasons of drops that a packet meets between a socket and the TUN. All others are of the way out.
var wayIn = []string{"runt", "keepalive", "unknown-spi", "wrong-wrapping", "next-header", "dummy", "inner-malformed", "selector-mismatch", "ecn-violation",
	"control-busy", "source-routed", "sequence-zero", "replay-too-old", "replay-duplicate", "integrity-check", "lifetime-over"}

// renewAfter is the limit of the SAs in kilobytes: low enough that keys are renewed while everything is full.
const renewAfter = 50000

// TestOverloadIsLossAndNothingElse floods a tunnel in both directions at once, flat out, with single datagrams, superpackets and datagrams that have to be
// fragmented, while keys are renewed, and then lets it rest. What was lost must be counted, exactly; nothing may be changed, repeated or out of order; and
// the processes must be as they were before.
func TestOverloadIsLossAndNothingElse(t *testing.T) {
	for _, encapsulation := range []string{"udp", "auto"} {
		t.Run(encapsulation, func(t *testing.T) {
			w := newWorld(t)
			more := []string{"encapsulation: " + encapsulation, fmt.Sprintf("negotiate: {methods: [{esp: aes-gcm-16-128, lifetime: {kilobytes: %d}}]}", renewAfter)}
			ends := [2]*lab.Goipsec{}
			ends[1] = w.Goipsec(w.b, file(site(2, more...)))
			ends[0] = w.Goipsec(w.a, file(site(1, more...)))
			for _, h := range []*lab.Host{w.a, w.b} {
				// Behind losses, identifications of fragments come round again: what is old must not be joined with what is new.
				h.Run("sysctl -qw net.ipv4.ipfrag_time=1")
			}
			w.pingable(w.a, "192.168.1.1", "192.168.2.1", ends[0])

			w.overload(ends, time.Second) // whatever grows once has grown then
			before := w.atRest(ends)
			dropped := [2]kernelDrops{w.kernelDrops(0, ends), w.kernelDrops(1, ends)}
			footprints := [2]footing{w.footing(ends[0]), w.footing(ends[1])}
			flows := w.overload(ends, *overloadFor)
			after := w.atRest(ends)
			for _, f := range flows {
				t.Log(f)
				f.judge(t)
			}
			for i := range ends {
				t.Logf("%s: %s, %d SAs of %d rekeys", ends[i].Host.Name, traffic(after[i]), len(after[i].Children), after[i].Statistics.QuickMode.Rekeys)
				lawOfConservation(t, ends[i].Host.Name, after[i])
				if n := after[i].Traffic.Opened - before[i].Traffic.Opened; n == 0 {
					t.Errorf("%s opened nothing under overload", ends[i].Host.Name)
				}
				if after[i].IKE.Panics != 0 {
					t.Errorf("%s: %d faults of the key exchange", ends[i].Host.Name, after[i].IKE.Panics)
				}
			}
			a, b := &after[0].Statistics.QuickMode, &after[1].Statistics.QuickMode
			if a.Rekeys+b.Rekeys == 0 && max(a.ConfidentialBytesSent, b.ConfidentialBytesSent) > 2*renewAfter<<10 {
				t.Errorf("no keys were renewed: %+v", *a)
			}
			for i := range ends {
				w.lossOnTheWire(i, ends, before, after, dropped[i])
			}

			// Whoever has been overloaded works as before.
			w.pingable(w.a, "192.168.1.1", "192.168.2.1", ends[0])
			w.pingable(w.b, "192.168.2.1", "192.168.1.1", ends[1])
			if err := w.Transfer(w.a, "192.168.1.1", w.b, "192.168.2.1", 16<<20); err != nil {
				t.Error(err)
			}
			for i := range ends {
				w.recovered(ends[i], footprints[i])
			}
		})
	}
}

// atRest waits until nothing moves any more at either end, and returns how both stand.
func (w *world) atRest(ends [2]*lab.Goipsec) (now [2]endpoint.Status) {
	w.t.Helper()
	var last string
	still := 0
	w.Until(60*time.Second, "both ends to be at rest", func() (bool, string) {
		text := ""
		for i := range ends {
			now[i] = ends[i].Status()
			moving := now[i].Traffic
			moving.IKEDatagramsIn, moving.Keepalives = 0, 0
			text += fmt.Sprintf("%+v\n", moving)
		}
		if still++; text != last {
			still = 0
		}
		last = text
		return still == 10, text
	})
	return now
}

// lawOfConservation checks that each packet that came in went out, waits, or was dropped for one reason, and that it was a reason which overload may have.
func lawOfConservation(t *testing.T, name string, s endpoint.Status) {
	t.Helper()
	var in, out uint64
	for reason, n := range s.Drops {
		if !slices.Contains(overloadReasons, reason) {
			t.Errorf("%s: %d packets were dropped for %q: that is no loss by overload", name, n, reason)
		}
		switch {
		case slices.Contains(wayIn, reason):
			in += n
		case reason != "reassembly" && reason != "tun-write" && reason != "event-lost": // part of Fragments; below; no packet
			out += n
		}
	}
	c := s.Traffic
	if got, told := c.FromTUN+c.Whole+c.Split, c.Sealed+c.Permitted+c.Soft+c.Waiting+c.Fragments+out; got != told {
		t.Errorf("%s: %d packets went in by the TUN, or were made, and %d are accounted for: %s", name, got, told, traffic(s))
	}
	if told := c.Opened + in; c.Received != told {
		t.Errorf("%s: %d packets came by the sockets and %d are accounted for: %s", name, c.Received, told, traffic(s))
	}
	if told := c.Delivered + s.Drops["tun-write"]; c.Opened != told {
		t.Errorf("%s: %d packets were opened and %d are accounted for: %s", name, c.Opened, told, traffic(s))
	}
	if waiting := c.Fragments - c.Joined - s.Drops["reassembly"]; waiting > c.Fragments {
		t.Errorf("%s: more fragments were joined or dropped than came: %s", name, traffic(s))
	}
	if c.Permitted+c.Soft != 0 {
		t.Errorf("%s: packets left in clear: %s", name, traffic(s))
	}
}

// kernelDrops is what the kernel says that it lost between two ends: a superpacket counts as one.
type kernelDrops struct{ sockets, cable uint64 }

// kernelDrops looks at what was lost on the way from ends[i] to the other.
func (w *world) kernelDrops(i int, ends [2]*lab.Goipsec) kernelDrops {
	sockets := lostBySockets(ends[1-i].Host)
	if s := ends[1-i].Status().Direct; s != nil {
		sockets += s.Lost
	}
	return kernelDrops{sockets, lostByCable(ends[i].Host)}
}

// lossOnTheWire checks that what ends[i] has sealed the other has received, but for what the kernel says that it has lost between them.
func (w *world) lossOnTheWire(i int, ends [2]*lab.Goipsec, before, after [2]endpoint.Status, dropped kernelDrops) {
	w.t.Helper()
	received := func(s *endpoint.Status) uint64 {
		return s.Traffic.Received - s.Drops["keepalive"] - s.Drops["control-busy"]
	}
	sealed, arrived := after[i].Traffic.Sealed-before[i].Traffic.Sealed, received(&after[1-i])-received(&before[1-i])
	now := w.kernelDrops(i, ends)
	sockets, cable := now.sockets-dropped.sockets, now.cable-dropped.cable
	way := ends[i].Host.Name + " to " + ends[1-i].Host.Name
	w.t.Logf("%s: %d sealed, %d arrived, %d lost; the kernel dropped %d times at sockets, %d times on the cable", way, sealed, arrived, int64(sealed-arrived), sockets, cable)
	if lost, least := int64(sealed-arrived), int64(sockets+cable); lost < least || lost > 64*least {
		w.t.Errorf("%s: %d packets were lost, and the kernel dropped %d times", way, lost, least)
	}
}

// lostBySockets counts the drops of the sockets that goipsec reads on a host, because their queues were full.
func lostBySockets(h *lab.Host) (n uint64) {
	for line := range strings.Lines(h.Run("cat /proc/net/udp /proc/net/raw")) {
		f := strings.Fields(line)
		if len(f) < 13 || !strings.Contains(f[1], ":") {
			continue
		}
		_, port, _ := strings.Cut(f[1], ":")
		if slices.Contains([]string{"01F4", "1194", "0032", "0033"}, port) { // UDP 500 and 4500, protocols 50 and 51
			n += number(f[len(f)-1])
		}
	}
	return n
}

// lostByCable counts what a host's end of the cable could not hand over.
func lostByCable(h *lab.Host) uint64 {
	return number(strings.TrimSpace(h.Run("cat /sys/class/net/eth0/statistics/tx_dropped")))
}

func number(text string) (n uint64) {
	fmt.Sscan(text, &n)
	return n
}

// footing is what a process takes of the host.
type footing struct {
	endpoint.Process
	resident uint64 // bytes
}

func (f footing) String() string {
	return fmt.Sprintf("%.1f MiB of heap, %.1f MiB resident, %d goroutines, %d collections", float64(f.HeapBytes)/(1<<20), float64(f.resident)/(1<<20), f.Goroutines, f.Collections)
}

// footing waits for a collection of garbage, which the questions themselves bring about in the end, so that only what is in use counts.
func (w *world) footing(g *lab.Goipsec) (f footing) {
	w.t.Helper()
	first, client := g.Status().Process.Collections, control.NewClient(g.Socket)
	w.Until(60*time.Second, "a collection of garbage", func() (bool, string) {
		for f.Collections <= first {
			s, err := client.Status(w.t.Context())
			if err != nil {
				return false, err.Error()
			}
			f.Process = s.Process
		}
		return true, ""
	})
	for line := range strings.Lines(w.ReadFile(fmt.Sprintf("/proc/%d/status", g.PID()))) {
		if kilobytes, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			f.resident = number(strings.TrimSpace(kilobytes)) << 10
		}
	}
	return f
}

// roomToGrow is how much more heap a process may use after an overload than before it. An overload of seconds brings hundreds of thousands of packets: had
// it kept but a pointer and a length of each, that would be more.
const roomToGrow = 4 << 20

// recovered checks that a process is no larger than it was. Of what it has got from the system it may keep twice the heap, because as much garbage
// may wait to be collected as is in use.
func (w *world) recovered(g *lab.Goipsec, before footing) {
	w.t.Helper()
	now := w.footing(g)
	w.t.Logf("%s: before %v; after %v", g.Host.Name, before, now)
	if now.HeapBytes > before.HeapBytes+roomToGrow || now.resident > before.resident+before.HeapBytes+roomToGrow || now.resident == 0 {
		w.t.Errorf("%s has grown: before %v; after %v", g.Host.Name, before, now)
	}
	w.Until(30*time.Second, g.Host.Name+" to have no more goroutines than before", func() (bool, string) {
		p := g.Status().Process
		return p.Goroutines <= before.Goroutines, fmt.Sprintf("%+v", p)
	})
}
