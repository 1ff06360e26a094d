package system

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/control"
)

// TestGuardIsShownAndCleared: goipsec guard show lists what is in force, with the packets dropped; clear leaves the guard of a running instance alone, says what it
// would open, and opens that of a killed one.
func TestGuardIsShownAndCleared(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := w.Goipsec(w.a, file(site(1), "  - {name: closed, filters: [any -> me udp 4000-4010], action: block}\n  - {name: open, filters: [10.1.0.2 -> me udp 4005], action: permit}\n"))
	raw := w.b.RawSender()
	for _, port := range []uint16{4000, 4005, 4010, 4011} {
		raw.Send(datagram("10.1.0.2", "10.1.0.1", 999, port, "x"))
	}
	var shown struct {
		Guards []struct {
			Instance string
			Rules    []struct {
				Direction, What, Verdict string
				Packets                  int
			}
			Dropped struct{ Inbound int }
		}
	}
	w.Until(10*time.Second, "two packets to be counted", func() (bool, string) {
		s := g.Status()
		return s.GuardDrops["inbound"] == 2, fmt.Sprint(s.GuardDrops)
	})
	if err := json.Unmarshal([]byte(g.Must("guard show --json")), &shown); err != nil || len(shown.Guards) != 1 {
		t.Fatal(err, shown)
	}
	found := 0
	for _, r := range shown.Guards[0].Rules {
		if r.Direction == "inbound" && strings.Contains(r.What, "4000-4010") && strings.Contains(r.What, "me4") {
			found++
			if r.Verdict != "drop" || r.Packets != 2 {
				t.Errorf("%+v", r)
			}
		}
	}
	if found != 1 || shown.Guards[0].Instance != control.Instance(g.Socket) || shown.Guards[0].Dropped.Inbound != 2 {
		t.Errorf("%+v", shown)
	}
	if text := g.Must("guard show"); !strings.Contains(text, "dropped 2 inbound") || !strings.Contains(text, "IKE, UDP port 500") {
		t.Error(text)
	}
	if text := g.Must("status"); !strings.Contains(text, "clear packets refused by the guard: 2") {
		t.Error(text)
	}
	// A reload puts another guard in force; the count of the instance goes on.
	g.Must("reload")
	if n := g.Status().GuardDrops["inbound"]; n != 2 {
		t.Errorf("after a reload %d", n)
	}

	if text, err := g.Command("guard clear --yes"); err == nil || !strings.Contains(text, "goipsec down") {
		t.Errorf("the guard of a running instance: %v\n%s", err, text)
	}
	g.Kill()
	if text, err := g.Command("guard clear"); err == nil || !strings.Contains(text, "would open") || !strings.Contains(text, "any4 -> me4 proto 17 ports any -> 4000-4010") {
		t.Errorf("without --yes: %v\n%s", err, text)
	}
	if !strings.Contains(w.a.Run("nft list tables"), "goipsec_") {
		t.Fatal("the guard is gone")
	}
	if text := g.Must("guard clear --yes"); !strings.Contains(text, "opens") {
		t.Error(text)
	}
	if strings.Contains(w.a.Run("nft list tables"), "goipsec_") {
		t.Error("the guard is still there")
	}
	if text := g.Must("guard clear --yes"); !strings.Contains(text, "no guard is in force") {
		t.Error(text)
	}

	g.Restart()
	// What the start has changed on the host's devices may make the instance put its guard in force once more.
	w.Until(10*time.Second, "the guard of a running instance to be cleared", func() (bool, string) {
		g.Must("guard clear --yes --force")
		tables := w.a.Run("nft list tables")
		return !strings.Contains(tables, "goipsec_"), tables
	})
	g.Must("reload")
	if !strings.Contains(w.a.Run("nft list tables"), "goipsec_") {
		t.Error("a reload has not put the guard back")
	}
	if code := g.Stop(); code != 0 {
		t.Errorf("exit status %d", code)
	}
}
