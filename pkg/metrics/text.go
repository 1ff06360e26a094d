package metrics

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// kind is the type of a metric.
type kind string

const (
	counter kind = "counter" // grows until the process ends
	gauge   kind = "gauge"
)

// writer writes metrics, each with its samples behind it, and keeps the first error.
type writer struct {
	w   io.Writer
	err error
}

// metric begins a metric: its samples must follow before the next begins.
func (w *writer) metric(name string, k kind, help string) sampler {
	w.printf("# HELP %s %s\n# TYPE %s %s\n", name, escapeHelp(help), name, k)
	return sampler{w, name}
}

func (w *writer) printf(format string, args ...any) {
	if w.err == nil {
		_, w.err = fmt.Fprintf(w.w, format, args...)
	}
}

// sampler writes the samples of one metric.
type sampler struct {
	w    *writer
	name string
}

// set writes a sample; labels are name, value, name, value …
func (s sampler) set(v float64, labels ...string) {
	s.w.printf("%s%s %s\n", s.name, labelText(labels), number(v))
}

// count writes a sample that is a whole number.
func (s sampler) count(n uint64, labels ...string) {
	s.w.printf("%s%s %d\n", s.name, labelText(labels), n)
}

func number(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
		return strconv.FormatInt(int64(v), 10)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// labelText writes labels in braces, or nothing.
func labelText(labels []string) string {
	if len(labels) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteByte('{')
	for i := 0; i+1 < len(labels); i += 2 {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(labels[i])
		b.WriteString(`="`)
		b.WriteString(escapeLabel(labels[i+1]))
		b.WriteByte('"')
	}
	b.WriteByte('}')
	return b.String()
}

var labelEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// escapeLabel makes any string fit for a label's value: the format knows three escapes, and wants UTF-8.
func escapeLabel(s string) string {
	return labelEscapes.Replace(strings.ToValidUTF8(s, "�"))
}

var helpEscapes = strings.NewReplacer(`\`, `\\`, "\n", `\n`)

func escapeHelp(s string) string { return helpEscapes.Replace(s) }
