package lab

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/goipsec/goipsec/pkg/endpoint"
)

// A Goipsec is one goipsec up in a host, run as a user would: the built program, a policy file, a control socket.
type Goipsec struct {
	*Process
	Host   *Host
	Policy string // the policy file's path
	Socket string
	Keylog string   // the directory of --keylog
	Under  []string // a command that runs goipsec up, which is given as its further arguments; none: it is run as it is
}

// binaryDir is removed when the tests are done.
var binaryDir string

var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "goipsec-bin-")
	if err != nil {
		return "", err
	}
	binaryDir = dir
	path := filepath.Join(dir, "goipsec")
	args := []string{"build", "-o", path}
	if os.Getenv("GOIPSEC_LAB_RACE") != "" {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, "github.com/goipsec/goipsec/cmd/goipsec")...)
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building goipsec: %w\n%s", err, text)
	}
	return path, nil
})

// Binary builds the goipsec program, once for all tests, and returns its path. With GOIPSEC_LAB_RACE set in the environment it
// has the race detector.
func (l *Lab) Binary() string {
	l.t.Helper()
	path, err := built()
	if err != nil {
		l.t.Fatal(err)
	}
	return path
}

// Goipsec starts goipsec up in a host with a policy and waits until it says that it is up. Flags are further ones of up.
func (l *Lab) Goipsec(h *Host, policy string, flags ...string) *Goipsec {
	l.t.Helper()
	g := l.Launch(h, policy, flags...)
	g.ready()
	return g
}

// Launch is Goipsec that does not wait: for starts that are expected to fail.
func (l *Lab) Launch(h *Host, policy string, flags ...string) *Goipsec {
	l.t.Helper()
	return l.launchUnder(nil, h, policy, flags...)
}

// GoipsecUnder is Goipsec, run by another command.
func (l *Lab) GoipsecUnder(under []string, h *Host, policy string, flags ...string) *Goipsec {
	l.t.Helper()
	g := l.launchUnder(under, h, policy, flags...)
	g.ready()
	return g
}

func (l *Lab) launchUnder(under []string, h *Host, policy string, flags ...string) *Goipsec {
	l.t.Helper()
	dir := l.Subdir("goipsec-" + h.Name)
	g := &Goipsec{Host: h, Policy: dir + "/policy.yaml", Socket: dir + "/goipsec.sock", Keylog: dir + "/keys", Under: under}
	g.Write(policy)
	g.restart(l, flags)
	return g
}

// In is the same goipsec for the lab of a subtest.
func (g *Goipsec) In(l *Lab) *Goipsec {
	process := *g.Process
	process.lab = l
	from := len(process.Log.String())
	l.t.Cleanup(func() {
		if l.t.Failed() {
			l.t.Logf("what goipsec printed:\n%s", tail(process.Log.String()[from:], 6000))
		}
	})
	return &Goipsec{Process: &process, Host: g.Host.In(l), Policy: g.Policy, Socket: g.Socket, Keylog: g.Keylog, Under: g.Under}
}

func (g *Goipsec) restart(l *Lab, flags []string) {
	l.t.Helper()
	args := append(slices.Clone(g.Under), l.Binary(), "up", "-c", g.Policy, "--socket", g.Socket)
	way, known := Ways[l.IO]
	if !known {
		l.t.Fatalf("%q is no way to move packets", l.IO)
	}
	args = append(append(args, way...), flags...)
	g.Process = g.Host.Start("goipsec", args...)
}

// Restart starts goipsec up again with the same policy, after Stop or Kill.
func (g *Goipsec) Restart(flags ...string) {
	g.lab.t.Helper()
	g.restart(g.Host.lab, flags)
	g.ready()
}

// Begin is Restart that does not wait.
func (g *Goipsec) Begin(flags ...string) {
	g.lab.t.Helper()
	g.restart(g.Host.lab, flags)
}

// ready waits until goipsec says that it is up and answers on its socket.
func (g *Goipsec) ready() {
	g.lab.t.Helper()
	g.Expect("msg=up ", 20*time.Second)
	g.lab.Until(10*time.Second, "an answer of goipsec status", func() (bool, string) {
		text, err := g.Command("status --json")
		return err == nil, text
	})
}

// Write changes the policy file; reload applies it.
func (g *Goipsec) Write(policy string) {
	if err := os.WriteFile(g.Policy, []byte(policy), 0o600); err != nil {
		g.Host.lab.t.Fatal(err)
	}
}

// Command runs another goipsec command against this one, such as Command("sa list"), and returns what it printed.
func (g *Goipsec) Command(line string) (string, error) {
	return g.Host.Try(fmt.Sprintf("%s %s --socket %s", g.Host.lab.Binary(), line, g.Socket))
}

// Must is Command that fails the test on an error.
func (g *Goipsec) Must(line string) string {
	g.lab.t.Helper()
	text, err := g.Command(line)
	if err != nil {
		g.lab.t.Fatalf("goipsec %s: %v\n%s", line, err, text)
	}
	return text
}

// Status is what goipsec status --json says.
func (g *Goipsec) Status() endpoint.Status {
	g.lab.t.Helper()
	var status endpoint.Status
	text := g.Must("status --json")
	if err := json.Unmarshal([]byte(text), &status); err != nil {
		g.lab.t.Fatalf("goipsec status --json: %v\n%s", err, text)
	}
	return status
}

// Established waits until the status lists at least n child SAs.
func (g *Goipsec) Established(n int, limit time.Duration) {
	g.lab.t.Helper()
	g.lab.Until(limit, fmt.Sprintf("%d child SAs of goipsec", n), func() (bool, string) {
		status := g.Status()
		text, _ := json.MarshalIndent(status.Children, "", " ")
		failures, _ := json.MarshalIndent(status.Failures, "", " ")
		return len(status.Children) >= n, string(text) + string(failures)
	})
}

// Leftovers is everything that goipsec could leave behind in a host: compare before and after.
func (h *Host) Leftovers() string {
	h.lab.t.Helper()
	return h.Run("ip -br link | sed 's/@.*//' ; ip -br addr; for f in -4 -6; do ip $f rule; ip $f route show table all | sed -E 's/ (metric|pref|expires|hoplimit) [^ ]*//g' | sort; done; " +
		"nft list ruleset; ss -lnu0awxp 2>/dev/null | grep goipsec; sysctl -a 2>/dev/null | grep -E '\\.(rp_filter|ip_forward|forwarding|src_valid_mark)'")
}
