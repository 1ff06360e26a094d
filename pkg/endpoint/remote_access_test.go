package endpoint

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/password"
)

// access writes the policies of a client and of its gateway, and the files that they name.
func access(t *testing.T, secret, rule string) (client, gateway, users string) {
	t.Helper()
	dir := t.TempDir()
	hash, err := password.Make(rand.Reader, []byte("open sesame"))
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	users = write("users", "carol:"+hash+"\n")
	policy := func(filter, tunnel, xauth string) string {
		return fmt.Sprintf("policy: p\nrules:\n  - name: office\n    filters: [%s]\n    tunnel: {%s}\n    encapsulation: udp\n    negotiate: {}\n    auth: [{psk: a-throw-away-key-for-this-test, xauth: {%s}}]\n%s",
			filter, tunnel, xauth, rule)
	}
	client = policy("me -> 10.2.0.0/24", "local: 192.0.2.1, remote: 192.0.2.2, address: config", "user: carol, password_file: "+write("word", secret+"\n"))
	gateway = policy("10.2.0.0/24 -> 10.9.0.0/24", "local: 192.0.2.2, remote: any, address_pool: 10.9.0.0/24, dns: [10.2.0.53]", "users_file: "+users)
	return client, gateway, users
}

// TestRemoteAccess: the client connects, is given an address and uses it; a new main-mode SA and a reload change nothing; when its user is gone so is everything.
func TestRemoteAccess(t *testing.T) {
	for _, rule := range []string{"", "    exchange_mode: aggressive\n"} {
		client, gateway, users := access(t, "open sesame", rule)
		e := join(t, client, gateway)
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := e.a.Connect(ctx, "office"); err != nil {
			t.Fatal(err)
		}
		carry(t, e.a, e.b, "10.9.0.1", "10.2.0.9")
		carry(t, e.b, e.a, "10.2.0.9", "10.9.0.1")
		for _, x := range []*end{e.a, e.b} {
			status := x.Status()
			if len(status.Peers) != 1 || status.Peers[0].User != "carol" || status.Peers[0].Inner != "10.9.0.1" || status.Peers[0].Aggressive != (rule != "") {
				t.Errorf("%+v", status.Peers)
			}
			if log := x.log.String(); strings.Contains(log, "sesame") {
				t.Error("the password stands in the log")
			}
		}
		for _, x := range []*end{e.a, e.b} {
			if _, err := x.Reload(); err != nil {
				t.Fatal(err)
			}
		}
		carry(t, e.a, e.b, "10.9.0.1", "10.2.0.9")
		if err := os.WriteFile(users, []byte("# nobody\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := e.b.Reload(); err != nil {
			t.Fatal(err)
		}
		if status := e.b.Status(); len(status.Peers) != 0 || len(status.Children) != 0 {
			t.Errorf("the user is none any more: %+v", status)
		}
	}
}

// TestRemoteAccessWrongPassword: whoever waits for the connection is told why there is none.
func TestRemoteAccessWrongPassword(t *testing.T) {
	client, gateway, _ := access(t, "open barley", "")
	e := join(t, client, gateway)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err := e.a.Connect(ctx, "office")
	if err == nil || !strings.Contains(err.Error(), "did not let in") || strings.Contains(err.Error(), "barley") {
		t.Errorf("%v", err)
	}
	if strings.Contains(e.a.log.String()+e.b.log.String(), "barley") {
		t.Error("the password stands in a log")
	}
}
