package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a program that runs in a host until it is stopped.
type process struct {
	name  string
	cmd   *exec.Cmd
	log   *log
	ended chan struct{}
}

// start runs a program in the host. It dies with this process, however that ends.
func (h *host) start(name string, args []string, env ...string) (*process, error) {
	p := &process{name: name, cmd: exec.Command(args[0], args[1:]...), log: &log{grew: make(chan struct{}, 1)}, ended: make(chan struct{})}
	p.cmd.Env = append(p.cmd.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.cmd.WaitDelay = time.Second
	// A signal from the terminal is for us alone: we stop our programs in order.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := h.do(p.cmd.Start); err != nil {
		return nil, fmt.Errorf("%s does not start: %w", name, err)
	}
	go func() {
		p.cmd.Wait()
		close(p.ended)
	}()
	h.running = append(h.running, p)
	return p, nil
}

// stop asks the program to end, and after five seconds makes it.
func (p *process) stop() {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(5 * time.Second):
		p.cmd.Process.Kill()
		<-p.ended
	}
}

// expect waits until the program has printed text.
func (p *process) expect(ctx context.Context, text string, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for !strings.Contains(p.log.String(), text) {
		select {
		case <-p.log.grew:
		case <-p.ended:
			return fmt.Errorf("%s ended; it printed:\n%s", p.name, p.log)
		case <-ctx.Done():
			return fmt.Errorf("%s did not print %q: %w; it printed:\n%s", p.name, text, ctx.Err(), p.log)
		}
	}
	return nil
}

// cpu is the processor time, user and system, that the program has used so far. Linux counts it in hundredths of a second.
func (p *process) cpu() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	return cpuTime(string(text))
}

// cpuTime reads the line of /proc/PID/stat: behind the name, which may hold anything and ends with the last parenthesis, the times are the 12th and 13th field.
func cpuTime(stat string) (time.Duration, error) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/PID/stat has only %d fields behind the name", len(fields))
	}
	var sum time.Duration
	for _, f := range fields[11:13] {
		ticks, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(ticks) * 10 * time.Millisecond
	}
	return sum, nil
}

// output runs a program in the host to its end and returns its standard output.
func (h *host) output(ctx context.Context, name string, args ...string) ([]byte, error) {
	var out bytes.Buffer
	complaints := new(log)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = &out, complaints
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := h.do(cmd.Start); err != nil {
		return nil, fmt.Errorf("%s does not start: %w", name, err)
	}
	if err := cmd.Wait(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return out.Bytes(), fmt.Errorf("%s: %w; it printed:\n%s", name, err, complaints)
	}
	return out.Bytes(), nil
}

// log keeps the beginning of what a program prints.
type log struct {
	mu   sync.Mutex
	text []byte
	grew chan struct{}
}

const logLimit = 64 << 10

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p[:min(len(p), logLimit-len(l.text))]...)
	select {
	case l.grew <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.TrimSpace(string(l.text))
}
