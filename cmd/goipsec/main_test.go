package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/goipsec/goipsec/pkg/config"
	"github.com/goipsec/goipsec/pkg/control"
	"github.com/goipsec/goipsec/pkg/endpoint"
	"github.com/goipsec/goipsec/pkg/policy"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"goipsec": main, "fake-instance": fakeInstance, "make-fifo": makeFIFO, "await": await})
}

// params gives every script the examples of the repository, as a person has them who pastes a command.
func params(dir string) testscript.Params {
	return testscript.Params{Dir: dir, Setup: func(e *testscript.Env) error {
		root, err := filepath.Abs(filepath.Join("..", ".."))
		if err != nil {
			return err
		}
		return os.Symlink(filepath.Join(root, "examples"), filepath.Join(e.WorkDir, "examples"))
	}}
}

func TestScripts(t *testing.T) { testscript.Run(t, params(filepath.Join("testdata", "script"))) }

// commands calls f for every command of the tree.
func commands(c *cobra.Command, f func(*cobra.Command)) {
	f(c)
	for _, child := range c.Commands() {
		commands(child, f)
	}
}

// TestExamples pastes the example of every command that needs no root.
func TestExamples(t *testing.T) {
	seen := map[string]bool{}
	var script strings.Builder
	commands(newRoot(), func(c *cobra.Command) {
		if c.Runnable() && c.Example == "" {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for _, line := range strings.Split(c.Example, "\n") {
			line = strings.TrimSpace(line)
			bare := strings.TrimPrefix(line, "sudo ")
			switch {
			case line == "" || seen[line]:
				continue
			case !strings.HasPrefix(bare, "goipsec "):
				t.Errorf("%s: the example %q is no command of ours", c.CommandPath(), line)
			case strings.HasPrefix(line, "sudo "):
				checkFlags(t, strings.Fields(bare)[1:])
			case testing.Short() && strings.Contains(line, " demo"):
			case strings.Contains(line, " xauth hash "): // it reads what a person types
				fmt.Fprintf(&script, "stdin examples/host-to-host.yaml\nexec %s\n", line)
			default:
				fmt.Fprintf(&script, "exec %s\n", line)
			}
			seen[line] = true
		}
	})
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "examples.txtar"), []byte(script.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, params(dir))
}

// checkFlags makes sure that a command line which is not run would at least be understood.
func checkFlags(t *testing.T, args []string) {
	t.Helper()
	c, rest, err := newRoot().Find(args)
	if err != nil {
		t.Error(err)
		return
	}
	err = errors.Join(c.ParseFlags(rest), c.ValidateArgs(c.Flags().Args()))
	if err != nil {
		t.Errorf("%q: %v", args, err)
	}
}

func TestEveryCommandHasHelp(t *testing.T) {
	commands(newRoot(), func(c *cobra.Command) {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: short help %q", c.CommandPath(), c.Short)
		}
		// Command lines are seen by every process and kept in histories.
		for _, secret := range []string{"psk", "secret", "password", "key"} {
			if c.Flags().Lookup(secret) != nil {
				t.Errorf("%s takes a secret from its arguments: --%s", c.CommandPath(), secret)
			}
		}
	})
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want exitCode
	}{
		{nil, exitOK},
		{errors.New("anything"), exitFailure},
		{usageError{errors.New("x")}, exitUsage},
		{fmt.Errorf("up: %w", config.Errors{{Message: "x"}}), exitPolicyFile},
		{policy.Errors{{Message: "x"}}, exitPolicyFile},
		{quiet(policy.Errors{{Message: "x"}}), exitPolicyFile},
		{&control.RemoteError{Code: control.CodePolicyFile, Message: "x"}, exitPolicyFile},
		{&control.NotRunningError{}, exitNotRunning},
		{&control.PermissionError{}, exitPermission},
		{fmt.Errorf("tun: %w", syscall.EPERM), exitPermission},
		{&fs.PathError{Op: "open", Path: "x", Err: syscall.EACCES}, exitPermission},
		{&control.InUseError{}, exitInUse},
		{fmt.Errorf("udp 500: %w", syscall.EADDRINUSE), exitInUse},
		{fmt.Errorf("udp 500: %w", endpoint.ErrInUse), exitInUse},
		{&control.RemoteError{Code: control.CodeNotFound, Message: "x"}, exitNotFound},
		{&control.RemoteError{Code: control.CodeFailed, Message: "x"}, exitFailure},
	} {
		if got := codeOf(c.err); got != c.want {
			t.Errorf("%v: exit code %d, want %d", c.err, got, c.want)
		}
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "command-line.md"))
	if err != nil {
		t.Fatal(err)
	}
	for code := exitOK; code <= exitDiffers; code++ {
		_, meaning, ok := strings.Cut(exitHelp, fmt.Sprintf("\n  %d  ", code))
		meaning, _, _ = strings.Cut(meaning, "\n")
		if !ok || !strings.Contains(string(page), fmt.Sprintf("| %d | %s |", code, meaning)) {
			t.Errorf("exit code %d (%q) is not documented in the help and in docs/command-line.md alike", code, meaning)
		}
	}
}

