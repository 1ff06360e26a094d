package browser

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/endpoint"
	"github.com/goipsec/goipsec/pkg/monitor"
	"github.com/goipsec/goipsec/pkg/monitor/web"
)

// The names that the browser takes for other sites, all of them 127.0.0.1.
var otherSites = []string{"attacker.test", "rebound.test"}

var chromium = sync.OnceValues(func() (*Chromium, error) {
	dir, err := os.MkdirTemp("", "goipsec-browser")
	if err != nil {
		return nil, err
	}
	atExit = append(atExit, func() { os.RemoveAll(dir) })
	c, err := Launch(context.Background(), dir, otherSites, func(format string, args ...any) { fmt.Printf(format+"\n", args...) })
	if err == nil {
		atExit = append(atExit, func() { c.Close() })
	}
	return c, err
})

var atExit []func()

func TestMain(m *testing.M) {
	code := m.Run()
	for i := len(atExit) - 1; i >= 0; i-- {
		atExit[i]()
	}
	os.Exit(code)
}

// counting is an endpoint that counts what is changed.
type counting struct {
	*endpoint.Endpoint
	mu      sync.Mutex
	changes []string
}

func (c *counting) note(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes = append(c.changes, what)
}

func (c *counting) seen() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.changes, ", ")
}

func (c *counting) Connect(ctx context.Context, target string) error {
	c.note("connect " + target)
	return c.Endpoint.Connect(ctx, target)
}
func (c *counting) Rekey(id string) error  { c.note("rekey " + id); return c.Endpoint.Rekey(id) }
func (c *counting) Delete(id string) error { c.note("delete " + id); return c.Endpoint.Delete(id) }
func (c *counting) Reload() ([]endpoint.Waiting, error) {
	c.note("reload")
	return c.Endpoint.Reload()
}

// site is a running pair, the page of its first endpoint, and a tab of the browser.
type site struct {
	*Tab
	t    *testing.T
	ctx  context.Context
	pair *Pair
	e    *counting
	url  string
}

const token = "0123456789abcdef0123456789abcdef"

func open(t *testing.T, withToken bool) *site {
	t.Helper()
	if testing.Short() {
		t.Skip("-short")
	}
	c, err := chromium()
	if err != nil {
		t.Skipf("no browser: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	pair, err := Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, ctx: ctx, pair: pair, e: &counting{Endpoint: pair.A}}
	var known web.Token
	if withToken {
		file := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if known, err = web.ReadToken(file); err != nil {
			t.Fatal(err)
		}
	}
	l, err := web.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := web.New(l, s.e, known)
	served := make(chan error, 1)
	go func() { served <- server.Serve() }()
	s.url = server.URL()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
		cancel()
		if err := pair.Wait(); err != nil {
			t.Error(err)
		}
	})
	if s.Tab, err = c.Open(ctx); err != nil {
		t.Fatal(err)
	}
	s.must(s.Size(ctx, 1280, 800, "light"))
	s.must(s.Go(ctx, s.url))
	return s
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// await waits for a condition in the page.
func (s *site) await(condition string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, 20*time.Second)
	defer cancel()
	if err := s.Await(ctx, condition); err != nil {
		var text string
		_ = s.Eval(s.ctx, "document.body.innerText", &text)
		s.t.Fatalf("%v\nThe page shows:\n%s\nThe browser says: %s", err, text, s.Complaints())
	}
}

// sees waits for a text in a part of the page.
func (s *site) sees(selector, text string) {
	s.t.Helper()
	s.await(fmt.Sprintf("(document.querySelector(%q) || {innerText: \"\"}).innerText.includes(%q)", selector, text))
}

func (s *site) click(selector string) {
	s.t.Helper()
	s.must(s.Click(s.ctx, selector))
}

// quiet expects that the browser had nothing to complain of: no script failed, and the page's policy stopped nothing.
func (s *site) quiet() {
	s.t.Helper()
	if list := s.Complaints(); len(list) > 0 {
		s.t.Errorf("the browser complains: %s", strings.Join(list, "\n"))
	}
}

