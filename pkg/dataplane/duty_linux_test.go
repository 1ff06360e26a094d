package dataplane

import (
	"bytes"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// stream is a direction whose datagrams are octets in a pipe. The octet failure is a read that fails.
type stream struct {
	in, out int
	answers bool
	dear    bool
	mute    atomic.Bool // a read at rest finds nothing, whatever its file says
	deaf    atomic.Bool // its file never says that there is something
	read    func(b byte)
	step    atomic.Int64  // between batches
	clock   *atomic.Int64 // nanoseconds; shared with others, or nil

	mu    sync.Mutex
	now   time.Time
	got   []byte
	tried int // batches that were read at rest
}

const failure = 0xff

var errFailure = errors.New("a read failed")

func newStream(t *testing.T, answers bool) *stream {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fds[0]); unix.Close(fds[1]) })
	s := &stream{in: fds[0], out: fds[1], answers: answers, now: time.Unix(1000, 0), read: func(byte) {}}
	s.step.Store(int64(time.Millisecond))
	return s
}

func (s *stream) Lend(fds []int) ([]int, bool) {
	if s.deaf.Load() {
		return fds, true
	}
	return append(fds, s.in), true
}
func (s *stream) Return() {}

// try reads without waiting.
func (s *stream) try(resting bool) (b Batch, err error) {
	if resting && s.mute.Load() {
		return b, nil
	}
	var buf [16]byte
	n, _ := unix.Read(s.in, buf[:])
	if n <= 0 {
		return b, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n == 1 && buf[0] == failure {
		return b, errFailure
	}
	if s.now = s.now.Add(time.Duration(s.step.Load())); s.clock != nil {
		s.now = time.Unix(1000, s.clock.Add(s.step.Load()))
	}
	for _, octet := range buf[:n] {
		s.read(octet)
	}
	s.got = append(s.got, buf[:n]...)
	if resting {
		s.tried++
	}
	return Batch{N: n, Single: n == 1, Now: s.now}, nil
}

func (s *stream) run(d *Duty) error {
	files := any(s)
	if s.dear {
		files = dear{s}
	}
	turn := d.Join(files, s.answers, func() (Batch, error) { return s.try(true) })
	for {
		fds := []unix.PollFd{{Fd: int32(s.in), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); err != nil {
			continue
		}
		b, err := s.try(false)
		if err == nil && turn.Calm(b) {
			err = turn.Rest()
		}
		if err != nil {
			return err
		}
	}
}

func (s *stream) send(t *testing.T, octets ...byte) {
	t.Helper()
	if _, err := unix.Write(s.out, octets); err != nil {
		t.Fatal(err)
	}
}

// has waits until so many octets were read, and returns how many of the batches were at rest.
func (s *stream) has(t *testing.T, n int) (tried int) {
	until(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		tried = s.tried
		return len(s.got) >= n
	})
	return tried
}

func until(t *testing.T, f func() bool) {
	t.Helper()
	for !f() {
		if t.Context().Err() != nil {
			t.FailNow()
		}
		runtime.Gosched()
	}
}

// rest sends calm batches until so many directions of d rest.
func rest(t *testing.T, d *Duty, resting int, s *stream) {
	t.Helper()
	s.mu.Lock()
	n := len(s.got)
	s.mu.Unlock()
	for i := range calmBatches {
		s.send(t, byte(n+i))
		s.has(t, n+i+1)
	}
	until(t, func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return len(d.resting) == resting
	})
}

// restAgain is rest for one after the other.
func restAgain(t *testing.T, d *Duty, list ...*stream) {
	t.Helper()
	for i, s := range list {
		for range calmBatches {
			s.mu.Lock()
			n := len(s.got)
			s.mu.Unlock()
			s.send(t, 200)
			s.has(t, n+1)
		}
		until(t, func() bool { return d.atRest() == i+1 })
	}
}

func (d *Duty) atRest() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.resting)
}

// duty starts two directions and lets both rest: first is on duty.
func duty(t *testing.T, first, second *stream) (d *Duty, ended [2]chan error) {
	d = NewDuty()
	if d == nil {
		t.Fatal("there is no duty on Linux")
	}
	for i, s := range []*stream{first, second} {
		ended[i] = make(chan error, 1)
		go func() { ended[i] <- s.run(d) }()
	}
	rest(t, d, 1, first)
	rest(t, d, 2, second)
	return d, ended
}

// end ends both directions.
func end(t *testing.T, d *Duty, ended [2]chan error, list ...*stream) {
	t.Helper()
	for i, s := range list {
		s.send(t, failure)
		if err := <-ended[i]; err != errFailure {
			t.Errorf("direction %d ended with %v", i, err)
		}
	}
	if d.atRest() != 0 || d.onDuty {
		t.Error("somebody is still on duty")
	}
	d.Close()
	for i, s := range list {
		if !slices.IsSorted(s.got) {
			t.Errorf("direction %d is out of order: %v", i, s.got)
		}
	}
}

