package lab

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// A Process is a program that runs in a host until it is stopped.
type Process struct {
	Log   *Log // what it printed, both streams
	Name  string
	lab   *Lab
	cmd   *exec.Cmd
	stdin io.WriteCloser
	ended chan struct{} // closed when it has ended; err is set by then
	err   error
}

// Start runs a program in the host. It is stopped with the lab, if not before.
func (h *Host) Start(name string, args ...string) *Process {
	h.lab.t.Helper()
	p := start(h.lab, name, h.Args(args...), nil)
	h.lab.t.Cleanup(func() {
		p.Stop()
		if h.lab.t.Failed() {
			h.lab.t.Logf("%s: what %s printed:\n%s", h.Name, name, tail(p.Log.String(), 6000))
		}
	})
	return p
}

func start(l *Lab, name string, args, env []string) *Process {
	l.t.Helper()
	p, err := launch(name, args, env)
	if err != nil {
		l.t.Fatalf("starting %s: %v", name, err)
	}
	p.lab = l
	return p
}

func launch(name string, args, env []string) (*Process, error) {
	p := &Process{Name: name, Log: newLog(), cmd: exec.Command(args[0], args[1:]...), ended: make(chan struct{})}
	p.cmd.Env = append(p.cmd.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.Log, p.Log
	p.cmd.WaitDelay = 2 * time.Second // a grandchild that keeps the pipe must not keep us
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		p.Log.close()
		close(p.ended)
	}()
	return p, nil
}

// PID is the process' number in the lab.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends a signal.
func (p *Process) Signal(s syscall.Signal) { p.cmd.Process.Signal(s) }

// Running says whether the process has not ended yet.
func (p *Process) Running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// Stop asks the process to end (SIGTERM), insists after ten seconds (SIGKILL), and returns its exit status: -1 if a signal
// ended it.
func (p *Process) Stop() int {
	p.Signal(syscall.SIGTERM)
	if !wait(p.ended, 10*time.Second) {
		p.Log.Write([]byte("\n[did not end on SIGTERM within 10 s: killed]\n"))
		p.Kill()
	}
	return p.exitCode()
}

// Kill ends the process at once, as a crash would.
func (p *Process) Kill() {
	p.Signal(syscall.SIGKILL)
	wait(p.ended, 10*time.Second)
}

// Wait blocks until the process ends by itself and returns its exit status; it fails the test after limit.
func (p *Process) Wait(limit time.Duration) int {
	p.lab.t.Helper()
	if !wait(p.ended, limit) {
		p.lab.t.Fatalf("%s has not ended after %v; it printed:\n%s", p.Name, limit, tail(p.Log.String(), 4000))
	}
	return p.exitCode()
}

func (p *Process) exitCode() int {
	if !p.Running() {
		var exit *exec.ExitError
		if errors.As(p.err, &exit) {
			return exit.ExitCode()
		}
		if p.err == nil {
			return 0
		}
	}
	return -1
}

// Expect waits until the process has printed text, and fails the test at the limit or when the process ends without it.
func (p *Process) Expect(text string, limit time.Duration) {
	p.lab.t.Helper()
	if err := p.Log.waitFor(text, limit); err != nil {
		p.lab.t.Fatalf("%s: %v; it printed:\n%s", p.Name, err, tail(p.Log.String(), 4000))
	}
}

func tail(text string, n int) string {
	if len(text) <= n {
		return text
	}
	cut := text[len(text)-n:]
	if _, rest, ok := strings.Cut(cut, "\n"); ok {
		cut = rest
	}
	return fmt.Sprintf("[%d bytes before this]\n%s", len(text)-len(cut), cut)
}
