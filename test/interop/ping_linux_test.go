package interop

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/diagnose"
	"github.com/goipsec/goipsec/test/interop/lab"
)

// trace runs goipsec ping.
func trace(t *testing.T, a *lab.Host, g *lab.Goipsec, l *lab.Lab, target string) diagnose.Trace {
	t.Helper()
	text, err := a.Try(l.Binary() + " ping --json --socket " + g.Socket + " " + target)
	var tr diagnose.Trace
	if bad := json.Unmarshal([]byte(text), &tr); bad != nil {
		t.Fatalf("%v, %v\n%s", err, bad, text)
	}
	var b strings.Builder
	_ = tr.WriteText(&b)
	t.Logf("%s", &b)
	return tr
}

// TestPingReachesStrongSwan: its answer to the question of goipsec ping proves that both ports are open, whichever version of IKE the connection is for, and leaves nothing behind there. With
// IKEv1 every layer works; with IKEv2 main mode is the first that fails.
func TestPingReachesStrongSwan(t *testing.T) {
	for version, first := range map[string]string{"1": "", "2": diagnose.LayerMainMode} {
		t.Run("IKEv"+version, func(t *testing.T) {
			l := lab.New(t)
			a, b := site(l)
			conf := charon{connection: []string{"encap = yes"}}.String()
			s := l.StrongSwan(b, strings.Replace(conf, "version = 1", "version = "+version, 1))
			g := l.Goipsec(a, toCharon{rule: []string{inUDP}}.String())
			tr := trace(t, a, g, l, "charon --inner 192.168.2.1")
			failed := ""
			if f := tr.FirstFailure(); f != nil {
				failed = f.Name
			}
			if failed != first {
				t.Errorf("%q fails first, want %q", failed, first)
			}
			for _, f := range tr.Layers[2:4] {
				if f.State != diagnose.OK || !strings.Contains(f.What, "IKEv2") {
					t.Errorf("%+v", f)
				}
			}
			want := 1
			if first != "" {
				want = 0
			}
			if n := len(s.SAs()); n != want {
				t.Errorf("strongSwan has %d IKE SAs, want %d: %+v", n, want, s.SAs())
			}
		})
	}
}
