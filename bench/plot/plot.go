package plot

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	svg "github.com/ajstarks/svgo"

	"github.com/goipsec/goipsec/bench/measure"
)

// Chart is one figure of several subjects.
type Chart struct {
	File  string // name of the file that Write makes, without its suffix
	Title string
	Unit  string // of the values; it stands under the axis
	Note  string // a line under all, such as where it was measured
	Bars  []Bar
}

// Bar is one subject. What was not measured has no samples and no bar.
type Bar struct {
	Name  string
	Value measure.Spread
	Own   bool // stands out: it is ours
}

// Sizes in pixels.
const (
	width   = 860
	rowStep = 30
	barHigh = 16
	top     = 54 // where bars begin
	charBig = 7  // about the width of a letter

	noteStep = 14 // from one line of the note to the next
)

const font = "font-family:sans-serif;font-size:12px;fill:#222"

// SVG draws the chart.
func (c Chart) SVG(w io.Writer) error {
	e := &errWriter{w: w}
	left := 20
	greatest := 0.0
	for _, b := range c.Bars {
		left = max(left, 24+charBig*utf8.RuneCountInString(b.Name))
		greatest = max(greatest, b.Value.Max)
	}
	step := tick(greatest)
	end := math.Max(math.Ceil(greatest/step), 1) * step
	const right = 150 // room for the figures behind the longest bar
	x := func(v float64) int { return left + int(math.Round(v/end*float64(width-left-right))) }
	bottom := top + rowStep*len(c.Bars)
	note := wrap(c.Note, width/6)
	height := bottom + 50 + noteStep*len(note)

	s := svg.New(e)
	s.Start(width, height, `role="img"`)
	s.Title(c.Title)
	s.Rect(0, 0, width, height, "fill:#fff")
	s.Text(16, 26, c.Title, font+";font-size:16px;font-weight:bold")
	for i := range int(end/step+0.5) + 1 {
		v := float64(i) * step
		s.Line(x(v), top-8, x(v), bottom, "stroke:#ddd")
		s.Text(x(v), bottom+16, strconv.FormatFloat(v, 'g', 6, 64), font+";text-anchor:middle")
	}
	s.Text(x(end/2), bottom+34, c.Unit, font+";text-anchor:middle")
	for i, b := range c.Bars {
		c.bar(s, b, top+rowStep*i, left, x)
	}
	for i, line := range note {
		s.Text(16, bottom+54+noteStep*i, line, font+";font-size:10px;fill:#666")
	}
	s.End()
	return e.err
}

func (c Chart) bar(s *svg.SVG, b Bar, y, left int, x func(float64) int) {
	middle := y + barHigh/2
	s.Text(left-8, middle+4, b.Name, font+";text-anchor:end")
	v := b.Value
	if len(v.Samples) == 0 {
		s.Text(left+6, middle+4, "not measured", font+";fill:#888")
		return
	}
	colour := "fill:#8fa6bd"
	if b.Own {
		colour = "fill:#2f7d4f"
	}
	s.Rect(left, y, max(x(v.Median)-left, 1), barHigh, colour)
	whisker := "stroke:#222;stroke-width:1.5"
	s.Line(x(v.Min), middle, x(v.Max), middle, whisker)
	s.Line(x(v.Min), middle-4, x(v.Min), middle+4, whisker)
	s.Line(x(v.Max), middle-4, x(v.Max), middle+4, whisker)
	s.Text(x(max(v.Max, v.Median))+8, middle+4, v.Text(decimals(v.Median)), font)
}

// wrap breaks text into lines of at most n letters, longer words left whole.
func wrap(text string, n int) (lines []string) {
	for _, word := range strings.Fields(text) {
		if last := len(lines) - 1; last >= 0 && utf8.RuneCountInString(lines[last])+1+utf8.RuneCountInString(word) <= n {
			lines[last] += " " + word
			continue
		}
		lines = append(lines, word)
	}
	return lines
}

// tick is the distance of the lines: 1, 2 or 5 times a power of ten, so that four to ten of them reach v.
func tick(v float64) float64 {
	if !(v > 0) || math.IsInf(v, 0) {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{0.1, 0.2, 0.5} {
		if v/(f*unit) <= 10 {
			return f * unit
		}
	}
	return unit
}

// decimals is how many are worth reading.
func decimals(v float64) int {
	switch {
	case v >= 100:
		return 0
	case v >= 10:
		return 1
	}
	return 2
}

// Write writes charts into a directory, which it makes if there is none. A file that is there is written anew.
func Write(dir string, charts []Chart) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("there is no directory for the charts: %w", err)
	}
	for _, c := range charts {
		f, err := os.Create(filepath.Join(dir, cmp.Or(c.File, "chart")+".svg"))
		if err != nil {
			return err
		}
		if err := errors.Join(c.SVG(f), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// errWriter keeps the first error: the library looks at none.
type errWriter struct {
	w   io.Writer
	err error
}

func (e *errWriter) Write(b []byte) (int, error) {
	if e.err != nil {
		return 0, e.err
	}
	n, err := e.w.Write(b)
	e.err = err
	return n, err
}
