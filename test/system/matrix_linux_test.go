package system

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/test/interop/lab"
)

// A cell of the matrix is one mode, pair of families and way of protection. Each has addresses of its own, so that one pair of
// endpoints has all of them at once.
type cell struct {
	n              int // from 1
	tunnel         bool
	outer6, inner6 bool
	protection     string
}

// protections are lines of a rule, by name.
var protections = map[string]string{
	"ESP":    "",
	"UDP":    "encapsulation: udp",
	"AH":     "negotiate: {methods: [ah hmac-sha256-128]}",
	"AH+ESP": "negotiate: {methods: [ah hmac-sha256-128 + esp aes-cbc-128]}",
}

func cells() []cell {
	var list []cell
	for _, protection := range []string{"ESP", "UDP", "AH", "AH+ESP"} {
		for _, outer6 := range []bool{false, true} {
			list = append(list, cell{protection: protection, outer6: outer6, inner6: outer6})
			for _, inner6 := range []bool{false, true} {
				list = append(list, cell{protection: protection, tunnel: true, outer6: outer6, inner6: inner6})
			}
		}
	}
	for i := range list {
		list[i].n = i + 1
	}
	return list
}

func (c cell) String() string {
	family := func(six bool) string { return map[bool]string{false: "IPv4", true: "IPv6"}[six] }
	if c.tunnel {
		return "tunnel/" + family(c.inner6) + "in" + family(c.outer6) + "/" + c.protection
	}
	return "transport/" + family(c.outer6) + "/" + c.protection
}

func (c cell) outer(host int) string {
	if c.outer6 {
		return fmt.Sprintf("fd0a::%d:%x", host, c.n)
	}
	return fmt.Sprintf("10.2.%d.%d", host, c.n)
}

// inner is the address that talks.
func (c cell) inner(host int) string {
	switch {
	case !c.tunnel:
		return c.outer(host)
	case c.inner6:
		return fmt.Sprintf("fd1%d:0:0:%x::1", host, c.n)
	}
	return fmt.Sprintf("172.%d.%d.1", 16+host, c.n)
}

func (c cell) network(host int) string {
	if c.inner6 {
		return fmt.Sprintf("fd1%d:0:0:%x::/64", host, c.n)
	}
	return fmt.Sprintf("172.%d.%d.0/24", 16+host, c.n)
}

func (c cell) rule(local int) string {
	remote := 3 - local
	name := fmt.Sprintf("cell-%d", c.n)
	more := []string{quickDPD}
	if line := protections[c.protection]; line != "" {
		more = append(more, line)
	}
	if !c.tunnel {
		return rule(name, fmt.Sprintf("%q", c.outer(local)+" <-> "+c.outer(remote)), "", more...)
	}
	return rule(name, fmt.Sprintf("%q", c.network(local)+" -> "+c.network(remote)), fmt.Sprintf("local: %q, remote: %q", c.outer(local), c.outer(remote)), more...)
}

