package system

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// steps counts what a process changes on a host, by the kernel's own notes of it: links, addresses, routes and rules of both families.
type steps struct {
	fd    int
	heard chan int // how many by now
}

// watchSteps begins to count.
func (s *siege) watchSteps() *steps {
	s.t.Helper()
	w := &steps{heard: make(chan int, 4096)}
	s.a.Inside(func() (err error) {
		if w.fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE); err != nil {
			return err
		}
		var groups uint32
		for _, g := range []int{unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_IFADDR,
			unix.RTNLGRP_IPV6_ROUTE, unix.RTNLGRP_IPV6_RULE} {
			groups |= 1 << (g - 1)
		}
		return unix.Bind(w.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups})
	})
	_ = unix.SetsockoptTimeval(w.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 20000})
	return w
}

// killAt ends the process that pid says with SIGKILL at the n-th step, or when ended holds, and returns how many steps there were.
func (w *steps) killAt(n int, pid int, ended func() bool) (seen int) {
	defer unix.Close(w.fd)
	buf := make([]byte, 65536)
	for seen < n && !ended() {
		if _, _, err := unix.Recvfrom(w.fd, buf, 0); err == nil {
			seen++
		}
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
	return seen
}

const never = 1 << 30

// settled checks that one of some policies is in force, whole, and returns it.
func (s *siege) settled(what string, stages ...stage) stage {
	s.t.Helper()
	list := s.during(60, func() {})
	s.collect()
	for _, x := range stages {
		ok := true
		for _, c := range list {
			port, arrived := s.seen[c.number]
			if !arrived {
				port = c.key.DstPort
			}
			ok = ok && (arrived && x.permits(c, port) || !arrived && (!x.permits(c, port) || !c.certain || !c.local))
		}
		if ok {
			clear(s.seen)
			return x
		}
	}
	s.t.Fatalf("%s: neither policy is in force", what)
	return stage{}
}

// TestD11KilledAtEveryMoment ends goipsec with SIGKILL at the n-th change that it makes on the host, for thirty-two different n of a start, a reload and an orderly
// end. While that happens and after it, what the policy of before or that of after forbids reaches no socket, what it permits is not lost, and the change from the one to
// the other is made at one moment; the next start works and puts all of its policy in force, with nothing cleaned up by hand.
func TestD11KilledAtEveryMoment(t *testing.T) {
	t.Parallel()
	const moments, networks = 32, 8
	s := newSiege(t, 2)
	one, two := s.stage("the first policy", closed(5000, 5009, networks)), s.stage("the second policy", closed(5004, 5014, networks))
	texts := map[string]string{one.name: closed(5000, 5009, networks), two.name: closed(5004, 5014, networks)}
	s.g = s.world.Launch(s.a, "rules: nonsense")
	s.g.Wait(20 * time.Second)
	before := shown(s.a.Leftovers())

	// Each returns how many steps it took.
	start := func(x stage, at int) (n int) {
		s.g.Write(texts[x.name])
		w := s.watchSteps()
		s.g.Begin()
		n = w.killAt(at, s.g.PID(), func() bool {
			return s.g.Log.Count("msg=up ") > 0 || !s.g.Running()
		})
		return n
	}
	reload := func(x stage, at int) (n int) {
		s.g.Write(texts[x.name])
		w := s.watchSteps()
		s.g.Signal(syscall.SIGHUP)
		return w.killAt(at, s.g.PID(), func() bool { return s.g.Log.Count("the policy was reloaded") > 0 || !s.g.Running() })
	}
	stop := func(at int) (n int) {
		w := s.watchSteps()
		s.g.Signal(syscall.SIGTERM)
		return w.killAt(at, s.g.PID(), func() bool { return !s.g.Running() })
	}

	// How many steps each has, when nobody interferes but at its end.
	totals := map[string]int{"start": start(one, never)}
	s.g.Wait(10 * time.Second)
	s.g.Restart()
	totals["reload"] = reload(two, never)
	s.g.Wait(10 * time.Second)
	s.g.Restart()
	totals["stop"] = stop(never)
	s.g.Wait(10 * time.Second)
	t.Logf("steps: %v", totals)
	for what, n := range totals {
		if n < moments {
			t.Fatalf("a %s has only %d steps, less than the moments to be tried", what, n)
		}
	}

	now := open0
	states := map[string]map[string]bool{"start": {}, "reload": {}, "stop": {}}
	killed := func(what string, k int, stages []stage, f func(at int) int) {
		t.Helper()
		at := 1 + k*(totals[what]-1)/(moments-1)
		name := fmt.Sprintf("%s killed at step %d of %d", what, at, totals[what])
		list := s.during(30, func() { f(at); s.g.Wait(10 * time.Second) })
		s.judge(name, list, stages...)
		now = s.settled("after "+name, stages...)
		states[what][shown(s.a.Leftovers())] = true
	}
	up := func(what string, x stage) {
		t.Helper()
		s.g.Write(texts[x.name])
		stages := []stage{now, x}
		s.judge(what, s.during(30, func() { s.g.Restart() }), stages...)
		now = s.settled(what, x)
	}
	for k := range moments {
		killed("start", k, []stage{now, one}, func(at int) int { return start(one, at) })
		up("the start after a killed start", one)
		killed("reload", k, []stage{one, two}, func(at int) int { return reload(two, at) })
		up("the start after a killed reload", two)
		killed("stop", k, []stage{two, open0}, stop)
		if k%2 == 0 { // else the next start finds what the killed end has left
			up("the start after a killed end", two)
			s.judge("an orderly end", s.during(30, func() { s.g.Stop() }), two, open0)
			now = s.settled("after an orderly end", open0)
		}
	}
	t.Logf("different states of the host after a kill: start %d, reload %d, stop %d", len(states["start"]), len(states["reload"]), len(states["stop"]))
	up("the last start", one)
	s.g.Stop()
	if after := shown(s.a.Leftovers()); after != before {
		t.Errorf("left behind after all that:\n%s", difference(before, after))
	}
}

// shown is what of a host's state tells one moment from another: the counters of the guard go on and tell nothing.
func shown(leftovers string) string {
	var b strings.Builder
	for line := range strings.Lines(leftovers) {
		if !strings.Contains(line, "counter packets") {
			b.WriteString(line)
		}
	}
	return b.String()
}
