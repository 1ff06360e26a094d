package diagnose

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/endpoint"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/testpki"
)

func TestTheClockMustBeOfThisCentury(t *testing.T) {
	for year, want := range map[int]State{1970: Problem, 2024: Problem, 2025: OK, 2026: OK, 2100: OK, 2101: Problem} {
		o := DoctorOptions{Now: time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC)}
		if f := o.clock(); f.State != want || (want == Problem) != (f.Next != "") {
			t.Errorf("%d: %+v", year, f)
		}
	}
}

// TestTheClockIsComparedWithCertificates of this host and of the authorities it accepts.
func TestTheClockIsComparedWithCertificates(t *testing.T) {
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	for _, c := range []struct {
		name     string
		from, to time.Duration // of the authority's certificate, from now
		want     State
		says     string
	}{
		{"valid", -day, 300 * day, OK, "until 2027-03-28"},
		{"not yet", day, 300 * day, Problem, "is valid from 2026-06-02"},
		{"over", -9 * day, -day, Problem, "was valid until 2026-05-31"},
		{"soon over", -9 * day, 7 * day, Warning, "only until 2026-06-08"},
	} {
		ca := testpki.Root(t, "authority", testpki.Valid(now.Add(c.from), now.Add(c.to)))
		compiled := hostRule(t)
		compiled.Policy.Rules[0].Auth = []policy.AuthMethod{{Kind: policy.Certificate, Cert: &policy.CertAuth{CAs: ca.Path()}}}
		o := DoctorOptions{Now: now, Policy: compiled}
		if f := o.clock(); f.State != c.want || !strings.Contains(f.What, c.says) {
			t.Errorf("%s: %+v", c.name, f)
		}
	}
}

func TestThePolicyIsJudgedByItsErrorsAndWarnings(t *testing.T) {
	good := hostRule(t)
	for _, c := range []struct {
		o    DoctorOptions
		want State
		says string
	}{
		{DoctorOptions{}, Skipped, "no policy file"},
		{DoctorOptions{PolicyErr: errors.New("p.yaml:3:1: bad")}, Problem, "p.yaml:3:1"},
		{DoctorOptions{Policy: good, PolicyPath: "p.yaml"}, OK, `policy "p" is good`},
		{DoctorOptions{Policy: good, PolicyPath: "p.yaml", Warnings: []string{"weak"}}, Warning, "1 warning"},
	} {
		if f := c.o.policyFinding(); f.State != c.want || !strings.Contains(f.What, c.says) {
			t.Errorf("%+v, want %s that says %q", f, c.want, c.says)
		}
	}
}

// TestAPortIsAProblemOnlyWhereItIsWanted: on other addresses than those of the instance others may listen.
func TestAPortIsAProblemOnlyWhereItIsWanted(t *testing.T) {
	other := holder{at: netip.MustParseAddr("192.0.2.7"), pid: 77, name: "charon"}
	held := func(uint16) []holder { return []holder{other} }
	base := DoctorOptions{Port: 500, NATPort: 4500}
	mine, theirs := base, base
	mine.Listen = []netip.Addr{netip.MustParseAddr("192.0.2.7")}
	theirs.Listen = []netip.Addr{netip.MustParseAddr("192.0.2.8")}
	running := base
	running.Status = &endpoint.Status{PID: 77}
	for name, c := range map[string]struct {
		o    DoctorOptions
		want State
		says string
	}{
		"every address":   {base, Problem, "charon (process 77)"},
		"that address":    {mine, Problem, "charon (process 77)"},
		"another address": {theirs, OK, "can be had"},
		"its own process": {running, OK, "the instance holds UDP 500 and 4500 (process 77)"},
	} {
		if f := c.o.portsFinding(held); f.State != c.want || !strings.Contains(f.What, c.says) {
			t.Errorf("%s: %+v, want %s that says %q", name, f, c.want, c.says)
		}
	}
	if f := base.portsFinding(func(uint16) []holder { return []holder{{at: other.at}} }); !strings.Contains(f.What, "cannot be named") {
		t.Errorf("%+v", f)
	}
}

// TestACheckupChangesNothingAndCounts on the host that runs the tests: what it finds depends on that host.
func TestACheckupChangesNothingAndCounts(t *testing.T) {
	c := Doctor(DoctorOptions{Instance: "test-of-doctor", Now: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC), Policy: hostRule(t), PolicyPath: "p.yaml"})
	seen := map[string]bool{}
	problems := 0
	for _, f := range c.Findings {
		if seen[f.Name] || f.What == "" {
			t.Errorf("%+v", f)
		}
		seen[f.Name] = true
		if f.State == Problem {
			problems++
		}
	}
	if c.Problems != problems || problems == 0 || c.ExitCode() != ProblemExitCode || len(seen) != 16 {
		t.Errorf("%d problems of %d findings, counted as %d, exit code %d", problems, len(seen), c.Problems, c.ExitCode())
	}
	var b strings.Builder
	if err := c.WriteText(&b); err != nil || !strings.Contains(b.String(), "problem  clock") {
		t.Errorf("%v\n%s", err, &b)
	}
}
