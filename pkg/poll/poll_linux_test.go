package poll

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pipe is lent by its reading end.
type pipe struct {
	in, out int
	lent    int
	closed  bool
}

func newPipe(t *testing.T) *pipe {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fds[0]); unix.Close(fds[1]) })
	return &pipe{in: fds[0], out: fds[1]}
}

func (p *pipe) Lend(fds []int) ([]int, bool) {
	if p.closed {
		return fds, false
	}
	p.lent++
	return append(fds, p.in), true
}

func (p *pipe) Return() { p.lent-- }

func TestWait(t *testing.T) {
	p, err := New()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	a, b := newPipe(t), newPipe(t)
	wait := func(limit time.Duration, over, readyA, readyB bool) {
		t.Helper()
		ready := []bool{true, true}
		got, err := p.Wait([]Files{a, b}, ready, limit)
		if err != nil || got != over || ready[0] != readyA || ready[1] != readyB || a.lent != 0 || b.lent != 0 {
			t.Errorf("over: %v, ready: %v, lent: %d and %d, %v", got, ready, a.lent, b.lent, err)
		}
	}
	wait(time.Microsecond, true, false, false)
	p.Kick()
	p.Kick()
	wait(0, false, false, false) // several kicks are one
	wait(time.Microsecond, true, false, false)
	if _, err := unix.Write(b.out, []byte{1}); err != nil {
		t.Fatal(err)
	}
	wait(0, false, false, true)
	wait(0, false, false, true) // until it is read
	a.closed = true
	wait(0, false, true, true)
	if _, err := unix.Read(b.in, make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	wait(0, false, true, false)
	a.closed = false
	go p.Kick()
	wait(0, false, false, false)
}

// light is a pipe that is asked whether it sleeps.
type light struct {
	*pipe
	asleep bool
	asked  int
}

func (l *light) Sleep() bool {
	if l.lent == 0 {
		panic("asked without being lent")
	}
	l.asked++
	return l.asleep
}

// Who does not sleep is not waited for, nor are the others.
func TestWaitForASleeper(t *testing.T) {
	p, err := New()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	a, b := newPipe(t), &light{pipe: newPipe(t)}
	ready := make([]bool, 2)
	for i, limit := range []time.Duration{0, time.Hour} {
		if over, err := p.Wait([]Files{a, b}, ready, limit); err != nil || over || !ready[0] || !ready[1] || a.lent != 0 || b.lent != 0 || b.asked != i+1 {
			t.Errorf("over: %v, ready: %v, lent: %d and %d, %v", over, ready, a.lent, b.lent, err)
		}
	}
	b.asleep = true
	if over, err := p.Wait([]Files{a, b}, ready, time.Microsecond); err != nil || !over || ready[0] || ready[1] || b.asked != 3 {
		t.Errorf("over: %v, ready: %v, %v", over, ready, err)
	}
	b.closed = true
	if over, err := p.Wait([]Files{a, b}, ready, 0); err != nil || over || ready[0] || !ready[1] || b.asked != 3 {
		t.Errorf("over: %v, ready: %v, asked %d times, %v", over, ready, b.asked, err)
	}
}
