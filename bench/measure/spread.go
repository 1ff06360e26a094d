package measure

import (
	"fmt"
	"slices"
)

// Spread is a figure over rounds. A single round is never quoted: the median is, with what surrounds it.
type Spread struct {
	Median  float64   `json:"median"`
	Min     float64   `json:"min"`
	Max     float64   `json:"max"`
	Samples []float64 `json:"samples"` // in the order in which they were taken
}

// Of summarises samples. The median of an even number is the mean of the middle two; of none everything is zero.
func Of(samples []float64) Spread {
	s := Spread{Samples: samples}
	if len(samples) == 0 {
		return s
	}
	sorted := slices.Sorted(slices.Values(samples))
	mid := len(sorted) / 2
	s.Median, s.Min, s.Max = sorted[mid], sorted[0], sorted[len(sorted)-1]
	if len(sorted)%2 == 0 {
		s.Median = (sorted[mid-1] + sorted[mid]) / 2
	}
	return s
}

// Ratios divides round by round, so that what slowed the whole machine down in one round cancels. Rounds that one side lacks, or in which b is
// zero, are left out.
func Ratios(a, b []float64) []float64 {
	return pairwise(a, b, func(x, y float64) (float64, bool) { return x / y, y != 0 })
}

// Differences subtracts round by round, like Ratios.
func Differences(a, b []float64) []float64 {
	return pairwise(a, b, func(x, y float64) (float64, bool) { return x - y, true })
}

func pairwise(a, b []float64, f func(x, y float64) (float64, bool)) []float64 {
	list := make([]float64, 0, min(len(a), len(b)))
	for i := range min(len(a), len(b)) {
		if v, ok := f(a[i], b[i]); ok {
			list = append(list, v)
		}
	}
	return list
}

// Quantile returns the value below which the share q (0 to 1) of the samples lies, by the nearest rank; zero of none.
func Quantile(samples []float64, q float64) float64 {
	if len(samples) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(samples))
	rank := int(q*float64(len(sorted))+0.999999) - 1
	return sorted[min(max(rank, 0), len(sorted)-1)]
}

// Text is the median with its bounds, to a number of decimals: "4.51 (4.02 – 4.60)".
func (s Spread) Text(decimals int) string {
	if len(s.Samples) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.*f (%.*f – %.*f)", decimals, s.Median, decimals, s.Min, decimals, s.Max)
}

// A Turn is one measurement in a run: the what-th subject in a round.
type Turn struct{ Round, What int }

// Interleave lets subjects take turns, A B C A B C …, so that a machine which grows slower or faster in the course of a run does so for
// all of them.
func Interleave(subjects, rounds int) []Turn {
	turns := make([]Turn, 0, max(subjects, 0)*max(rounds, 0))
	for r := range rounds {
		for w := range subjects {
			turns = append(turns, Turn{r, w})
		}
	}
	return turns
}

// Times is the spread in another unit.
func (s Spread) Times(factor float64) Spread {
	list := make([]float64, len(s.Samples))
	for i, v := range s.Samples {
		list[i] = v * factor
	}
	return Spread{s.Median * factor, s.Min * factor, s.Max * factor, list}
}
