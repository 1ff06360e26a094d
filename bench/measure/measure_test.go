package measure

import (
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestOf(t *testing.T) {
	for _, c := range []struct {
		samples          []float64
		median, min, max float64
	}{
		{nil, 0, 0, 0},
		{[]float64{3}, 3, 3, 3},
		{[]float64{9, 1, 5}, 5, 1, 9},
		{[]float64{9, 1, 5, 2}, 3.5, 1, 9},
	} {
		before := slices.Clone(c.samples)
		s := Of(c.samples)
		if s.Median != c.median || s.Min != c.min || s.Max != c.max {
			t.Errorf("%v: %+v", c.samples, s)
		}
		if !slices.Equal(before, s.Samples) {
			t.Errorf("the order of %v was lost: %v", before, s.Samples)
		}
	}
}

// Half of the samples lie on each side of the median, and all within the bounds.
func TestMedianHalves(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		samples := rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), 1, 40).Draw(r, "samples")
		s := Of(samples)
		below, above := 0, 0
		for _, v := range samples {
			if v < s.Min || v > s.Max {
				r.Fatalf("%v is outside of %v", v, s)
			}
			if v <= s.Median {
				below++
			}
			if v >= s.Median {
				above++
			}
		}
		if 2*below < len(samples) || 2*above < len(samples) {
			r.Fatalf("%v does not halve %v", s.Median, samples)
		}
	})
}

func TestRoundByRound(t *testing.T) {
	if got := Ratios([]float64{2, 9, 1, 7}, []float64{1, 3, 0}); !slices.Equal(got, []float64{2, 3}) {
		t.Errorf("ratios %v", got)
	}
	if got := Differences([]float64{2, 9}, []float64{1, 3, 5}); !slices.Equal(got, []float64{1, 6}) {
		t.Errorf("differences %v", got)
	}
}

func TestQuantile(t *testing.T) {
	samples := make([]float64, 100)
	for i := range samples {
		samples[i] = float64(100 - i)
	}
	for q, want := range map[float64]float64{0: 1, 0.5: 50, 0.99: 99, 1: 100} {
		if got := Quantile(samples, q); got != want {
			t.Errorf("%v: %v, want %v", q, got, want)
		}
	}
	if Quantile(nil, 0.5) != 0 {
		t.Error("a quantile of nothing")
	}
}

func TestInterleave(t *testing.T) {
	want := []Turn{{0, 0}, {0, 1}, {0, 2}, {1, 0}, {1, 1}, {1, 2}}
	if diff := cmp.Diff(want, Interleave(3, 2)); diff != "" {
		t.Error(diff)
	}
	if len(Interleave(3, 0)) != 0 || len(Interleave(0, 3)) != 0 {
		t.Error("turns of nothing")
	}
}

func TestText(t *testing.T) {
	if got := Of([]float64{1, 2, 4}).Text(1); got != "2.0 (1.0 – 4.0)" {
		t.Error(got)
	}
	if got := Of(nil).Text(1); got != "–" {
		t.Error(got)
	}
}

func TestStamped(t *testing.T) {
	settings := []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.modified", Value: "true"}}
	if got := stamped(settings); got != "0123456789ab-dirty" {
		t.Error(got)
	}
	if got := stamped(settings[1:]); got != "" {
		t.Error(got)
	}
}

func TestHere(t *testing.T) {
	m := Here()
	if m.CPUs < 1 || m.Go == "" || m.OS == "" || m.Began.IsZero() {
		t.Errorf("%+v", m)
	}
	if text := m.String(); !strings.Contains(text, m.Go) || !strings.Contains(text, m.Arch) {
		t.Error(text)
	}
}

func Example() {
	// Three rounds of two programs, which took turns on a machine that was busy in the second round.
	ours, theirs := []float64{4.4, 2.1, 4.5}, []float64{2.2, 1.0, 2.0}
	fmt.Println(Of(ours).Text(1))
	fmt.Println(Of(Ratios(ours, theirs)).Text(2))
	// Output:
	// 4.4 (2.1 – 4.5)
	// 2.10 (2.00 – 2.25)
}

func TestGrid(t *testing.T) {
	g := Grid{Head: []string{"", "Gb/s"}, Rows: [][]string{{"veth", "12"}, {"goipsec", "4.5"}}}
	var markdown, text strings.Builder
	if err := g.Markdown(&markdown); err != nil || markdown.String() != "|  | Gb/s |\n|---|---|\n| veth | 12 |\n| goipsec | 4.5 |\n" {
		t.Errorf("%v:\n%s", err, markdown.String())
	}
	if err := g.Text(&text); err != nil || text.String() != "          Gb/s\nveth      12\ngoipsec   4.5\n" {
		t.Errorf("%v:\n%s", err, text.String())
	}
}
