package system

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/test/interop/lab"
)

// fetch asks for a page from within a host, which may have no program for that: the shell speaks HTTP.
func fetch(h *lab.Host, port, path, host string) string {
	return h.Run(fmt.Sprintf(`bash -c 'exec 3<>/dev/tcp/127.0.0.1/%s; printf "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n" >&3; cat <&3'`, port, path, host))
}

// TestTheWebPageOfARunningInstance looks at real traffic through the page, the metrics and the lists of the control socket: all tell the same, and nobody but the host's own
// addresses is answered. At the end the port is free.
func TestTheWebPageOfARunningInstance(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	socket := w.Subdir("web") + "/web.sock"
	g := w.Goipsec(w.a, file(site(1)), "--web", "127.0.0.1:0")
	b := w.Goipsec(w.b, file(site(2)), "--web", "unix:"+socket)
	w.pingable(w.a, "192.168.1.1", "192.168.2.1", g)
	url := regexp.MustCompile(`web page: http://127\.0\.0\.1:([0-9]+)/`).FindStringSubmatch(g.Log.String())
	if url == nil {
		t.Fatalf("no address of the web page is printed:\n%s", g.Log.String())
	}
	port := url[1]
	page := fetch(w.a, port, "/view/quick-mode-sas", "127.0.0.1:"+port)
	if !strings.Contains(page, "200 OK") || !strings.Contains(page, "192.168.1.0/24 &lt;-&gt; 192.168.2.0/24") || !strings.Contains(page, "installed") {
		t.Errorf("the page shows no SA:\n%s", page)
	}
	metrics := fetch(w.a, port, "/metrics", "localhost:"+port)
	for _, text := range []string{metrics, g.Must("status --metrics")} {
		for _, want := range []string{"\ngoipsec_up 1\n", `goipsec_sas{kind="tunnel"} 1`, `goipsec_negotiations_total{mode="main",result="established",role="initiator"} 1`} {
			if !strings.Contains(text, want) {
				t.Errorf("the metrics have no %s:\n%s", want, text)
			}
		}
	}
	if bytes := regexp.MustCompile(`goipsec_bytes_total\{mode="tunnel",direction="out"\} ([1-9][0-9]*)\n`); !bytes.MatchString(metrics) {
		t.Errorf("no bytes in the tunnel:\n%s", metrics)
	}
	if text := fetch(w.a, port, "/metrics", "attacker.test:"+port); !strings.Contains(text, "421") || strings.Contains(text, "goipsec_up") {
		t.Errorf("another name is answered:\n%s", text)
	}
	if text := g.Must("status --statistics"); !regexp.MustCompile(`Active Tunnels +1  now`).MatchString(text) {
		t.Errorf("statistics:\n%s", text)
	}
	onSocket(t, socket)
	g.Stop()
	if text, err := w.a.Try("bash -c 'exec 3<>/dev/tcp/127.0.0.1/" + port + "'"); err == nil {
		t.Errorf("the port is still open: %s", text)
	}
	b.Stop()
	if _, err := os.Lstat(socket); err == nil {
		t.Error("the web page's socket is still there")
	}
}

// onSocket looks at the page that is served on a unix socket.
func onSocket(t *testing.T, socket string) {
	t.Helper()
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	resp, err := c.Get("http://localhost/data/main-mode-sas")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	var data struct{ Table struct{ Total int } }
	if err != nil || json.Unmarshal(text, &data) != nil || data.Table.Total != 1 {
		t.Errorf("%v: %s", err, text)
	}
	if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket's mode: %v, %v", info, err)
	}
}
