package memory

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/sa"
)

// Each pair is in the table and in use, and a packet passed through it (pair tries that).
func TestPairsAreInUse(t *testing.T) {
	for _, p := range protections() {
		o, err := newOwner(p, 20)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := o.build(t.Context()); err != nil {
			t.Fatal(p.name, err)
		}
		if o.db.Len() != 20 {
			t.Errorf("%s: %d SAs in the table", p.name, o.db.Len())
		}
		for in := range o.db.All {
			if s := in.Stats(time.Now()); s.Packets != 1 || s.Sequence != 1 {
				t.Errorf("%s: %+v", p.name, s)
			}
		}
	}
}

// What is held is counted, in full, and what is not is none.
func TestGrown(t *testing.T) {
	const n, size = 2000, 1024
	got, err := grown(n, func() (any, error) {
		list := make([][]byte, n)
		for i := range list {
			list[i] = make([]byte, size)
		}
		return list, nil
	})
	if err != nil || got < size || got > 1.1*size+24 {
		t.Errorf("%v bytes each, %v", got, err)
	}
	got, err = grown(n, func() (any, error) {
		for range n {
			_ = random(size)
		}
		return nil, nil
	})
	if err != nil || got > size/10 {
		t.Errorf("garbage counts as %v bytes each, %v", got, err)
	}
	if _, err := grown(1, func() (any, error) { return nil, sa.ErrFull }); !errors.Is(err, sa.ErrFull) {
		t.Error(err)
	}
}

// most is how many bytes an SA pair may take at the most.
const most = 4096

func TestRun(t *testing.T) {
	r, err := Run(t.Context(), Options{SAs: 500, Rounds: 2})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Pairs) != 3 || r.IKE == nil || r.Machine.CPUs < 1 || r.Schema != 1 {
		t.Fatalf("%+v", r)
	}
	for _, p := range r.Pairs {
		if len(p.Bytes.Samples) != 2 || p.Bare.Min < 64 || p.Bytes.Min <= p.Bare.Max || p.Bytes.Max > most {
			t.Errorf("%+v", p)
		}
	}
	if r.IKE.Initiator.Min < 500 || r.IKE.Responder.Min < 500 || r.IKE.Fresh.Min < 500 {
		t.Errorf("%+v", r.IKE)
	}
	var markdown, text strings.Builder
	if err := errors.Join(r.Markdown(&markdown), r.Text(&text)); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(markdown.String(), "\n|"); got != 9 { // two heads, the first at the very beginning, with a rule each; three rows each
		t.Errorf("%d lines of tables:\n%s", got, &markdown)
	}
	if !strings.Contains(text.String(), "at 500; medians of 2 rounds") {
		t.Error(text.String())
	}
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
}

func TestOptions(t *testing.T) {
	for name, o := range map[string]Options{
		"unknown suite": {Suites: []string{"rot13"}},
		"none":          {SAs: -1},
		"too many":      {SAs: maxSAs + 1},
		"no rounds":     {Rounds: -1},
	} {
		if _, err := Run(t.Context(), o); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, Options{SAs: 10, Rounds: 1}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