// One clicks through every view, with the mouse, and sees what the endpoint tells.
func TestEveryViewInTheBrowser(t *testing.T) {
	s := open(t, false)
	for range 3 {
		s.must(s.pair.Carry())
	}
	go s.pair.A.Connect(s.ctx, "gone-away")
	want := map[string][]string{
		"policy":                      {"to-headquarters", "reject-the-rest", Hostile, "1 – 5 of 5"},
		"main-mode-generic-filters":   {"10.1.0.0/24", "192.0.2.77", "psk"},
		"main-mode-specific-filters":  {"192.0.2.1", "192.0.2.99", "2.0.064."},
		"main-mode-policies":          {"aes-cbc-256 sha256 curve25519", "4h00m"},
		"main-mode-statistics":        {"IKE Main Mode", "Total Acquire", "since the start"},
		"main-mode-sas":               {"192.0.2.2:4500", "established", "psk"},
		"quick-mode-generic-filters":  {"198.51.100.0/24", "tcp", "permit"},
		"quick-mode-specific-filters": {"any4", "135", "block"},
		"quick-mode-policies":         {"strong", "esp 3des hmac-sha1-96", "curve25519"},
		"quick-mode-statistics":       {"Confidential Bytes Sent", "Active Tunnels"},
		"traffic":                     {"from the TUN", "sealed"},
		"quick-mode-sas":              {"10.1.0.0/24 <-> 10.2.0.0/24", "installed", "esp aes-gcm-16 256"},
		"soft-sas":                    {"nothing"},
		"dynamic-filters":             {"nothing"},
		"events":                      {"peer-up", "child-up"},
		"failures":                    {""},
	}
	for _, v := range monitor.Views {
		s.click(fmt.Sprintf(`nav a[href="/view/%s"]`, v.ID))
		s.await(fmt.Sprintf("document.querySelector('nav a[aria-current]').textContent === %q && document.getElementById('name').textContent === %[1]q && location.pathname === '/view/%s'", v.Title, v.ID))
		s.await("document.getElementById('range').textContent !== ''")
		texts, ok := want[v.ID]
		if !ok {
			t.Errorf("no test says what %s shows", v.ID)
		}
		for _, text := range texts {
			s.sees("#view", text)
		}
	}
	s.quiet()
	var elements int
	s.must(s.Eval(s.ctx, `document.querySelectorAll("#view img").length`, &elements))
	if elements != 0 {
		t.Error("the name of a rule became markup")
	}
}

// What happens is seen without a click, and details open.
func TestThePageIsLive(t *testing.T) {
	s := open(t, false)
	s.click(`nav a[href="/view/quick-mode-sas"]`)
	s.sees("#table", "installed")
	s.sees("#table tbody", "0 B")
	s.must(s.pair.Carry())
	s.await(`[...document.querySelectorAll("#table tbody td")].some((c) => /^[1-9][0-9]* B$/.test(c.textContent))`)
	s.click("#table tbody button")
	s.sees("#table tr.details", "SPIs")
	s.sees("#table tr.details", "1 out")
	s.must(s.pair.Carry())
	s.sees("#table tr.details", "2 out") // still open, and true
	s.click("#table tbody button")
	s.await(`!document.querySelector("#table tr.details")`)

	s.click(`nav a[href="/view/events"]`)
	s.sees("#table", "child-up")
	_, err := s.pair.A.Reload()
	s.must(err)
	s.sees("#table", "reload")
	s.quiet()
}

func TestTheSearchIsTyped(t *testing.T) {
	s := open(t, false)
	s.click(`nav a[href="/view/quick-mode-specific-filters"]`)
	s.sees("#range", "of 1")
	s.click("#search")
	s.must(s.Type(s.ctx, "printer OUTBOUND"))
	s.sees("#range", "found in")
	s.await(`[...document.querySelectorAll("#table tbody tr")].every((r) => r.innerText.includes("old-printer") && r.innerText.includes("out"))`)
	s.must(s.Go(s.ctx, s.url+"view/quick-mode-specific-filters?search=reject"))
	s.sees("#table", "reject-the-rest")
	s.await(`document.getElementById("search").value === "reject"`)
	s.must(s.Eval(s.ctx, "history.back()", nil))
	s.quiet()
}

