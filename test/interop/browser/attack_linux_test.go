package browser

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// attack is a page of another site that tries everything a page can to read from, or change, the server at %[1]s. It even knows the token. Each attempt says how it ended.
const attack = `<!DOCTYPE html><title>attack</title><body><script>
const target = %[1]q, token = %[2]q, results = {};
let running = 0;
const note = (name, text) => { if (!(name in results)) { results[name] = text; running--; } };
const attempt = (name, start) => { running++; try { start(name); } catch (e) { note(name, "refused: " + e.message); } };
const element = (name, kind, attributes, on) => { const e = document.createElement(kind); Object.assign(e, attributes); on(e); document.body.append(e); return e; };
const ask = (name, path, options) => fetch(target + path, options).then(async (r) => note(name, r.type === "opaque" ? "opaque: " + (await r.text()) : "read: " + (await r.text())), (e) => note(name, "refused: " + e.message));

attempt("read", (n) => ask(n, "head"));
attempt("read a page", (n) => ask(n, "view/quick-mode-sas"));
attempt("read metrics", (n) => ask(n, "metrics"));
attempt("read with credentials", (n) => ask(n, "head", { credentials: "include" }));
attempt("read blindly", (n) => ask(n, "head", { mode: "no-cors" }));
attempt("change blindly", (n) => ask(n, "do/reload", { method: "POST", mode: "no-cors", body: "{}" }));
attempt("change with the token", (n) => ask(n, "do/reload", { method: "POST", headers: { "Content-Type": "application/json", "X-Goipsec-Token": token }, body: "{}" }));
attempt("change by beacon", (n) => { navigator.sendBeacon(target + "do/reload", new Blob(["{}"], { type: "text/plain" })); note(n, "sent"); });
attempt("script", (n) => element(n, "script", { src: target + "page.js" }, (e) => { e.onload = () => note(n, "read: it ran"); e.onerror = () => note(n, "refused"); }));
attempt("image", (n) => element(n, "img", { src: target + "icon.svg" }, (e) => { e.onload = () => note(n, "read: it is shown"); e.onerror = () => note(n, "refused"); }));
attempt("style", (n) => element(n, "link", { rel: "stylesheet", href: target + "style.css" }, (e) => { e.onload = () => note(n, "read: it is used"); e.onerror = () => note(n, "refused"); }));
attempt("events", (n) => { const s = new EventSource(target + "head"); s.onmessage = (m) => note(n, "read: " + m.data); s.onerror = () => { s.close(); note(n, "refused"); }; });
attempt("websocket", (n) => { const s = new WebSocket(target.replace("http", "ws") + "head"); s.onopen = () => note(n, "read: it is open"); s.onerror = () => note(n, "refused"); });
attempt("frame", (n) => { const f = element(n, "iframe", { src: target }, (e) => { e.onload = () => { let text = ""; try { text = e.contentDocument.body.innerText; } catch (x) { } note(n, text ? "read: " + text : "refused"); }; }); });
attempt("form", (n) => {
  const f = element(n, "iframe", { name: "sink" }, () => {}), form = element(n, "form", { action: target + "do/reload", method: "post", enctype: "text/plain", target: "sink" }, () => {});
  element(n, "input", { name: '{"target":"', value: '"}' }, () => {});
  form.append(document.querySelector("input"));
  f.onload = () => note(n, "sent");
  form.submit();
});
</script>`

// attacker serves the page under the name of another site.
func attacker(t *testing.T, target string) (port string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, attack, target, token)
	}))
	t.Cleanup(s.Close)
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// A page of another site, and one of another port of this host, which browsers take for the same site, read nothing and change nothing.
func TestPagesOfOtherSitesGetNothing(t *testing.T) {
	s := open(t, true)
	var own int
	s.must(s.Eval(s.ctx, `fetch("/head").then((r) => r.status)`, &own))
	if own != http.StatusOK {
		t.Fatalf("the page itself gets status %d: the attacks would prove nothing", own)
	}
	port := attacker(t, s.url)
	for _, host := range []string{"attacker.test", "127.0.0.1", "localhost"} {
		s.must(s.Go(s.ctx, "http://"+host+":"+port+"/"))
		s.await("running === 0")
		var results map[string]string
		s.must(s.Eval(s.ctx, "results", &results))
		if len(results) != 15 {
			t.Errorf("%s: %d attempts: %v", host, len(results), results)
		}
		for name, how := range results {
			if strings.HasPrefix(how, "read") || strings.HasPrefix(how, "opaque: ") && how != "opaque: " {
				t.Errorf("%s: %s: %s", host, name, how)
			}
		}
	}
	if seen := s.e.seen(); seen != "" {
		t.Errorf("another site changed something: %s", seen)
	}
}

// DNS rebinding: the attacker's name points to 127.0.0.1 now, so that for the browser the server is the attacker's own site. It answers nothing.
func TestANameThatPointsHereGetsNothing(t *testing.T) {
	s := open(t, true)
	_, port, _ := strings.Cut(strings.TrimPrefix(strings.TrimSuffix(s.url, "/"), "http://"), ":")
	for _, name := range otherSites {
		s.must(s.Go(s.ctx, "http://"+name+":"+port+"/"))
		s.sees("body", "by its loopback address and port only")
		var got struct {
			Head, Metrics, Page, Change int
			Text                        string
		}
		s.must(s.Eval(s.ctx, fmt.Sprintf(`(async () => {
			const status = async (path, options) => (await fetch(path, options)).status;
			return { Head: await status("/head"), Metrics: await status("/metrics"), Page: await status("/view/quick-mode-sas"), Text: await (await fetch("/data/policy")).text(),
				Change: await status("/do/reload", { method: "POST", headers: { "Content-Type": "application/json", "X-Goipsec-Token": %q }, body: "{}" }) };
		})()`, token), &got))
		if got.Head != 421 || got.Metrics != 421 || got.Page != 421 || got.Change != 421 || strings.Contains(got.Text, "headquarters") {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if seen := s.e.seen(); seen != "" {
		t.Errorf("another site changed something: %s", seen)
	}
}
