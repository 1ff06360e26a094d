package e2e

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/endpoint"
)

func TestEcho(t *testing.T) {
	var b [64]byte
	request(b[:], 0x1234, 7)
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	if sum = sum>>16 + sum&0xffff; b[0] != 8 || sum != 0xffff {
		t.Errorf("type %d, sum %#x", b[0], sum)
	}
	reply := append([]byte{0x45, 19: 0}, b[:]...)
	reply[20] = 0
	if !answers(reply, 0x1234, 7) {
		t.Error("the answer was not known")
	}
	if answers(reply, 0x1234, 8) || answers(reply, 0x1235, 7) || answers(reply[:27], 0x1234, 7) || answers(nil, 0, 0) || answers(append([]byte{0x4f}, reply[1:30]...), 0x1234, 7) {
		t.Error("something else was taken for the answer")
	}
	if reply[20] = 8; answers(reply, 0x1234, 7) {
		t.Error("a request was taken for the answer")
	}
}

// A figure counts only if all of its bytes were sealed as was asked.
func TestJudge(t *testing.T) {
	good := func() endpoint.Status {
		return endpoint.Status{Traffic: endpoint.Traffic{SealedBytes: 1000},
			Children: []endpoint.Child{{Encap: "udp", Protocols: []endpoint.ChildKeys{{Encr: "aes-gcm-16", KeyBits: 128}}}}}
	}
	v := variants["goipsec"]
	if err := v.judge(good()); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(s *endpoint.Status){
		"clear":    func(s *endpoint.Status) { s.Traffic.Permitted = 1 },
		"no SA":    func(s *endpoint.Status) { s.Children = nil },
		"raw":      func(s *endpoint.Status) { s.Children[0].Encap = "ip" },
		"cipher":   func(s *endpoint.Status) { s.Children[0].Protocols[0].Encr = "aes-cbc" },
		"manual":   func(s *endpoint.Status) { s.Children[0].Manual = true },
		"key size": func(s *endpoint.Status) { s.Children[0].Protocols[0].KeyBits = 256 },
		"bundle": func(s *endpoint.Status) {
			s.Children[0].Protocols = append(s.Children[0].Protocols, endpoint.ChildKeys{})
		},
	} {
		s := good()
		if spoil(&s); v.judge(s) == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestRunNeedsRoot(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("we are root")
	}
	if _, err := Run(context.Background(), Options{}); !errors.Is(err, fs.ErrPermission) {
		t.Error(err)
	}
}

func TestEveryPeerHasADriver(t *testing.T) {
	for _, name := range append(Peers(), Bare, "goipsec=./x") {
		if p, err := newPeer(name, Options{}); p == nil || err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := newPeer("openvpn", Options{}); err == nil {
		t.Error("a driver for a stranger")
	}
}

func TestCPUTime(t *testing.T) {
	const stat = "4242 (a) (b) S 1 4242 4242 0 -1 4194560 100 0 0 0 123 45 0 0 20 0 9 0 5000 1000000 100 18446744073709551615\n"
	if d, err := cpuTime(stat); d != 1680*time.Millisecond || err != nil {
		t.Error(d, err)
	}
	for _, bad := range []string{"", "1 (x) S 1 2", strings.Replace(stat, " 45 ", " x ", 1)} {
		if _, err := cpuTime(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

// laboratory is a lab, or a skipped test.
func laboratory(t *testing.T) *lab {
	t.Helper()
	l, err := newLab(t.Context())
	if errors.Is(err, syscall.EPERM) {
		t.Skip("no network namespaces here: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// The lab stands, carries echoes, and leaves neither links nor files nor programs.
func TestLabComesAndGoes(t *testing.T) {
	before, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	l := laboratory(t)
	p, err := l.a.ping(outerA, outerB)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.reach(t.Context(), 20*time.Second); err != nil {
		t.Error(err)
	}
	times, err := p.echoes(t.Context(), 3)
	if err != nil || len(times) != 3 || times[0] <= 0 {
		t.Errorf("%v, %v", times, err)
	}
	if _, err := p.once(-1); !errors.Is(err, errNoEcho) {
		t.Errorf("an answer out of time: %v", err)
	}
	p.close()
	d, err := l.a.device(cable)
	if err != nil || d.mtu != 1500 || d.sentBytes < 13*64 || d.sent < 13 || d.delivered < 13 {
		t.Errorf("%+v, %v", d, err)
	}
	sleeper, err := l.b.start("sleep", []string{"sleep", "1000"})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.close(); err != nil {
		t.Error(err)
	}
	select {
	case <-sleeper.ended:
	default:
		t.Error("a program outlived the lab")
	}
	if _, err := os.Stat(l.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", l.dir, err)
	}
	after, err := net.Interfaces()
	if err != nil || len(after) != len(before) {
		t.Errorf("links before: %v, after: %v, %v", before, after, err)
	}
}

func TestProcesses(t *testing.T) {
	l := laboratory(t)
	defer l.close()
	out, err := l.a.output(t.Context(), "sh", "sh", "-c", "cat /proc/net/dev; echo trouble >&2")
	if err != nil || !strings.Contains(string(out), cable) || strings.Contains(string(out), "trouble") {
		t.Errorf("%s, %v", out, err)
	}
	if _, err := l.a.output(t.Context(), "sh", "sh", "-c", "echo trouble >&2; exit 3"); err == nil || !strings.Contains(err.Error(), "trouble") {
		t.Error(err)
	}
	if _, err := l.a.start("nothing", []string{"/nonexistent"}); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	p, err := l.a.start("sh", []string{"sh", "-c", "echo ready $WORD"}, "WORD=steady")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.expect(t.Context(), "ready steady", 20*time.Second); err != nil {
		t.Error(err)
	}
	<-p.ended
	if err := p.expect(t.Context(), "go", 20*time.Second); err == nil || !strings.Contains(err.Error(), "ended") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newLab(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// What bypasses a tunnel, or enters it without being protected, is no result.
func TestWatchTrustsNobody(t *testing.T) {
	l := laboratory(t)
	defer l.close()
	for name, c := range map[string]struct {
		before, after uint64 // protected
		arrived       uint64
		says          string
	}{"honest": {0, 1 << 20, 84, ""}, "around": {0, 1 << 40, 1 << 30, "passed by"}, "in clear": {500, 510, 84, "not all"}} {
		f := &fakeTunnel{bareCable: bareCable{l.a}, protects: []uint64{c.before, c.after}}
		tr := trial{lab: l, tunnel: f}
		u, err := tr.watch(t.Context(), func() (uint64, error) {
			p, err := l.a.ping(outerA, outerB)
			if err != nil {
				return 0, err
			}
			defer p.close()
			return c.arrived, p.reach(t.Context(), 20*time.Second)
		})
		if c.says == "" && (err != nil || u.bytes < 84 || u.packets < 2) || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %+v, %v", name, u, err)
		}
	}
}

// fakeTunnel is the bare cable, with a program that says what it likes.
type fakeTunnel struct {
	bareCable
	protects []uint64
}

func (f *fakeTunnel) protected(context.Context) (uint64, error) {
	n := f.protects[0]
	f.protects = f.protects[1:]
	return n, nil
}

// The kernel's counter grows by the calls of the program that is watched.
func TestCountCalls(t *testing.T) {
	l := laboratory(t)
	defer l.close()
	fifo := filepath.Join(t.TempDir(), "go")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := l.a.start("sh", []string{"sh", "-c", "read line < $FIFO; i=0; while [ $i -lt 100 ]; do echo $i; i=$((i+1)); done"}, "FIFO="+fifo)
	if err != nil {
		t.Fatal(err)
	}
	c, err := countCalls([]*process{p})
	if errors.Is(err, errNoTracing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if err := os.WriteFile(fifo, []byte("go\n"), 0); err != nil {
		t.Fatal(err)
	}
	<-p.ended
	if n, err := c.total(); n < 100 || n > 1000 || err != nil {
		t.Errorf("%d calls, %v; it printed %s", n, err, p.log)
	}
	if _, err := countCalls([]*process{p}); err == nil {
		t.Error("a program that has ended was watched")
	}
}

// A short real run of everything, when it is asked for: it takes a quarter of a minute of both processors.
func TestRealRun(t *testing.T) {
	if os.Geteuid() != 0 || testing.Short() || os.Getenv("GOIPSEC_BENCH") != "1" {
		t.Skip("a real run needs root and GOIPSEC_BENCH=1, and not -short")
	}
	program := filepath.Join(t.TempDir(), "goipsec")
	if text, err := exec.Command("go", "build", "-o", program, "github.com/goipsec/goipsec/cmd/goipsec").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	var progress strings.Builder
	r, err := Run(t.Context(), Options{Peers: []string{"goipsec", "goipsec-chacha", "goipsec-raw", "wireguard-go", Null}, Flows: []int{2}, Seconds: 1, Rounds: 1, Echoes: 20, IdleRounds: 1, IdlePeers: []string{"goipsec"}, Program: program, Progress: &progress})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Peers) != 6 || strings.Count(progress.String(), "\n") != 8 || len(r.Of("goipsec").Added.Samples) != 2 {
		t.Fatalf("%+v\n%s", r, &progress)
	}
	for _, p := range r.Peers {
		if len(p.TCP) != 1 || p.TCP[0].Flows != 2 || p.TCP[0].Gbps.Median <= 0 || p.RTT.Median <= 0 || p.MTU < 1280 {
			t.Errorf("%+v", p)
		}
		for _, u := range p.UDP {
			if u.Rate.Median <= 0 || u.Corrupt+u.Duplicates+u.Foreign > 0 {
				t.Errorf("%s: %+v", p.Name, u)
			}
		}
		if len(p.UDP) != len(udpCases) || p.Load.P99.Median < p.Load.Median.Median {
			t.Errorf("%+v", p)
		}
	}
	var table strings.Builder
	if err := r.Markdown(&table); err != nil {
		t.Error(err)
	}
	t.Log("\n" + table.String())
}
