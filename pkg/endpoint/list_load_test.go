package endpoint

import (
	"testing"
	"testing/synctest"
	"time"
)

// described counts how often the host is asked what it is.
type described struct {
	host
	times int
}

func (d *described) describe(s *Status) {
	d.times++
	d.host.describe(s)
}

// Whoever asks for the overview all the time costs the key exchange no more than who asks every second; a new policy is seen at once.
func TestTheOverviewIsMadeOnceASecond(t *testing.T) {
	e := ikePair(t)
	d := &described{}
	var clock time.Time
	ask := func(after time.Duration) (s *Status) {
		t.Helper()
		if err := e.a.do(func(time.Time) { s = e.a.overview(clock.Add(after)) }); err != nil {
			t.Fatal(err)
		}
		return s
	}
	if err := e.a.do(func(now time.Time) { d.host, e.a.Endpoint.host, clock = e.a.Endpoint.host, d, now.Add(time.Hour) }); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		ask(overviewAge - 1)
		ask(overviewAge / 2)
	}
	if d.times != 1 {
		t.Errorf("the host was asked %d times in half a second", d.times)
	}
	if s := ask(2 * overviewAge); d.times != 2 || !s.Now.Equal(clock.Add(2*overviewAge)) {
		t.Errorf("after a second: asked %d times", d.times)
	}
	if err := e.a.do(func(now time.Time) { e.a.applied = clock }); err != nil {
		t.Fatal(err)
	}
	if s := ask(2 * overviewAge); d.times != 3 || !s.Policy.Applied.Equal(clock) {
		t.Errorf("with another policy: asked %d times", d.times)
	}
	if err := e.a.do(func(time.Time) { e.a.Endpoint.host = d.host }); err != nil {
		t.Fatal(err)
	}
}

// However many search at once, one search stands in line for the goroutine of the key exchange.
func TestOneSearchOfSAsAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &Endpoint{commands: make(chan func(time.Time)), done: make(chan struct{}), listing: make(chan struct{}, 1)}
		const callers = 8
		answers := make(chan error, callers)
		for range callers {
			go func() {
				_, err := e.List(Query{List: ListSoftSAs})
				answers <- err
			}()
		}
		for range callers {
			synctest.Wait()
			search := <-e.commands
			synctest.Wait()
			select {
			case <-e.commands:
				t.Fatal("two searches at once")
			default:
			}
			search(time.Now())
			if err := <-answers; err != nil {
				t.Error(err)
			}
		}
	})
}
