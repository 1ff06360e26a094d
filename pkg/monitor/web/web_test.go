package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/endpoint"
	"github.com/goipsec/goipsec/pkg/monitor"
)

// lab is an endpoint that writes down what it is asked to change.
type lab struct {
	mu      sync.Mutex
	changes []string
	err     error
}

const markup = `<script>alert("x")</script>`

func (l *lab) List(q endpoint.Query) (endpoint.Page, error) {
	if l.err != nil {
		return endpoint.Page{}, l.err
	}
	p := endpoint.Page{List: q.List, Total: 250, Matched: 250, Offset: q.Offset}
	switch q.List {
	case endpoint.ListOverview:
		p.Status = &endpoint.Status{Instance: markup, Warnings: []string{markup}}
	case endpoint.ListRules:
		for i := q.Offset; i < min(250, q.Offset+q.Limit); i++ {
			p.Rules = append(p.Rules, endpoint.RuleEntry{Name: fmt.Sprint("rule ", i, markup), Action: "permit"})
		}
	}
	if len(q.Search) > 200 {
		return endpoint.Page{}, fmt.Errorf("%w: too long", endpoint.ErrQuery)
	}
	return p, nil
}

func (l *lab) note(what string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changes = append(l.changes, what)
	return nil
}

func (l *lab) Connect(_ context.Context, target string) error { return l.note("connect " + target) }
func (l *lab) Rekey(id string) error                          { return l.note("rekey " + id) }
func (l *lab) Delete(id string) error {
	return errors.Join(l.note("delete "+id), errors.New("no such SA \x1b[31m"))
}
func (l *lab) Reload() ([]endpoint.Waiting, error) {
	return []endpoint.Waiting{{Setting: "tun: mtu", InForce: "1400", File: "1300"}}, l.note("reload")
}

const secret = "0123456789abcdef0123456789abcdef"

func tokenFrom(t *testing.T, text string, mode os.FileMode) (Token, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return ReadToken(file)
}

// serve runs a server on a free port until the test ends.
func serve(t *testing.T, e Endpoint, withToken bool) *Server {
	t.Helper()
	var token Token
	if withToken {
		var err error
		if token, err = tokenFrom(t, secret+"\n", 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(l, e, token)
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), <-served); err != nil {
			t.Error(err)
		}
	})
	return s
}

// ask sends a request whose headers are name, value, …; a Host is one of them.
func ask(t *testing.T, s *Server, method, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, strings.TrimSuffix(s.URL(), "/")+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
			continue
		}
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

func TestEveryViewIsAPageAndData(t *testing.T) {
	s := serve(t, &lab{}, false)
	for _, v := range monitor.Views {
		resp, text := ask(t, s, "GET", "/view/"+v.ID, "")
		if resp.StatusCode != 200 || !strings.Contains(text, `href="/view/`+v.ID+`" aria-current="page"`) || !strings.Contains(text, "<title>"+v.Title) {
			t.Errorf("%s: %s\n%s", v.ID, resp.Status, text)
		}
		if strings.Contains(text, "<script>") {
			t.Errorf("%s: markup of a name got through", v.ID)
		}
		resp, text = ask(t, s, "GET", "/data/"+v.ID, "")
		var d tableData
		if err := json.Unmarshal([]byte(text), &d); err != nil || d.View != v.ID || resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %v in %s", v.ID, err, text)
		}
	}
	if _, text := ask(t, s, "GET", "/metrics", ""); !strings.Contains(text, "\ngoipsec_up 1\n") {
		t.Errorf("metrics: %s", text)
	}
	if _, text := ask(t, s, "GET", "/", ""); !strings.Contains(text, "rule 99&lt;script&gt;") || !strings.Contains(text, `href="/view/policy?from=100"`) || !strings.Contains(text, "1 – 100 of 250") {
		t.Errorf("the first page: %s", text)
	}
	if _, text := ask(t, s, "GET", "/view/policy?from=200&search=rule", ""); !strings.Contains(text, `href="/view/policy?from=100&amp;search=rule"`) || strings.Contains(text, "from=300") {
		t.Errorf("the last page: %s", text)
	}
}

