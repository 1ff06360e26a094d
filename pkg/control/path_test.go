package control

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Two sockets are two instances: of one name, they would take each other's routes and guard for their own.
func TestEverySocketIsAnInstanceOfItsOwn(t *testing.T) {
	seen := map[string]string{}
	valid := regexp.MustCompile(`^[A-Za-z0-9-]{1,32}$`)
	for _, path := range []string{"/run/goipsec/goipsec.sock", "/run/goipsec/lab.sock", "/tmp/a/goipsec.sock", "/tmp/b/goipsec.sock", "goipsec.sock",
		"/run/goipsec/a_b.sock", "/run/goipsec/ab.sock", "/run/goipsec/" + strings.Repeat("x", 60) + ".sock", "/run/goipsec/" + strings.Repeat("x", 61) + ".sock",
		"/tmp/ä.sock"} {
		name := Instance(path)
		if !valid.MatchString(name) {
			t.Errorf("%s: %q cannot be the name of an instance", path, name)
		}
		if other, twice := seen[name]; twice {
			t.Errorf("%s and %s are both called %q", path, other, name)
		}
		seen[name] = path
	}
	if seen["goipsec"] != "/run/goipsec/goipsec.sock" || seen["lab"] != "/run/goipsec/lab.sock" {
		t.Errorf("sockets in their usual place do not give their plain names: %v", seen)
	}
}

func TestRemoveStaleTakesTheSocketOfADeadProcessOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.sock")
	if removed, err := RemoveStale(path); removed || err != nil {
		t.Errorf("nothing there: %v, %v", removed, err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	if removed, err := RemoveStale(path); removed || err == nil {
		t.Errorf("a live one: %v, %v", removed, err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if removed, err := RemoveStale(path); !removed || err != nil {
		t.Errorf("a dead one: %v, %v", removed, err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if removed, err := RemoveStale(path); removed || err != nil {
		t.Errorf("a file that is no socket: %v, %v", removed, err)
	}
}
