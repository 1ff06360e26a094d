package interop

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/endpoint"
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

// TestKernelMatrix runs one goipsec with a rule of manual keys for every transform, and has goipsec's host and the kernel ask each
// other for echoes through each. What both ends count must be what was sent: no packet may be lost, refused or opened twice.
func TestKernelMatrix(t *testing.T) {
	for _, s := range shapes() {
		t.Run(s.name, func(t *testing.T) {
			l := lab.New(t)
			m := &matrix{shape: s, cells: cells(s)}
			m.k, m.a = furnish(l, s, fromZero)
			if s.tunnel {
				var inner strings.Builder
				for _, c := range m.cells {
					fmt.Fprintf(&inner, "addr add dev lo %s\n", c.ourInner())
				}
				m.a.Run("ip -batch " + l.WriteFile("inner", inner.String()))
			}
			m.g = l.Goipsec(m.a, manualPolicy(m.cells))
			capture := m.a.Capture("eth0")
			errorsBefore := m.k.XfrmErrors()
			m.converse(t)
			m.settle(l)
			for _, c := range m.cells {
				t.Run(c.String(), func(t *testing.T) { m.judge(t, c) })
			}
			if now := m.k.XfrmErrors(); !maps.Equal(now, errorsBefore) {
				t.Errorf("the kernel refused packets: %v, before the first one %v", now, errorsBefore)
			}
			m.noDrops(t)
			l.NoClear(capture.Stop())
		})
	}
}

// matrix is one shape under test.
type matrix struct {
	shape
	cells []cell
	k     *lab.Kernel
	a     *lab.Host
	g     *lab.Goipsec
	// sent is how many echo requests each cell has carried, from goipsec's host and from the kernel: so many packets, and as many
	// answers, must each end have sealed and opened.
	sent     map[int]uint64
	answered map[int]bool
	kernel   map[string]lab.XfrmState
	own      map[string]endpoint.Child
}

// converse asks for echoes in every cell from both sides.
func (m *matrix) converse(t *testing.T) {
	m.sent, m.answered = make(map[int]uint64), make(map[int]bool)
	var to []string
	silent := 0
	for _, c := range m.cells {
		n, err := m.a.TryEcho(c.ourInner(), c.itsInner(), 3)
		if m.sent[c.n], m.answered[c.n] = n, err == nil; err != nil {
			t.Errorf("%v: %v", c, err)
			if silent++; silent == 3 {
				t.Fatal("three of three transforms are enough to see that it does not work")
			}
		}
		to = append(to, c.ourInner())
	}
	sent, err := m.k.Echo(to)
	if err != nil {
		t.Error(err)
	}
	for _, c := range m.cells {
		m.sent[c.n] += sent[c.ourInner()]
	}
}

// settle waits until late packets have been counted: both ends count what was sent, or the time is over and judge tells.
func (m *matrix) settle(l *lab.Lab) {
	l.Await(10*time.Second, func() bool {
		m.kernel, m.own = make(map[string]lab.XfrmState), make(map[string]endpoint.Child)
		for _, state := range m.k.States() {
			m.kernel[state.SPI] = state
		}
		for _, child := range m.g.Status().Children {
			m.own[child.Rule] = child
		}
		for _, c := range m.cells {
			if m.differences(c) != "" {
				return false
			}
		}
		return true
	})
}

// differences compares what both ends counted in a cell with what was sent.
func (m *matrix) differences(c cell) string {
	var b strings.Builder
	want := m.sent[c.n]
	check := func(what string, got, want uint64) {
		if got != want {
			fmt.Fprintf(&b, "%s: %d, want %d\n", what, got, want)
		}
	}
	own := m.own[fmt.Sprintf("cell-%d", c.n)]
	check("packets that goipsec sealed", own.PacketsOut, want)
	check("packets that goipsec opened", own.PacketsIn, want)
	for _, proto := range c.protocols() {
		for _, direction := range []string{fromUs, toUs} {
			state := m.kernel[fmt.Sprintf("0x%08x", c.spi(proto, direction))]
			what := fmt.Sprintf("kernel's SA of protocol %d %s: ", proto, direction)
			check(what+"packets", state.Packets, want)
			check(what+"failed the window", state.ReplayFailed, 0)
			check(what+"failed integrity", state.IntegrityFailed, 0)
		}
	}
	return b.String()
}

func (c cell) protocols() (list []suite.Protocol) {
	if c.encr != suite.EncrNone {
		list = append(list, suite.ESP)
	}
	if c.ah != suite.IntegNone {
		list = append(list, suite.AH)
	}
	return list
}

// judge gives a cell its row.
func (m *matrix) judge(t *testing.T, c cell) {
	row := record.Begin(t, record.Row{Peer: "Linux kernel", Version: m.k.Release, Exchange: "manual keys", Suite: c.String(), Mode: c.mode, Family: c.family})
	spi := c.protocols()[0]
	row.Counted(m.kernel[fmt.Sprintf("0x%08x", c.spi(spi, fromUs))].Packets, m.kernel[fmt.Sprintf("0x%08x", c.spi(spi, toUs))].Packets)
	if !m.answered[c.n] {
		t.Error("no answer")
	}
	if text := m.differences(c); text != "" {
		t.Errorf("%d packets were sent each way:\n%s", m.sent[c.n], text)
	}
}

// noDrops wants every drop counter of goipsec at zero, but for what hosts say of their own on a new device.
func (m *matrix) noDrops(t *testing.T) {
	s := m.g.Status()
	for reason, n := range s.Drops {
		if n != 0 && reason != "device-noise" {
			t.Errorf("goipsec dropped %d packets: %s", n, reason)
		}
	}
	if s.Traffic.Opened != s.Traffic.Received || s.Traffic.Delivered != s.Traffic.Opened || s.Traffic.Sent != s.Traffic.Sealed {
		t.Errorf("goipsec's counters do not add up: %+v", s.Traffic)
	}
}