// Nothing that a page may not do is allowed by a header, and nothing of it is inline.
func TestPagesAllowNothingButTheirOwn(t *testing.T) {
	s := serve(t, &lab{}, true)
	for _, path := range []string{"/", "/head", "/data/events", "/metrics", "/page.js", "/style.css", "/nothing"} {
		resp, text := ask(t, s, "GET", path, "")
		for name, want := range headers {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		for name := range resp.Header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s allows other origins something: %s", path, name)
			}
		}
		if strings.Contains(text, secret) {
			t.Errorf("%s holds the token", path)
		}
	}
	page, err := files.ReadFile("page.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{" style=", "<style", "onclick", "onload", "javascript:", "http://", "https://", "//"} {
		if strings.Contains(strings.ReplaceAll(string(page), "<!DOCTYPE html>", ""), bad) {
			t.Errorf("page.html holds %q", bad)
		}
	}
	script, err := files.ReadFile("page.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "localStorage", "sessionStorage", "cookie"} {
		if strings.Contains(string(script), bad) {
			t.Errorf("page.js uses %s", bad)
		}
	}
}

// DNS rebinding: a name that points here is refused, whatever is asked.
func TestOnlyLoopbackNamesAreAnswered(t *testing.T) {
	s := serve(t, &lab{}, true)
	for host, want := range map[string]int{
		"127.0.0.1:" + s.port: 200, "localhost:" + s.port: 200, "LOCALHOST:" + s.port: 200, "[::1]:" + s.port: 200, "127.3.2.1:" + s.port: 200,
		"attacker.test:" + s.port: 421, "localhost.attacker.test:" + s.port: 421, "127.0.0.1.attacker.test:" + s.port: 421, "127.0.0.1": 421, "127.0.0.1:1": 421,
		"192.0.2.1:" + s.port: 421, "[::ffff:127.0.0.1]:" + s.port: 200, "localhost": 421, "localhost.:" + s.port: 421, "0.0.0.0:" + s.port: 421,
	} {
		for _, path := range []string{"/", "/head", "/metrics", "/page.js"} {
			if resp, _ := ask(t, s, "GET", path, "", "Host", host); resp.StatusCode != want {
				t.Errorf("Host %s, %s: %s, want %d", host, path, resp.Status, want)
			}
		}
	}
}

// Cross-site requests: what a browser says about where a request comes from decides, with and without the token.
func TestOtherSitesAreRefused(t *testing.T) {
	e := &lab{}
	s := serve(t, e, true)
	own := "http://127.0.0.1:" + s.port
	for _, c := range []struct {
		name, method, path, origin, site string
		want                             int
	}{
		{"a person types", "GET", "/", "", "none", 200},
		{"our page reads", "GET", "/head", "", "same-origin", 200},
		{"our page reads, older", "GET", "/head", own, "", 200},
		{"a link on another site", "GET", "/", "", "cross-site", 403},
		{"another site reads", "GET", "/head", "http://attacker.test", "cross-site", 403},
		{"another port of this host reads", "GET", "/head", "http://127.0.0.1:1", "same-site", 403},
		{"another site reads, older", "GET", "/head", "http://attacker.test", "", 403},
		{"a page without an origin", "GET", "/head", "null", "", 403},
		{"our page changes", "POST", "/do/reload", own, "same-origin", 200},
		{"our page changes, older", "POST", "/do/reload", own, "", 200},
		{"another site changes", "POST", "/do/reload", "http://attacker.test", "cross-site", 403},
		{"another site changes, older", "POST", "/do/reload", "http://attacker.test", "", 403},
		{"it is not said who changes", "POST", "/do/reload", "", "", 403},
		{"another scheme", "POST", "/do/reload", "https://127.0.0.1:" + s.port, "", 403},
	} {
		header := []string{"Content-Type", "application/json", tokenHeader, secret}
		if c.origin != "" {
			header = append(header, "Origin", c.origin)
		}
		if c.site != "" {
			header = append(header, "Sec-Fetch-Site", c.site)
		}
		before := len(e.changes)
		resp, text := ask(t, s, c.method, c.path, "{}", header...)
		if resp.StatusCode != c.want {
			t.Errorf("%s: %s (%s), want %d", c.name, resp.Status, strings.TrimSpace(text), c.want)
		}
		if changed := len(e.changes) > before; changed != (c.method == "POST" && c.want == 200) {
			t.Errorf("%s: changed something: %v", c.name, changed)
		}
	}
}