// fakeInstance is a program that serves a made-up instance on the socket in its first argument until it is stopped. It tells
// the FIFO in its second that it is ready.
func fakeInstance() {
	l, err := control.Listen(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(int(codeOf(err)))
	}
	f := &fake{stop: make(chan struct{})}
	srv := control.Serve(l, f)
	if len(os.Args) > 2 {
		tell(os.Args[2])
	}
	<-f.stop
	srv.Close()
}

// fake is an instance with one rule, "web", and one child, 7, of a filter that every question finds. Its file is bad until a policy was assigned.
type fake struct {
	stop  chan struct{}
	fresh bool
}

func (f *fake) Status() endpoint.Status {
	return endpoint.Status{SchemaVersion: endpoint.SchemaVersion, Instance: "fake", Policy: endpoint.PolicyStatus{Name: "made-up"}, Drops: endpoint.Drops{"no-sa": 4},
		Children: []endpoint.Child{{ID: 7, Rule: "web", State: "installed", Mode: "transport", Protocols: []endpoint.ChildKeys{{Protocol: "esp", SPIIn: 1, SPIOut: 2, Encr: "aes-gcm-16-128"}}}}}
}
func (f *fake) Connect(_ context.Context, target string) error { return f.known(target, "web") }
func (f *fake) Rekey(id string) error                          { return f.known(id, "7") }
func (f *fake) Delete(id string) error                         { return f.known(id, "7") }
func (f *fake) Reload() ([]endpoint.Waiting, error) {
	if f.fresh {
		return waits, nil
	}
	return nil, fmt.Errorf("web.yaml:3:1: %w", endpoint.ErrPolicyFile)
}
func (f *fake) Assign(name string) ([]endpoint.Waiting, error) {
	if name != "web" {
		return nil, &endpoint.UnknownPolicyError{Name: name, Known: []string{"web", "closed"}}
	}
	f.fresh = true
	return waits, nil
}

// waits is what waits for a restart of the fake instance.
var waits = []endpoint.Waiting{{Setting: "tun: mtu", InForce: "1400", File: "1300"}, {Setting: "tun: queues", InForce: "1", File: "2"}}

func (f *fake) Unassign() error { return nil }
func (f *fake) Stop()           { close(f.stop) }
func (f *fake) Explain(q endpoint.Question) (endpoint.Explanation, error) {
	return endpoint.Explanation{Policy: "made-up", Direction: "outbound", Filter: "192.0.2.1 -> 192.0.2.2", Rule: "peer", Action: "negotiate", Carriers: []uint64{7}}, nil
}
func (f *fake) List(q endpoint.Query) (endpoint.Page, error) {
	s := f.Status()
	return endpoint.Page{List: q.List, Status: &s}, nil
}
func (f *fake) known(what, is string) error {
	if what != is {
		return fmt.Errorf("%s: %w", what, endpoint.ErrNotFound)
	}
	return nil
}
