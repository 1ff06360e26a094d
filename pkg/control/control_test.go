//go:build unix

package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/goipsec/goipsec/pkg/endpoint"
	"github.com/goipsec/goipsec/pkg/metrics"
)

// recorder is an endpoint that writes down what it was asked.
type recorder struct {
	mu      sync.Mutex
	calls   []string
	err     error
	waiting []endpoint.Waiting
	wait    bool // Connect waits for its context
	stop    chan struct{}
}

func (r *recorder) note(format string, args ...any) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, fmt.Sprintf(format, args...))
	return r.err
}

func (r *recorder) Status() endpoint.Status {
	return endpoint.Status{SchemaVersion: endpoint.SchemaVersion, Instance: "test", Drops: endpoint.Drops{"no-sa": 3},
		Peers: []endpoint.Peer{{ID: 7, Remote: netip.MustParseAddrPort("[2001:db8::2]:500")}}}
}

func (r *recorder) Connect(ctx context.Context, target string) error {
	if r.wait {
		r.stop <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}
	return r.note("connect %s", target)
}
func (r *recorder) Rekey(id string) error  { return r.note("rekey %s", id) }
func (r *recorder) Delete(id string) error { return r.note("delete %s", id) }
func (r *recorder) Reload() ([]endpoint.Waiting, error) {
	return r.waiting, r.note("reload")
}
func (r *recorder) Assign(n string) ([]endpoint.Waiting, error) {
	return r.waiting, r.note("assign %s", n)
}
func (r *recorder) Unassign() error { return r.note("unassign") }
func (r *recorder) Stop()           { _ = r.note("stop"); close(r.stop) }
func (r *recorder) Explain(q endpoint.Question) (endpoint.Explanation, error) {
	return endpoint.Explanation{Rule: "web", Carriers: []uint64{9}}, r.note("explain %v %v", q.Src, q.Dst)
}

func (r *recorder) List(q endpoint.Query) (endpoint.Page, error) {
	if q.List == endpoint.ListOverview {
		return endpoint.Page{Status: &endpoint.Status{Instance: "test"}}, nil
	}
	return endpoint.Page{List: q.List, Total: 3, Matched: 1, Events: []endpoint.Event{{Seq: 4, What: "x"}}}, r.note("list %s %q %d %d", q.List, q.Search, q.Offset, q.Limit)
}

// start serves r on a fresh socket.
func start(t *testing.T, r *recorder) (path string, s *Server) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "s.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	s = Serve(l, r)
	t.Cleanup(func() { s.Close() })
	return path, s
}

