package pipeline

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// Every packet of every worker is sealed or delivered, or there is no figure.
func TestWorkersAtOnce(t *testing.T) {
	r, err := RunWorkers(t.Context(), Options{Suites: []string{"aes-gcm-16-128", "aes-gmac-128"}, Sizes: []int{700}, Packets: 500, Rounds: 3}, 3)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Cases) != 2 || r.Packets != 520 || r.Size != 700 || r.Workers != 3 {
		t.Fatalf("%+v", r)
	}
	for _, c := range r.Cases {
		for _, g := range []Gain{c.Own[0], c.Own[1], c.Shared} {
			if len(g.Path.Samples) != 3 || g.Path.Min <= 0 || g.Times.Min <= 0 {
				t.Errorf("%s: %+v", c.Suite, g)
			}
		}
	}
	var text strings.Builder
	if err := r.Markdown(&text); err != nil || strings.Count(text.String(), "\n") != 6 || !strings.Contains(text.String(), "3 workers at once") {
		t.Errorf("%v: %s", err, text.String())
	}
}

// What is lost on the way makes a measurement an error.
func TestWorkersThatLosePackets(t *testing.T) {
	c, err := newCrew(protections()[0], 2, 1, 100)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.out(100); err != nil {
		t.Error(err)
	}
	c.plane.Uninstall("f", 1)
	if _, err := c.out(100); err == nil {
		t.Error("packets without an SA were measured")
	}
	if err := c.close(); err != nil {
		t.Error(err)
	}
}

func TestWorkersOptions(t *testing.T) {
	for _, n := range []int{-1, 1, 65} {
		if _, err := RunWorkers(t.Context(), Options{}, n); !errors.Is(err, ErrOptions) {
			t.Errorf("%d workers: %v", n, err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := RunWorkers(ctx, Options{}, 2); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