func TestChangesNeedTheTokenAndJSON(t *testing.T) {
	e := &lab{}
	s := serve(t, e, true)
	same := []string{"Sec-Fetch-Site", "same-origin"}
	for _, c := range []struct {
		token, kind, path, body string
		want                    int
	}{
		{"", "application/json", "/do/reload", "{}", 403}, {secret + "0", "application/json", "/do/reload", "{}", 403}, {secret[:31], "application/json", "/do/reload", "{}", 403},
		{secret, "text/plain", "/do/reload", "{}", 415}, {secret, "application/x-www-form-urlencoded", "/do/reload", "a=b", 415}, {secret, "", "/do/reload", "{}", 415},
		{secret, "application/json", "/do/stop", "{}", 404}, {secret, "application/json", "/do/reload", "[", 400},
		{secret, "application/json", "/do/rekey", `{"target":"` + strings.Repeat("7", maxAction) + `"}`, 400},
	} {
		header := append([]string{"Content-Type", c.kind}, same...)
		if c.token != "" {
			header = append(header, tokenHeader, c.token)
		}
		if resp, _ := ask(t, s, "POST", c.path, c.body, header...); resp.StatusCode != c.want {
			t.Errorf("%+v: %s", c, resp.Status)
		}
	}
	if len(e.changes) != 0 {
		t.Fatalf("these changed something: %q", e.changes)
	}
	header := append([]string{"Content-Type", "application/json; charset=utf-8", tokenHeader, secret}, same...)
	for _, what := range []string{"check", "rekey", "delete", "connect", "reload"} {
		resp, text := ask(t, s, "POST", "/do/"+what, `{"target":"7"}`, header...)
		var o outcome
		if err := json.Unmarshal([]byte(text), &o); err != nil || resp.StatusCode != 200 || o.OK != (what != "delete") || strings.Contains(o.Text, "\x1b") {
			t.Errorf("%s: %s %s", what, resp.Status, text)
		}
		if told := strings.Contains(o.Text, "tun: mtu is 1300 in the file, and 1400 in force") && strings.Contains(o.Text, "goipsec down"); told != (what == "reload") {
			t.Errorf("%s: it is told what waits for a restart: %v, %s", what, told, text)
		}
	}
	if got := strings.Join(e.changes, ", "); got != "rekey 7, delete 7, connect 7, reload" {
		t.Errorf("the endpoint was asked for: %s", got)
	}
	if resp, _ := ask(t, s, "GET", "/do/reload", ""); resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("a change by GET: %s", resp.Status)
	}
}

func TestWithoutATokenThereIsNothingToChange(t *testing.T) {
	e := &lab{}
	s := serve(t, e, false)
	resp, _ := ask(t, s, "POST", "/do/reload", "{}", "Content-Type", "application/json", "Sec-Fetch-Site", "same-origin", tokenHeader, "")
	if _, text := ask(t, s, "GET", "/", ""); resp.StatusCode < 400 || len(e.changes) != 0 || strings.Contains(text, "unlock") {
		t.Errorf("%s, %q", resp.Status, e.changes)
	}
	if (&Token{}).fits("") {
		t.Error("no token fits no token")
	}
}

