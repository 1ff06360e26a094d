package lab

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"testing"

	"github.com/goipsec/goipsec/test/interop/peers"
)

// inside marks the process that runs in the namespaces; its value is the peers' tree.
const inside = "GOIPSEC_LAB_TREE"

// skipReason is why no Lab can be had; empty where one can.
var skipReason = "lab.Main was not called from TestMain"

// Peers is the set that lies over /usr, or nil where no Lab can be had.
var Peers *peers.Set

// An Outcome is how the tests of a package ended.
type Outcome struct {
	Failed  bool
	Missing []string // why some tests had no peer and were skipped; one entry a peer
}

// missing collects the reasons of Outcome.Missing.
var missing []string

// Main runs the tests of a package in a laboratory and ends the process with their result. The functions of after run in the
// same process once the tests are done; each may turn a success into a failure by returning an error.
func Main(m *testing.M, after ...func(Outcome) error) {
	if os.Getenv(withoutRegset) != "" {
		becomeFiltered()
	}
	flag.Parse()
	if tree := os.Getenv(inside); tree != "" {
		os.Exit(runInside(m, tree, after))
	}
	set, err := ready()
	if err != nil {
		skipReason = err.Error()
		fmt.Println("skipping every test that needs hosts of its own:", skipReason)
		missing = append(missing, skipReason)
		os.Exit(finish(m.Run(), after))
	}
	os.Exit(runAgain(set.Dir))
}

func ready() (*peers.Set, error) {
	if testing.Short() {
		return nil, errors.New("-short")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return peers.Ensure(ctx, func(format string, args ...any) { fmt.Printf(format+"\n", args...) })
}

// runAgain starts this binary in new namespaces and waits for it. It is the first process of its process namespace, so all that
// it started ends with it; and it ends with us.
func runAgain(tree string) int {
	runtime.LockOSThread() // Pdeathsig follows the thread, not the process
	self, err := os.Executable()
	if err != nil {
		fmt.Println("lab:", err)
		return 1
	}
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Env = append(os.Environ(), inside+"="+tree)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET,
		Pdeathsig:  syscall.SIGKILL,
	}
	if err := cmd.Start(); err != nil {
		fmt.Println("lab: cannot make namespaces:", err)
		return 1
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT)
	go func() {
		for s := range signals {
			cmd.Process.Signal(s)
		}
	}()
	err = cmd.Wait()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		return exit.ExitCode()
	default:
		fmt.Println("lab:", err)
		return 1
	}
}

func runInside(m *testing.M, tree string, after []func(Outcome) error) int {
	if err := furnish(tree); err != nil {
		fmt.Println("lab: cannot set up the namespaces:", err)
		return 1
	}
	set, err := peers.Open(tree)
	if err != nil {
		fmt.Println("lab:", err)
		return 1
	}
	Peers, skipReason = set, ""
	code := m.Run()
	stopKernels()
	if binaryDir != "" {
		os.RemoveAll(binaryDir)
	}
	return finish(code, after)
}

func finish(code int, after []func(Outcome) error) int {
	outcome := Outcome{Failed: code != 0, Missing: missing}
	for _, f := range after {
		if err := f(outcome); err != nil {
			fmt.Println(err)
			code = max(code, 1)
		}
	}
	return code
}

// furnish lays the tree over /usr and gives this mount namespace a /proc and a /run/netns of its own.
func furnish(tree string) error {
	const private = syscall.MS_REC | syscall.MS_PRIVATE
	if err := syscall.Mount("", "/", "", private, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	if err := syscall.Mount("overlay", "/usr", "overlay", 0, "lowerdir="+tree+"/usr:/usr"); err != nil {
		return fmt.Errorf("laying the peers over /usr: %w", err)
	}
	if err := os.MkdirAll("/run/netns", 0o755); err != nil {
		return err
	}
	if err := syscall.Mount("tmpfs", "/run/netns", "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mounting /run/netns: %w", err)
	}
	return exec.Command("ip", "link", "set", "lo", "up").Run()
}