func TestOneServesAllThatRest(t *testing.T) {
	a, b := newStream(t, false), newStream(t, true)
	d, ended := duty(t, a, b)
	before := [2]int{a.has(t, calmBatches), b.has(t, calmBatches)}
	for i := range byte(20) {
		a.send(t, 100+i)
		b.send(t, 100+i)
		if ta, tb := a.has(t, calmBatches+int(i)+1), b.has(t, calmBatches+int(i)+1); ta != before[0]+int(i)+1 || tb != before[1]+int(i)+1 {
			t.Fatalf("after %d: %d and %d were read at rest", i+1, ta, tb)
		}
	}
	end(t, d, ended, a, b)
}

// What the direction that answers has is read after another's batch without waiting for its file.
func TestAnAnswerIsReadAtOnce(t *testing.T) {
	a, b := newStream(t, false), newStream(t, true)
	d, ended := duty(t, a, b)
	b.deaf.Store(true)
	a.send(t, 98) // and the one on duty waits anew, for files of which one is deaf
	a.has(t, calmBatches+1)
	a.mu.Lock()
	a.read = func(octet byte) { _, _ = unix.Write(b.out, []byte{octet}) }
	a.mu.Unlock()
	b.mu.Lock()
	n := len(b.got)
	b.mu.Unlock()
	for i := range byte(5) {
		a.send(t, 100+i)
		b.has(t, n+int(i)+1)
	}
	a.mu.Lock()
	a.read = func(byte) {}
	a.mu.Unlock()
	b.deaf.Store(false)
	a.send(t, 110)
	a.has(t, calmBatches+7)
	end(t, d, ended, a, b)
}

// More than one datagram, or one upon the other, and all go their own ways, with nothing lost or out of order; and rest again.
func TestAllGoTheirOwnWaysWhenMoreComes(t *testing.T) {
	for _, who := range []int{0, 1} { // the one on duty, and one that parks
		for name, more := range map[string]func(s *stream){
			"a burst":       func(s *stream) { s.send(t, bytes.Repeat([]byte{120}, 3)...) },
			"without pause": func(s *stream) { s.step.Store(int64(calmPause - 1)) },
		} {
			t.Run(name, func(t *testing.T) {
				list := []*stream{newStream(t, false), newStream(t, true)}
				d, ended := duty(t, list[0], list[1])
				s := list[who]
				more(s)
				until(t, func() bool {
					s.mu.Lock()
					n := len(s.got)
					s.mu.Unlock()
					if n >= calmBatches+3 && d.atRest() == 0 {
						return true
					}
					if name != "a burst" && n < calmBatches+hastyBatches {
						s.send(t, 120)
						s.has(t, n+1)
					}
					return false
				})
				if n := s.has(t, 0); name != "a burst" && n != hastyBatches {
					t.Errorf("%d batches were read at rest before it ended", n)
				}
				s.step.Store(int64(time.Millisecond))
				restAgain(t, d, list...)
				end(t, d, ended, list[0], list[1])
			})
		}
	}
}

// Datagrams without a pause before them end the duty only if there are many in a row.
func TestAPauseIsEnoughToStayAtRest(t *testing.T) {
	a, b := newStream(t, false), newStream(t, true)
	d, ended := duty(t, a, b)
	for i := range 3 * hastyBatches {
		pause := calmPause - 1
		if i%hastyBatches == hastyBatches-1 {
			pause = calmPause
		}
		a.step.Store(int64(pause))
		a.send(t, 100)
		a.has(t, calmBatches+i+1)
	}
	b.send(t, 100) // and what came before was judged
	b.has(t, calmBatches+1)
	if n := d.atRest(); n != 2 {
		t.Errorf("%d are at rest", n)
	}
	end(t, d, ended, a, b)
}

// A file that is ready for ever, of which a read has nothing to tell, is left to the read that waits.
func TestNobodyPollsInVainForEver(t *testing.T) {
	a, b := newStream(t, false), newStream(t, true)
	d, ended := duty(t, a, b)
	a.mute.Store(true)
	a.send(t, 100)
	a.has(t, calmBatches+1)
	until(t, func() bool { return d.atRest() == 0 })
	end(t, d, ended, a, b)
}

// An error is that of its own direction, whoever reads; the other goes on, and rests again.
func TestAnErrorAtRestIsItsOwn(t *testing.T) {
	for who := range 2 {
		list := []*stream{newStream(t, false), newStream(t, true)}
		d, ended := duty(t, list[0], list[1])
		list[who].send(t, failure)
		if err := <-ended[who]; err != errFailure {
			t.Errorf("it ended with %v", err)
		}
		other := list[1-who]
		until(t, func() bool { return d.atRest() == 0 })
		rest(t, d, 1, other)
		other.send(t, failure)
		if err := <-ended[1-who]; err != errFailure {
			t.Errorf("the other ended with %v", err)
		}
		d.Close()
	}
}