func TestEveryCallReachesTheEndpoint(t *testing.T) {
	r := &recorder{waiting: []endpoint.Waiting{{Setting: "tun: mtu", InForce: "1400", File: "1300"}}}
	told := func(got []endpoint.Waiting, err error) error {
		if diff := cmp.Diff(r.waiting, got); diff != "" {
			t.Errorf("what waits for a restart changed on its way (-sent +got):\n%s", diff)
		}
		return err
	}
	path, _ := start(t, r)
	c, ctx := NewClient(path), context.Background()
	got, err := c.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r.Status(), got, cmpopts.EquateComparable(netip.AddrPort{}, netip.Addr{})); diff != "" {
		t.Errorf("status changed on its way (-sent +got):\n%s", diff)
	}
	x, err := c.Explain(ctx, endpoint.Question{Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2")})
	if err != nil || x.Rule != "web" || len(x.Carriers) != 1 {
		t.Errorf("Explain = %+v, %v", x, err)
	}
	page, err := c.List(ctx, endpoint.Query{List: endpoint.ListEvents, Search: "a b", Offset: 1, Limit: 2})
	if err != nil || page.Total != 3 || len(page.Events) != 1 || page.Events[0].Seq != 4 {
		t.Errorf("List = %+v, %v", page, err)
	}
	for _, f := range []func() error{
		func() error { return c.Connect(ctx, "192.0.2.2") },
		func() error { return c.Rekey(ctx, "7") },
		func() error { return c.Delete(ctx, "8") },
		func() error { return told(c.Reload(ctx)) },
		func() error { return told(c.Assign(ctx, "office")) },
		func() error { return c.Unassign(ctx) },
	} {
		if err := f(); err != nil {
			t.Error(err)
		}
	}
	want := []string{"explain 192.0.2.1 192.0.2.2", `list events "a b" 1 2`, "connect 192.0.2.2", "rekey 7", "delete 8", "reload", "assign office", "unassign"}
	if diff := cmp.Diff(want, r.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestMetricsAreWhereScrapersLook(t *testing.T) {
	path, _ := start(t, &recorder{})
	resp, err := NewClient(path).http.Get("http://goipsec/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.Header.Get("Content-Type") != metrics.ContentType || !strings.Contains(string(text), "\ngoipsec_up 1\n") {
		t.Errorf("%v, %s:\n%s", err, resp.Header.Get("Content-Type"), text)
	}
}

func TestRefusalsKeepTheirKind(t *testing.T) {
	for _, c := range []struct {
		err  error
		code Code
	}{
		{fmt.Errorf("SA 7: %w", endpoint.ErrNotFound), CodeNotFound},
		{fmt.Errorf("a.yaml:3: %w", endpoint.ErrPolicyFile), CodePolicyFile},
		{fmt.Errorf("%w: x", endpoint.ErrQuery), CodeBadRequest},
		{errors.New("the peer did not answer"), CodeFailed},
	} {
		path, _ := start(t, &recorder{err: c.err})
		var refused *RemoteError
		if err := NewClient(path).Rekey(context.Background(), "7"); !errors.As(err, &refused) || refused.Code != c.code || refused.Message != c.err.Error() {
			t.Errorf("%v arrived as %#v", c.err, err)
		}
		if _, err := NewClient(path).Explain(context.Background(), endpoint.Question{}); !errors.As(err, &refused) || refused.Code != c.code {
			t.Errorf("%v arrived as %#v from explain", c.err, err)
		}
	}
}

// A stop is answered only when the endpoint has ended and cleaned up.
func TestStopIsAnsweredWhenTheEndpointHasEnded(t *testing.T) {
	r := &recorder{stop: make(chan struct{})}
	path, s := start(t, r)
	answered := make(chan error, 1)
	go func() { answered <- NewClient(path).Stop(context.Background()) }()
	<-r.stop
	select {
	case err := <-answered:
		t.Fatalf("answered while the endpoint was still cleaning up: %v", err)
	default:
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-answered; err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestCloseGivesUpWaitingRequests(t *testing.T) {
	r := &recorder{wait: true, stop: make(chan struct{})}
	path, s := start(t, r)
	answered := make(chan error, 1)
	go func() { answered <- NewClient(path).Connect(context.Background(), "b") }()
	<-r.stop
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-answered; err == nil {
		t.Error("a request that was given up said it succeeded")
	}
}

func TestA9SocketModeIs0600(t *testing.T) {
	path, _ := start(t, &recorder{})
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestA9OtherUsersAreTurnedAway(t *testing.T) {
	for _, c := range []struct {
		peer, owner uint32
		want        bool
	}{{0, 1000, true}, {1000, 1000, true}, {1001, 1000, false}, {1000, 0, false}, {0, 0, true}} {
		if got := identityOf(1, c.peer).mayUse(identityOf(2, c.owner)); got != c.want {
			t.Errorf("uid %d on a socket of uid %d: %v", c.peer, c.owner, got)
		}
	}
	if (identity{}).mayUse(identity{}) {
		t.Error("a peer that is not known may use the socket of an owner that is not known")
	}

	// On the wire: a server of another user's closes without reading.
	path := filepath.Join(t.TempDir(), "s.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		t.Skip("root may use every socket; the rule itself was checked above")
	}
	l.(*listener).self = identityOf(1, uint32(os.Geteuid())+1)
	s := Serve(l, &recorder{})
	defer s.Close()
	if _, err := NewClient(path).Status(context.Background()); err == nil {
		t.Error("another user's request was answered")
	}
}

func TestA9RequestsAreBoundedAndStrict(t *testing.T) {
	r := &recorder{}
	path, _ := start(t, r)
	hc := NewClient(path).http
	for name, c := range map[string]struct {
		method, path, body string
		status             int
	}{
		"too long":      {"POST", pathConnect, `{"target":"` + strings.Repeat("a", maxRequest) + `"}`, http.StatusBadRequest},
		"unknown field": {"POST", pathRekey, `{"id":"7","force":true}`, http.StatusBadRequest},
		"two values":    {"POST", pathRekey, `{"id":"7"}{"id":"8"}`, http.StatusBadRequest},
		"not JSON":      {"POST", pathDelete, `id=7`, http.StatusBadRequest},
		"empty":         {"POST", pathExplain, ``, http.StatusBadRequest},
		"bad address":   {"POST", pathExplain, `{"src":"nowhere"}`, http.StatusBadRequest},
		"GET a command": {"GET", pathStop, ``, http.StatusMethodNotAllowed},
		"unknown path":  {"GET", "/v2/status", ``, http.StatusNotFound},
	} {
		req, err := http.NewRequest(c.method, "http://goipsec"+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := hc.Do(req)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		resp.Body.Close()
		if resp.StatusCode != c.status {
			t.Errorf("%s: status %d, want %d", name, resp.StatusCode, c.status)
		}
	}
	if len(r.calls) != 0 {
		t.Errorf("bad requests reached the endpoint: %q", r.calls)
	}
}

func TestLiveSocketIsRefusedNamingItsHolder(t *testing.T) {
	path, _ := start(t, &recorder{})
	_, err := Listen(path)
	var used *InUseError
	if !errors.As(err, &used) || used.PID != os.Getpid() || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("got %v", err)
	}
	if _, err := NewClient(path).Status(context.Background()); err != nil {
		t.Errorf("the live one was harmed: %v", err)
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "s.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	// A process that is killed closes its socket and leaves the file.
	l.(*listener).Listener.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	var down *NotRunningError
	if _, err := NewClient(path).Status(context.Background()); !errors.As(err, &down) {
		t.Errorf("asking a dead one: %v", err)
	}
	l, err = Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	s := Serve(l, &recorder{})
	defer s.Close()
	if _, err := NewClient(path).Status(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestFileThatIsNoSocketIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notes.txt")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("got %v", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "mine" {
		t.Errorf("the file is now %q, %v", b, err)
	}
}

func TestOfManyThatStartAtOnceOneWins(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "s.sock")
	const n = 8
	results := make(chan error, n)
	var mu sync.Mutex
	var held []net.Listener
	for range n {
		go func() {
			l, err := Listen(path)
			if err == nil {
				mu.Lock()
				held = append(held, l)
				mu.Unlock()
			}
			results <- err
		}()
	}
	for range n {
		var used *InUseError
		if err := <-results; err != nil && !errors.As(err, &used) {
			t.Error(err)
		}
	}
	if len(held) != 1 {
		t.Errorf("%d of %d hold the socket", len(held), n)
	}
	for _, l := range held {
		l.Close()
	}
}

func TestPathsThatCannotBe(t *testing.T) {
	if _, err := Listen(filepath.Join(t.TempDir(), strings.Repeat("x", 120))); err == nil || !strings.Contains(err.Error(), "bytes long") {
		t.Errorf("got %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(filepath.Join(file, "s.sock")); err == nil {
		t.Error("a socket inside a file")
	}
	if _, err := NewClient(filepath.Join(file, "s.sock")).Status(context.Background()); err == nil {
		t.Error("a client inside a file")
	}
}

func TestDefaultPath(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/1000")
	p := DefaultPath()
	if !filepath.IsAbs(p) || filepath.Base(filepath.Dir(p)) != "goipsec" || len(p) > maxPath {
		t.Errorf("DefaultPath = %q", p)
	}
	if os.Geteuid() != 0 && p != "/run/user/1000/goipsec/goipsec.sock" {
		t.Errorf("DefaultPath of an ordinary user = %q", p)
	}
	t.Setenv("XDG_RUNTIME_DIR", "relative")
	if p := DefaultPath(); !filepath.IsAbs(p) {
		t.Errorf("DefaultPath = %q", p)
	}
	if got := Instance("/run/goipsec/lab.sock"); got != "lab" {
		t.Errorf("Instance = %q", got)
	}
}

func TestAnswerOfAnotherProgram(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	replies := []string{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nHi!", "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "SSH-2.0-x\r\n"}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, r := range replies {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Read(make([]byte, 1024))
			c.Write([]byte(r))
			c.Close()
		}
	}()
	for i := range replies {
		if _, err := NewClient(path).Status(context.Background()); err == nil {
			t.Errorf("reply %d was taken for a status", i)
		}
	}
	l.Close()
	<-done
}

// TestA9AnotherUserOnTheWire runs this test's program as another user: even where the socket's mode and directory would let it in, it
// gets no answer, and a client of another user's server sends nothing.
func TestA9AnotherUserOnTheWire(t *testing.T) {
	if path := os.Getenv("CONTROL_TEST_SOCKET"); path != "" {
		_, err := NewClient(path).Status(context.Background())
		fmt.Printf("status: %v\n", err)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user; TestA9OtherUsersAreTurnedAway checks the rule")
	}
	dir, err := os.MkdirTemp("", "a9")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{}
	s := Serve(l, r)
	defer s.Close()
	program := filepath.Join(dir, "test")
	b, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Skip("this system does not show a program its own file")
	}
	for _, err := range []error{os.WriteFile(program, b, 0o755), os.Chmod(dir, 0o755), os.Chmod(path, 0o666)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(program, "-test.run=^TestA9AnotherUserOnTheWire$", "-test.v")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CONTROL_TEST_SOCKET="+path)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "status: ") || strings.Contains(string(out), "status: <nil>") {
		t.Errorf("user 65534 got an answer: %v\n%s", err, out)
	}
	if _, err := NewClient(path).Status(context.Background()); err != nil {
		t.Errorf("root got none: %v", err)
	}
}

func TestClientRefusesAnotherUsersServer(t *testing.T) {
	for _, c := range []struct {
		server, client uint32
		want           bool
	}{{1000, 1000, true}, {0, 1000, true}, {1001, 1000, false}, {1001, 0, true}} {
		if got := identityOf(2, c.client).mayTrust(identityOf(1, c.server)); got != c.want {
			t.Errorf("a server of user %d is trusted by user %d: %v", c.server, c.client, got)
		}
	}
	if (identity{}).mayTrust(identity{}) {
		t.Error("a server that is not known is trusted")
	}
	if _, err := peerOf(nil); err == nil {
		t.Error("something that is no unix socket has a peer")
	}
	if err := plain(errors.New("x")); !strings.Contains(err.Error(), "x") {
		t.Error(err)
	}
}