// The page is the same without its script, but for what is live.
func TestThePageWorksWithoutItsScript(t *testing.T) {
	s := open(t, false)
	s.must(s.call(s.ctx, "Emulation.setScriptExecutionDisabled", map[string]any{"value": true}, nil))
	s.must(s.Go(s.ctx, s.url+"view/quick-mode-sas"))
	s.must(s.call(s.ctx, "Emulation.setScriptExecutionDisabled", map[string]any{"value": false}, nil))
	s.sees("#table", "installed")
}

// The token unlocks changes; a wrong one does not.
func TestChangesNeedTheToken(t *testing.T) {
	s := open(t, true)
	s.click(`nav a[href="/view/quick-mode-sas"]`)
	s.sees("#table", "installed")
	s.click("#token")
	s.must(s.Type(s.ctx, strings.Repeat("x", 32)))
	s.click("#unlock button")
	s.sees("#outcome", "the token is missing or wrong")
	s.await(`document.getElementById("change").hidden`)
	s.Complaints() // a 403 is one
	s.click("#token")
	s.must(s.Type(s.ctx, token))
	s.click("#unlock button")
	s.sees("#outcome", "unlocked")
	s.sees("#table tbody", "Rekey")
	if seen := s.e.seen(); seen != "" {
		t.Fatalf("without the token: %s", seen)
	}
	s.click(`#table button[data-focus^="rekey"]`)
	s.sees("#outcome", "are being negotiated")
	s.click("#reload")
	s.sees("#outcome", "read again and applied")
	s.click("#target")
	s.must(s.Type(s.ctx, "no-such-rule"))
	s.click("#change button:last-of-type")
	s.sees("#outcome", "names no rule")
	s.click(`nav a[href="/view/main-mode-sas"]`)
	s.sees("#table", "established")
	s.click(`#table button[data-focus^="delete"]`)
	s.sees("#table", "Really delete")
	s.click(`#table button[data-focus^="delete"]`)
	s.sees("#outcome", "is deleted")
	if seen := s.e.seen(); !strings.HasPrefix(seen, "rekey 2, reload, connect no-such-rule, delete ") {
		t.Errorf("the endpoint was asked for: %s", seen)
	}
	var stored int
	s.must(s.Eval(s.ctx, "localStorage.length + sessionStorage.length + document.cookie.length", &stored))
	if stored != 0 {
		t.Error("the page stores something in the browser")
	}
	s.quiet()
}

// A page whose endpoint is gone says so, and what it showed stays.
func TestThePageTellsThatNobodyAnswers(t *testing.T) {
	s := open(t, false)
	s.sees("#table", "to-headquarters")
	s.pair.A.Stop()
	s.sees("#lost", "No answer since")
	s.sees("#table", "to-headquarters")
}

// GOIPSEC_SHOTS is a directory for pictures of every view, for people to look at.
func TestPicturesOfEveryView(t *testing.T) {
	dir := os.Getenv("GOIPSEC_SHOTS")
	if dir == "" {
		t.Skip("GOIPSEC_SHOTS names no directory for the pictures")
	}
	s := open(t, true)
	for range 20 {
		s.must(s.pair.Carry())
	}
	failed := s.pair.A.Connect(s.ctx, "gone-away")
	t.Log("the peer that is gone away:", failed)
	s.must(s.pair.A.Rekey("2"))
	for _, scheme := range []string{"light", "dark"} {
		s.must(s.Size(s.ctx, 1280, 800, scheme))
		for _, v := range monitor.Views {
			s.must(s.Go(s.ctx, s.url+"view/"+v.ID))
			s.await(`document.querySelector("#table tbody td.act + td") || document.getElementById("range").textContent === "nothing"`)
			if v.ID == "failures" {
				s.await(`document.querySelector("#table tbody button")`)
				s.click("#table tbody button")
				s.await(`document.querySelector("tr.details")`)
			}
			s.must(s.Shot(s.ctx, filepath.Join(dir, v.ID+"-"+scheme+".png")))
		}
	}
	s.must(s.Size(s.ctx, 420, 800, "light"))
	s.must(s.Go(s.ctx, s.url+"view/quick-mode-sas"))
	s.sees("#table", "installed")
	s.must(s.Shot(s.ctx, filepath.Join(dir, "narrow.png")))
}
