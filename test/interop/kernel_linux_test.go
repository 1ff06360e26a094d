package interop

import (
	"fmt"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/suite"
	"github.com/goipsec/goipsec/test/interop/lab"
	"github.com/goipsec/goipsec/test/interop/record"
)

// rule is the cell's manual keys as a rule of goipsec's policy file: in is what comes to us.
func (c cell) rule() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, "      "+format+"\n", args...) }
	fmt.Fprintf(&b, "  - name: cell-%d\n    filters: [\"%s <-> %s\"]\n", c.n, c.ourInner(), c.itsInner())
	if c.tunnel {
		b.Reset()
		fmt.Fprintf(&b, "  - name: cell-%d\n    filters: [{from: %q, to: %q}]\n    tunnel: {local: %q, remote: %q}\n", c.n, c.ourInner(), c.itsInner(), c.ourOuter(), c.itsOuter())
	}
	if c.counter() {
		fmt.Fprintf(&b, "    test_only: true\n")
	}
	fmt.Fprintf(&b, "    manual:\n")
	esn := ""
	if c.esn {
		esn = " esn"
	}
	line("method: %s%s", c.transform, esn)
	first := suite.ESP
	if c.encr == suite.EncrNone {
		first = suite.AH
	}
	line("spi_in: 0x%x", c.spi(first, toUs))
	line("spi_out: 0x%x", c.spi(first, fromUs))
	if c.encr != suite.EncrNone && c.ah != suite.IntegNone {
		line("ah_spi_in: 0x%x", c.spi(suite.AH, toUs))
		line("ah_spi_out: 0x%x", c.spi(suite.AH, fromUs))
	}
	for _, key := range []struct {
		name string
		of   func(string) []byte
	}{{"encryption_key", c.encrKey}, {"integrity_key", c.integKey}, {"ah_key", c.ahKey}} {
		if len(key.of(toUs)) > 0 {
			line("%s_in: \"0x%x\"", key.name, key.of(toUs))
			line("%s_out: \"0x%x\"", key.name, key.of(fromUs))
		}
	}
	return b.String()
}

func manualPolicy(list []cell) string {
	var b strings.Builder
	b.WriteString("policy: matrix\nrules:\n")
	for _, c := range list {
		b.WriteString(c.rule())
	}
	return b.String()
}

// TestKernelMatrix runs one goipsec with a rule of manual keys for every transform, and pings the kernel through each, in both
// directions.
func TestKernelMatrix(t *testing.T) {
	for _, s := range shapes() {
		t.Run(s.name, func(t *testing.T) {
			l := lab.New(t)
			k, a := furnish(l, s, fromZero)
			if s.tunnel {
				var inner strings.Builder
				for _, c := range cells(s) {
					fmt.Fprintf(&inner, "addr add dev lo %s\n", c.ourInner())
				}
				a.Run("ip -batch " + l.WriteFile("inner", inner.String()))
			}
			g := l.Goipsec(a, manualPolicy(cells(s)))
			capture := a.Capture("eth0")
			rows := make(map[int]*record.Row)
			for _, c := range cells(s) {
				if t.Failed() {
					break // each ping that is lost costs a second
				}
				t.Run(c.String(), func(t *testing.T) {
					rows[c.n] = record.Begin(t, record.Row{Peer: "Linux kernel", Version: k.Release, Exchange: "manual keys", Suite: c.String(), Mode: c.mode, Family: c.family})
					if n := a.Ping(c.itsInner(), 3, "-i", "0.02", "-W", "5", "-I", c.ourInner()); n != 3 {
						status := g.Status()
						t.Errorf("%d of 3 pings to the kernel answered; traffic %+v, drops %v", n, status.Traffic, status.Drops)
					}
					if n := k.Ping(c.ourInner(), 2, "-i", "0.02"); n != 2 {
						t.Errorf("%d of 2 pings from the kernel answered", n)
					}
				})
			}
			l.NoClear(capture.Stop())
			counted := make(map[string]uint64)
			for _, state := range k.States() {
				counted[state.SPI] += state.Packets
			}
			for _, c := range cells(s) {
				proto := suite.ESP
				if c.encr == suite.EncrNone {
					proto = suite.AH
				}
				row, in, out := rows[c.n], counted[fmt.Sprintf("0x%08x", c.spi(proto, fromUs))], counted[fmt.Sprintf("0x%08x", c.spi(proto, toUs))]
				if row == nil {
					continue // not tried after a failure
				}
				if row.Counted(in, out); in != 5 || out != 5 {
					row.Result = "FAILS"
					t.Errorf("%v: the kernel counts %d packets in and %d out, want 5 and 5", c, in, out)
				}
			}
		})
	}
}
