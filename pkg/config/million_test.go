package config

import (
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/policy"
)

// manyFilters makes a policy of n filters in one of its two forms.
func manyFilters(n int, form string) []byte {
	var b strings.Builder
	b.WriteString("rules:\n  - action: permit\n    filters:\n")
	for i := range n {
		fmt.Fprintf(&b, form, byte(i>>16), byte(i>>8), byte(i))
	}
	return []byte(b.String())
}

const (
	lineForm = "    - me <-> 10.%d.%d.%d\n"
	keysForm = "    - {from: me, to: 10.%d.%d.%d, protocol: tcp, to_port: 25}\n"
)

// TestManyFilters loads and expands a large policy and bounds what it allocates for each filter, so that a million of them
// stays in bounds. With GOIPSEC_MILLION=1 there are a million; the figures are in the log.
func TestManyFilters(t *testing.T) {
	n := 20_000
	if os.Getenv("GOIPSEC_MILLION") != "" {
		n = 1_000_000
	}
	for name, form := range map[string]string{"lines": lineForm, "keys": keysForm} {
		data := manyFilters(n, form)
		var before, read, expanded runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		f, err := Parse("p.yaml", data, Options{})
		if err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&read)
		c, err := policy.Compile(f.Assigned, []netip.Addr{netip.MustParseAddr("192.0.2.1")})
		if err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&expanded)
		if len(c.Outbound) != n || len(c.Inbound) != n {
			t.Fatalf("%s: %d and %d filters", name, len(c.Outbound), len(c.Inbound))
		}
		parse, compile := (read.TotalAlloc-before.TotalAlloc)/uint64(n), (expanded.TotalAlloc-read.TotalAlloc)/uint64(n)
		t.Logf("%s: %d filters, %d bytes allocated a filter to read and check, %d to expand, %d MiB of heap from the system", name, n, parse, compile, expanded.HeapSys>>20)
		if parse > 8000 || compile > 2000 {
			t.Errorf("%s: too much for each filter", name)
		}
		runtime.KeepAlive(c)
	}
}

// A file of nothing but errors is refused as fast, with a bounded list.
func TestManyErrors(t *testing.T) {
	_, err := Parse("p.yaml", manyFilters(20_000, "    - mee <-> 10.%d.%d.%d\n"), Options{})
	if err == nil || !strings.HasSuffix(err.Error(), "101 errors") || !strings.Contains(err.Error(), "and 19900 more errors") {
		t.Error(err)
	}
	// One line with thousands of errors and of keys that look like those of secrets: every error shows the line, none reads all of it.
	for _, text := range []string{"{psk: x, ", "{pskk_x: ____________, "} {
		data := "rules: [" + strings.TrimSuffix(strings.Repeat(text[:len(text)-2]+"}, ", 20_000), ", ") + "]"
		if _, err := Parse("p.yaml", []byte(data), Options{}); err == nil || !strings.HasSuffix(err.Error(), "101 errors") {
			t.Error(err)
		}
	}
	if _, err := Parse("p.yaml", make([]byte, MaxFileSize+1), Options{}); err == nil || !strings.Contains(err.Error(), "a policy file has 268435456 at most") {
		t.Error(err)
	}
}
