package lab

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// A Host is a network namespace: a machine with a network stack of its own.
type Host struct {
	lab  *Lab
	Name string // as the test calls it
	NS   string // the namespace's name, for ip netns
}

// A Shell runs commands on some machine: a Host, or a Kernel.
type Shell interface {
	// Try runs a shell command line and returns what it printed.
	Try(line string) (string, error)
	// Run is Try that fails the test on an error.
	Run(line string) string
}

// Host makes a host with its loopback up.
func (l *Lab) Host(name string) *Host {
	l.t.Helper()
	h := &Host{lab: l, Name: name, NS: l.unique("n")}
	l.command("ip", "netns", "add", h.NS)
	l.t.Cleanup(func() { l.command("ip", "netns", "del", h.NS) })
	h.Run("ip link set lo up")
	return h
}

// In is the same host for the lab of a subtest: what is started through it ends with the subtest, and fails it.
func (h *Host) In(l *Lab) *Host { return &Host{lab: l, Name: h.Name, NS: h.NS} }

// Link joins two hosts by a cable and gives each end its addresses, as "eth0=10.0.0.1/24,fd00::1/64" (device, then prefixes).
// IPv6 addresses are usable at once.
func (l *Lab) Link(a *Host, endA string, b *Host, endB string) {
	l.t.Helper()
	nameA, nameB := l.unique("v"), l.unique("v")
	l.command("ip", "link", "add", nameA, "type", "veth", "peer", "name", nameB)
	a.adopt(nameA, endA)
	b.adopt(nameB, endB)
}

// Pair makes two hosts with a cable between them: a has 10.1.0.1/24 and fd01::1/64 on eth0, b has .2 and ::2.
func (l *Lab) Pair() (a, b *Host) {
	l.t.Helper()
	a, b = l.Host("a"), l.Host("b")
	l.Link(a, "eth0=10.1.0.1/24,fd01::1/64", b, "eth0=10.1.0.2/24,fd01::2/64")
	return a, b
}

func (h *Host) adopt(link, end string) {
	h.lab.t.Helper()
	dev, addresses, _ := strings.Cut(end, "=")
	h.lab.command("ip", "link", "set", link, "netns", h.NS)
	h.Run(fmt.Sprintf("ip link set %s name %s; ip link set %s up", link, dev, dev))
	for address := range strings.SplitSeq(addresses, ",") {
		if address != "" {
			h.Address(dev, address)
		}
	}
}

// Address adds an address with its prefix length to a device.
func (h *Host) Address(dev, prefix string) {
	h.lab.t.Helper()
	nodad := ""
	if strings.Contains(prefix, ":") {
		nodad = " nodad"
	}
	h.Run(fmt.Sprintf("ip addr add %s dev %s%s", prefix, dev, nodad))
}

// Forward makes the host a router of both families.
func (h *Host) Forward() {
	h.lab.t.Helper()
	h.Run("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
}

// Try runs a line with sh in the host and returns what it printed, both streams.
func (h *Host) Try(line string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	text, err := h.command(ctx, "sh", "-c", line).CombinedOutput()
	if ctx.Err() != nil {
		err = fmt.Errorf("not done after %v", commandLimit)
	}
	return string(text), err
}

// Run is Try that fails the test on an error.
func (h *Host) Run(line string) string {
	h.lab.t.Helper()
	text, err := h.Try(line)
	if err != nil {
		h.lab.t.Fatalf("%s: %s: %v\n%s", h.Name, line, err, text)
	}
	return text
}

// Args returns the command that runs args in the host.
func (h *Host) Args(args ...string) []string {
	return append([]string{"ip", "netns", "exec", h.NS}, args...)
}

func (h *Host) command(ctx context.Context, args ...string) *exec.Cmd {
	args = h.Args(args...)
	return exec.CommandContext(ctx, args[0], args[1:]...)
}

// Patient are options of Ping for those who want every one of up to eight requests answered: these are sent at once, and ping gives the answers ten seconds. Without them
// it waits for the last ones only twice as long as the others took, or 50 ms, which is nothing on a busy machine.
var Patient = []string{"-l", "8", "-i", "10", "-W", "10"}

// Ping sends count echo requests, 50 ms apart, and returns how many were answered.
func (h *Host) Ping(destination string, count int, options ...string) int {
	h.lab.t.Helper()
	return ping(h, destination, count, options)
}

func ping(s Shell, destination string, count int, options []string) int {
	text, _ := s.Try(fmt.Sprintf("ping -n -i 0.05 -W 1 -c %d %s %s", count, strings.Join(options, " "), destination))
	return answered(text)
}

// answered reads "5 packets transmitted, 4 received" of ping's summary.
func answered(text string) int {
	for line := range strings.Lines(text) {
		var sent, received int
		if _, err := fmt.Sscanf(line, "%d packets transmitted, %d received", &sent, &received); err == nil {
			return received
		}
	}
	return 0
}
