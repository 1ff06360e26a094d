package goals

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goipsec/goipsec/bench/measure"
)

// Measured is a figure over rounds.
type Measured struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	Rounds int     `json:"rounds"`
}

// of takes what matters of a spread. No samples are an error.
func of(s measure.Spread) (Measured, error) {
	if len(s.Samples) == 0 {
		return Measured{}, errors.New("no figures were taken")
	}
	return Measured{s.Median, s.Min, s.Max, len(s.Samples)}, nil
}

// direction says which side of a limit is good.
type direction bool

const (
	least direction = true  // a figure must reach the limit
	most  direction = false // a figure must stay within it
)

// goal is one row of what goipsec wants to reach.
type goal struct {
	name string
	part Part
	direction
	must, aim float64
	noAim     bool
	unit      string // behind a figure, such as "W" or "ns"
	scale     float64
	decimals  int
	value     func(r *Results) (Measured, error)
	// beside is another figure in the same unit, which is told and not judged, and besides is what it is of; nil: there is none.
	beside  func(r *Results) (Measured, error)
	besides string
}

// Row is a goal with its figure.
type Row struct {
	Goal  string    `json:"goal"`
	Part  Part      `json:"part"`
	Must  string    `json:"must"`
	Aim   string    `json:"aim"`
	Value *Measured `json:"measured,omitempty"` // in the unit of the limits
	Text  string    `json:"text"`
	// Beside is another figure that the text tells; it is not judged.
	Beside *Measured `json:"beside,omitempty"`
	Met    Met       `json:"met"`
	Why    string    `json:"why,omitempty"` // it was not measured
}

// Met is how far a goal is reached.
type Met string

// How far goals are reached.
const (
	AimMet     Met = "aim"
	MustMet    Met = "must"
	NotMet     Met = "no"
	Unmeasured Met = "not measured"
)

func (g goal) limit(v float64) string {
	sign := "≤"
	if g.direction == least {
		sign = "≥"
	}
	text := strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", v), "0"), ".")
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", sign, text, g.unit))
}

func (g goal) reaches(v, limit float64) bool {
	if g.direction == least {
		return v >= limit
	}
	return v <= limit
}

// scaled brings a figure into the goal's unit.
func (g goal) scaled(v *Measured) *Measured {
	if g.scale != 0 {
		v.Median, v.Min, v.Max = v.Median*g.scale, v.Min*g.scale, v.Max*g.scale
	}
	return v
}

func (g goal) text(v Measured) string {
	figure := strings.TrimSpace(fmt.Sprintf("%.*f %s", g.decimals, v.Median, g.unit))
	return fmt.Sprintf("%s (%.*f – %.*f)", figure, g.decimals, v.Min, g.decimals, v.Max)
}

// row judges one goal.
func (g goal) row(r *Results) Row {
	row := Row{Goal: g.name, Part: g.part, Must: g.limit(g.must), Aim: "–", Met: Unmeasured, Text: "–"}
	if !g.noAim {
		row.Aim = g.limit(g.aim)
	}
	if why := r.missing(g.part); why != "" {
		row.Why = why
		return row
	}
	v, err := g.value(r)
	if err != nil {
		row.Why = err.Error()
		return row
	}
	row.Value = g.scaled(&v)
	row.Text = g.text(v)
	if g.beside != nil {
		if b, err := g.beside(r); err == nil {
			row.Beside = g.scaled(&b)
			row.Text += "; " + g.besides + " " + g.text(b)
		}
	}
	switch {
	case !g.noAim && g.reaches(v.Median, g.aim):
		row.Met = AimMet
	case g.reaches(v.Median, g.must):
		row.Met = MustMet
	default:
		row.Met = NotMet
	}
	return row
}

// Judge holds results against all goals, in the order of the table.
func Judge(r *Results) (rows []Row) {
	for _, g := range table() {
		rows = append(rows, g.row(r))
	}
	return rows
}