func TestTokensOfFiles(t *testing.T) {
	if token, err := tokenFrom(t, secret+"\r\n", 0o600); err != nil || !token.fits(secret) || strings.Contains(fmt.Sprintf("%v %+v %#v %x", token, token, token, token), "0123") {
		t.Errorf("%v, %v", token, err)
	}
	if _, err := tokenFrom(t, secret[:31], 0o600); err == nil || strings.Contains(err.Error(), secret[:8]) {
		t.Errorf("a short token: %v", err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	if _, err := tokenFrom(t, secret, 0o640); err == nil {
		t.Error("a file that others may read was taken")
	}
}

func TestOnlyLoopbackAddressesAreListenedOn(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":8080", "[::]:0", "192.0.2.1:80", "example.com:80", "127.0.0.1", "localhost:0"} {
		if l, err := Listen(addr); err == nil {
			l.Close()
			t.Errorf("%s is listened on", addr)
		}
	}
}

func TestBadRequestsAreRefused(t *testing.T) {
	s := serve(t, &lab{}, false)
	for path, want := range map[string]int{"/view/none": 404, "/data/policy?from=-1": 400, "/data/policy?from=x": 400, "/data/policy?from=99999999999999999999": 400,
		"/data/policy?search=" + strings.Repeat("a", 201): 400, "/etc/passwd": 404, "/view/": 404, "/page.html": 404} {
		if resp, _ := ask(t, s, "GET", path, ""); resp.StatusCode != want {
			t.Errorf("%s: %s, want %d", path, resp.Status, want)
		}
	}
	if resp, _ := ask(t, serve(t, &lab{err: errors.New("stopped")}, false), "GET", "/", ""); resp.StatusCode != 503 {
		t.Errorf("an endpoint that has stopped: %s", resp.Status)
	}
}

// A flood of connections waits outside; those who are in are answered, and when they go the others come in.
func TestConnectionsAreBounded(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := limit(inner, 2)
	defer l.Close()
	accepted := make(chan net.Conn, 8)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				close(accepted)
				return
			}
			accepted <- c
		}
	}()
	for range 4 {
		c, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	first, second := <-accepted, <-accepted
	select {
	case <-accepted:
		t.Fatal("a third connection was let in")
	default:
	}
	first.Close()
	first.Close() // twice is once
	third := <-accepted
	if len(l.places) != 2 {
		t.Errorf("%d places are taken", len(l.places))
	}
	second.Close()
	third.Close()
	<-accepted
	l.Close()
	if _, open := <-accepted; open {
		t.Error("something was accepted after Close")
	}
}

func TestAUnixSocketHasNoPort(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "w.sock"))
	if err != nil {
		t.Skip(err)
	}
	s := New(l, &lab{}, Token{})
	defer s.Close()
	if !strings.HasPrefix(s.URL(), "unix:") || !s.ours("localhost") || !s.ours("localhost:8080") || s.ours("attacker.test") {
		t.Errorf("%s", s.URL())
	}
}

func TestCloseEndsAServerThatNeverServed(t *testing.T) {
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := New(l, &lab{}, Token{}).Close(); err != nil {
		t.Error(err)
	}
	if c, err := net.DialTimeout("tcp", l.Addr().String(), time.Second); err == nil {
		c.Close()
		t.Error("the port is still open")
	}
}

// FuzzHandler sends any request: what another site may send changes nothing, nothing but a status that HTTP knows comes back, and every answer has the headers.
func FuzzHandler(f *testing.F) {
	token, err := func() (Token, error) {
		file := filepath.Join(f.TempDir(), "token")
		if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
			return Token{}, err
		}
		return ReadToken(file)
	}()
	if err != nil {
		f.Fatal(err)
	}
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	e := &lab{}
	s := New(l, e, token)
	f.Cleanup(func() { s.Close() })
	h := s.handler()
	f.Add(uint8(0), "/view/events", "search=a&from=3", "127.0.0.1:"+s.port, "", "", "", "")
	f.Add(uint8(1), "/do/delete", "", "localhost:"+s.port, "http://localhost:"+s.port, "same-origin", secret, `{"target":"1"}`)
	f.Add(uint8(1), "/do/reload", "", "attacker.test", "http://attacker.test", "cross-site", "x", "[[[")
	f.Fuzz(func(t *testing.T, method uint8, path, query, host, origin, site, given, body string) {
		if !strings.HasPrefix(path, "/") || strings.ContainsFunc(path+query, func(r rune) bool { return r < 0x21 || r > 0x7e || strings.ContainsRune("#?%", r) }) {
			t.Skip("no address that an HTTP request line can hold")
		}
		r := httptest.NewRequest([]string{"GET", "POST", "PUT", "OPTIONS"}[method%4], path+"?"+query, strings.NewReader(body))
		r.Host = host
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Origin", origin)
		r.Header.Set("Sec-Fetch-Site", site)
		r.Header.Set(tokenHeader, given)
		before := len(e.changes)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code < 200 || w.Code > 499 {
			t.Errorf("status %d", w.Code)
		}
		if w.Header().Get("Content-Security-Policy") != contentPolicy {
			t.Error("an answer without the policy")
		}
		if len(e.changes) > before && (given != secret || site != "" && site != "same-origin" && site != "none" || origin != "" && origin != "http://"+host) {
			t.Errorf("changed by %q %q %q", given, site, origin)
		}
		if len(e.changes) > 1000 {
			e.changes = nil
		}
	})
}