// A direction that never rests and one that cannot have no duty.
func TestNobodyRestsInVain(t *testing.T) {
	var none *Duty
	none.Close()
	a := newStream(t, false)
	try := func() (Batch, error) { return a.try(true) }
	if none.Join(a, false, try) != nil || (&Duty{}).Join("no files", false, try) != nil {
		t.Error("a direction without files can rest")
	}
	var turn *Turn
	if turn.Calm(Batch{N: 1, Single: true}) {
		t.Error("nobody rests")
	}
	turn = (&Duty{}).Join(a, false, try)
	now := time.Unix(1000, 0)
	calm := func(single bool, pause time.Duration) bool {
		now = now.Add(pause)
		return turn.Calm(Batch{N: 1, Single: single, Now: now})
	}
	for _, spoil := range []func() bool{func() bool { return calm(false, calmPause) }, func() bool { return calm(true, calmPause-1) }} {
		for range calmBatches - 1 {
			if calm(true, calmPause) {
				t.Error("a direction rests too early")
			}
		}
		if spoil() {
			t.Error("a direction rests that is not calm")
		}
	}
	for i := range calmBatches {
		if calm(true, calmPause) != (i == calmBatches-1) {
			t.Errorf("after %d calm batches it does or does not rest", i+1)
		}
	}
}

// dear is a stream that it costs its sender much to wake.
type dear struct{ *stream }

func (dear) Sleep() bool { return true }

// One thread goes on with more, where waking is dear, as long as it can: until the directions but one have their part of a time without a pause.
func TestWhereWakingIsDearOneThreadGoesOn(t *testing.T) {
	a, b := newStream(t, false), newStream(t, true)
	a.clock = new(atomic.Int64)
	b.clock, b.dear = a.clock, true
	d, ended := duty(t, a, b)
	fill := func(ofA, ofB int) { // so many full reads of each, all of which are there when the first is worked off
		gate := make(chan struct{})
		a.mu.Lock()
		a.read = func(byte) { <-gate }
		wantA := len(a.got) + 16*ofA + 1
		a.mu.Unlock()
		b.mu.Lock()
		wantB := len(b.got) + 16*ofB
		b.mu.Unlock()
		a.send(t, 120)
		a.send(t, bytes.Repeat([]byte{120}, 16*ofA)...)
		if ofB > 0 {
			b.send(t, bytes.Repeat([]byte{120}, 16*ofB)...)
		}
		close(gate)
		a.has(t, wantA)
		b.has(t, wantB)
	}
	b.send(t, 110) // and the one on duty knows of both, because it reads this
	b.has(t, calmBatches+1)
	fill(100, 0)
	if n := d.atRest(); n != 2 {
		t.Errorf("after much of one direction %d are at rest", n)
	}
	fill(30, 30) // of a millisecond each, well below apartTime together
	until(t, func() bool { return d.atRest() == 0 })
	burst := func(s *stream) {
		t.Helper()
		s.mu.Lock()
		n := len(s.got)
		s.mu.Unlock()
		s.send(t, 121, 121, 121)
		s.has(t, n+3)
	}
	burst(b)
	burst(a)
	if n := d.atRest(); n != 0 {
		t.Errorf("at once after it was too much, %d are at rest", n)
	}
	a.clock.Add(int64(apartTime))
	burst(b)
	until(t, func() bool { return d.atRest() == 1 })
	burst(a)
	until(t, func() bool { return d.atRest() == 2 })
	end(t, d, ended, a, b)
}

func TestWhatIsTooMuchForOneThread(t *testing.T) {
	a, b, c := new(Turn), new(Turn), new(Turn)
	list := []*Turn{a, b, c}
	type step struct {
		turn *Turn // nil: a pause
		d    time.Duration
	}
	for name, test := range map[string]struct {
		steps []step
		want  bool
	}{
		"a third":                {[]step{{a, fullTime * 2 / 3}, {b, fullTime/3 + 1}, {a, 0}}, true},
		"less than a third":      {[]step{{a, fullTime*2/3 + 3}, {b, fullTime/3 - 1}, {a, 0}}, false},
		"a third of two":         {[]step{{a, fullTime * 2 / 3}, {b, fullTime / 6}, {c, fullTime/6 + 2}, {a, 0}}, true},
		"one alone":              {[]step{{a, fullTime}, {a, fullTime}, {a, fullTime}}, false},
		"not for long":           {[]step{{a, fullTime / 2}, {b, fullTime/2 - 1}, {a, 0}}, false},
		"with a pause":           {[]step{{a, fullTime * 2 / 3}, {nil, 0}, {b, fullTime / 3}, {a, fullTime / 3}, {b, 0}}, false},
		"of the last time alone": {[]step{{b, fullTime}, {a, fullTime}, {b, fullTime / 9}, {a, fullTime}, {b, 0}}, false},
	} {
		var l load
		now, got := time.Unix(1000, 0), false
		for _, s := range test.steps {
			if s.turn == nil {
				l.turn = nil
				continue
			}
			got = l.tooMuch(list, s.turn, now) || got
			now = now.Add(s.d)
		}
		if got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
