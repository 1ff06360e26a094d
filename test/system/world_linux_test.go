package system

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/control"
	"github.com/goipsec/goipsec/pkg/endpoint"
	"github.com/goipsec/goipsec/test/interop/lab"
)

const psk = "throw-away key of the tests 7Q2x"

// A world is two hosts on one cable, each a gateway of a network: a is 10.1.0.1 and fd01::1 and has 192.168.1.1 and fd02::1 on its
// device "in", b is 10.1.0.2 and fd01::2 with 192.168.2.1 and fd03::1.
type world struct {
	*lab.Lab
	t    *testing.T
	a, b *lab.Host
	// inside are hosts in the networks of a and b: 192.168.1.9 and fd02::9, 192.168.2.9 and fd03::9.
	inside []*lab.Host
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Lab: lab.New(t), t: t}
	w.a, w.b = w.quiet("a"), w.quiet("b")
	w.Link(w.a, "eth0=10.1.0.1/24,fd01::1/64", w.b, "eth0=10.1.0.2/24,fd01::2/64")
	for n, h := range []*lab.Host{w.a, w.b} {
		inside := w.quiet("inside")
		w.Link(h, fmt.Sprintf("in=192.168.%d.1/24,fd0%d::1/64", n+1, n+2), inside, fmt.Sprintf("eth0=192.168.%d.9/24,fd0%d::9/64", n+1, n+2))
		inside.Run(fmt.Sprintf("ip route add default via 192.168.%d.1; ip -6 route add default via fd0%d::1", n+1, n+2))
		w.inside = append(w.inside, inside)
		h.Forward()
	}
	return w
}

// quiet makes a host whose link-local addresses are there at once, so that nothing of its own changes while it is watched.
func (w *world) quiet(name string) *lab.Host {
	h := w.Host(name)
	h.Run("sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0")
	return h
}

// rule is one rule of a policy file that negotiates; more are further lines of it.
func rule(name, filter, tunnel string, more ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  - name: %s\n    filters: [%s]\n", name, filter)
	if tunnel != "" {
		fmt.Fprintf(&b, "    tunnel: {%s}\n", tunnel)
	}
	joined := strings.Join(more, "\n")
	if !strings.Contains(joined, "negotiate:") {
		b.WriteString("    negotiate: {}\n")
	}
	fmt.Fprintf(&b, "    auth: [{psk: %q}]\n", psk)
	for line := range strings.Lines(joined) {
		b.WriteString("    " + strings.TrimRight(line, "\n") + "\n")
	}
	return b.String()
}

func file(rules ...string) string { return "policy: test\nrules:\n" + strings.Join(rules, "") }

// site is the tunnel between the two networks, seen from host 1 (a) or 2 (b).
func site(local int, more ...string) string {
	remote := 3 - local
	return rule("site", fmt.Sprintf("192.168.%d.0/24 -> 192.168.%d.0/24", local, remote), fmt.Sprintf("local: 10.1.0.%d, remote: 10.1.0.%d", local, remote), more...)
}

// site6 is the same for IPv6.
func site6(local int, more ...string) string {
	remote := 3 - local
	return rule("site6", fmt.Sprintf(`{from: "fd0%d::/64", to: "fd0%d::/64"}`, local+1, remote+1), fmt.Sprintf(`local: "fd01::%d", remote: "fd01::%d"`, local, remote), more...)
}

// quickDPD notices a dead peer within seconds.
const quickDPD = "dpd: {interval: 1s, timeout: 3s}"

// pingable waits until from has an answer from to, and tells what goipsec says if it has none.
func (w *world) pingable(from *lab.Host, source, to string, g *lab.Goipsec) {
	w.t.Helper()
	w.Until(20*time.Second, fmt.Sprintf("an answer of %s to %s", to, source), func() (bool, string) {
		if from.Ping(to, 1, "-I", source) == 1 {
			return true, ""
		}
		s := g.Status()
		return false, fmt.Sprintf("traffic %+v\ndrops %v\nfailures %+v", s.Traffic, s.Drops, s.Failures)
	})
}

// footprint is everything of a goipsec on its host that can be seen from outside.
func footprint(h *lab.Host, socket string) string {
	var b strings.Builder
	b.WriteString(h.Leftovers())
	paths, _ := filepath.Glob(filepath.Dir(socket) + "/*")
	state, _ := filepath.Glob("/run/goipsec/" + control.Instance(socket) + "*")
	for _, p := range append(paths, state...) {
		fmt.Fprintln(&b, "file", p)
	}
	b.WriteString(h.Run("ss -Hlnuwa; ss -Hlnxa src 'unix:" + socket + "'"))
	return b.String()
}

// difference shows the lines that only one of two texts has.
func difference(before, after string) string {
	count := map[string]int{}
	for line := range strings.Lines(before) {
		count[line]--
	}
	for line := range strings.Lines(after) {
		count[line]++
	}
	var b strings.Builder
	for text, sign := range map[string]int{before: -1, after: 1} {
		for line := range strings.Lines(text) {
			if count[line]*sign > 0 {
				fmt.Fprintf(&b, "%s %s", map[int]string{-1: "gone:", 1: "new: "}[sign], line)
				count[line] -= sign
			}
		}
	}
	return b.String()
}

// drops sums the drops of a status but for those named, which a test expects, and for what the system itself says on the device.
func drops(s endpoint.Status, expected ...string) uint64 {
	var sum uint64
	for reason, n := range s.Drops {
		if reason != "device-noise" && !slices.Contains(expected, reason) {
			sum += n
		}
	}
	return sum
}

// contains says whether a text has any of the parts.
func contains(text string, parts ...string) bool {
	return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(text, p) })
}