// TestEveryModeFamilyAndProtection has two endpoints with a rule for each cell talk by ping, small and larger than the path, TCP and UDP.
// What the one seals the other must open, and the wire between them must hold what the cell says and nothing else.
func TestEveryModeFamilyAndProtection(t *testing.T) {
	w := newWorld(t)
	policies := [2]string{}
	for i, h := range []*lab.Host{w.a, w.b} {
		var batch strings.Builder
		for _, c := range cells() {
			prefix := map[bool]string{false: "/16", true: "/32 nodad"}[c.outer6]
			fmt.Fprintf(&batch, "addr add dev eth0 %s%s\n", c.outer(i+1), prefix)
			if c.tunnel {
				fmt.Fprintf(&batch, "addr add dev lo %s\n", c.inner(i+1))
			}
			policies[i] += c.rule(i + 1)
		}
		h.Run("ip -batch " + w.WriteFile("addresses", batch.String()))
	}
	capture := w.a.Capture("eth0")
	gb := w.Goipsec(w.b, file(policies[1]))
	ga := w.Goipsec(w.a, file(policies[0]))
	t.Run("cells", func(t *testing.T) {
		for _, c := range cells() {
			t.Run(c.String(), func(t *testing.T) {
				t.Parallel()
				c.talk(t, w, ga)
			})
		}
	})
	frames := capture.Stop()
	w.conserved(ga, gb)
	kinds := map[netip.Addr]map[string]int{}
	for _, f := range frames {
		if kinds[f.Src] == nil {
			kinds[f.Src] = map[string]int{}
		}
		kind := f.Kind()
		if kind == "clear" && f.Protocol == 17 && f.Fragment {
			kind = "ike" // a later part of ESP in UDP: nothing else is sent by UDP in parts here
		}
		kinds[f.Src][kind]++
	}
	for _, c := range cells() {
		for host := 1; host <= 2; host++ {
			seen := kinds[netip.MustParseAddr(c.outer(host))]
			want := map[string]string{"ESP": "esp", "UDP": "ike", "AH": "ah", "AH+ESP": "ah"}[c.protection]
			for kind, n := range seen {
				if kind != want && kind != "ike" && kind != "arp" && kind != "nd" {
					t.Errorf("%v: %d frames from %s are %s", c, n, c.outer(host), kind)
				}
			}
			if seen[want] < 50 {
				t.Errorf("%v: only %d frames from %s are %s", c, seen[want], c.outer(host), want)
			}
			if c.tunnel && kinds[netip.MustParseAddr(c.inner(host))] != nil {
				t.Errorf("%v: frames from the inner address %s are on the wire", c, c.inner(host))
			}
		}
	}
	t.Log("a:", traffic(ga.Status()))
}

func (c cell) talk(t *testing.T, w *world, ga *lab.Goipsec) {
	from, to := c.inner(1), c.inner(2)
	w.pingable(w.a, from, to, ga)
	for _, size := range []string{"56", "3000"} {
		// With -w it waits for five answers; without it only for twice the time that the others took, which is nothing on a busy machine.
		text, err := w.a.Try(fmt.Sprintf("ping -n -i 0.05 -w 10 -c 5 -I %s -s %s %s", from, size, to))
		if err != nil || !strings.Contains(text, " 5 received") {
			t.Errorf("pings of %s bytes: %v\n%s\ndrops %v", size, err, text, ga.Status().Drops)
		}
	}
	port := fmt.Sprint(5200 + c.n)
	server := w.b.Start("iperf3", "iperf3", "-s", "-p", port, "-B", to, "--forceflush")
	defer server.Stop()
	server.Expect("Server listening", 10*time.Second)
	if got := iperf(t, w.a, to, "-p", port, "-B", from, "-n", "2M", "-b", "50M"); got.bytes < 1<<20 {
		t.Errorf("TCP: %+v", got)
	}
	// What a receiver that is kept from running loses is its own; what the tunnel loses shows in the comparison of the counters.
	if got := iperf(t, w.a, to, "-p", port, "-B", from, "-u", "-n", "200K", "-b", "8M", "-l", "1000"); got.packets < 200 || got.lost*2 > got.packets {
		t.Errorf("UDP: %+v", got)
	}
}

// result is what iperf3 reports.
type result struct {
	bytes, packets, lost int
	seconds              float64
}

func iperf(t *testing.T, from *lab.Host, to string, args ...string) result {
	t.Helper()
	text, err := from.Try("iperf3 -J --connect-timeout 5000 -c " + to + " " + strings.Join(args, " "))
	var report struct {
		End struct {
			Received struct {
				Bytes   int
				Seconds float64
			} `json:"sum_received"`
			Sum struct {
				Packets int
				Lost    int `json:"lost_packets"`
			}
		}
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &report)
	}
	if err != nil {
		t.Errorf("iperf3 %v: %v\n%s", args, err, text)
	}
	return result{report.End.Received.Bytes, report.End.Sum.Packets, report.End.Sum.Lost, report.End.Received.Seconds}
}
