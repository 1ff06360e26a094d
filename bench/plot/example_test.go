package plot_test

import (
	"fmt"
	"strings"

	"github.com/goipsec/goipsec/bench/measure"
	"github.com/goipsec/goipsec/bench/plot"
)

func Example() {
	var b strings.Builder
	err := plot.Chart{Title: "TCP", Unit: "Gb/s", Bars: []plot.Bar{{Name: "goipsec", Value: measure.Of([]float64{4, 5, 6}), Own: true}}}.SVG(&b)
	fmt.Println(err, strings.Contains(b.String(), "5.00 (4.00 – 6.00)"))
	// Output: <nil> true
}
