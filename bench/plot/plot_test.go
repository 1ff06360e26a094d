package plot

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/goipsec/goipsec/bench/measure"
)

func chart() Chart {
	return Chart{File: "tcp", Title: "TCP, 1 flow <of a & b>", Unit: "Gb/s", Note: "somewhere", Bars: []Bar{
		{"goipsec", measure.Of([]float64{5, 4, 6}), true}, {"wireguard-go", measure.Of([]float64{2, 2.5, 3}), false}, {"null", measure.Spread{}, false}}}
}

// figures reads the SVG as XML and returns its bars' widths and its texts.
func figures(t interface{ Fatal(...any) }, drawn []byte) (bars []int, texts []string) {
	d := xml.NewDecoder(bytes.NewReader(drawn))
	for text := false; ; {
		token, err := d.Token()
		if err == io.EOF {
			return bars, texts
		}
		if err != nil {
			t.Fatal(err, string(drawn))
		}
		switch e := token.(type) {
		case xml.StartElement:
			text = e.Name.Local == "text"
			wide, high := 0, 0
			for _, a := range e.Attr {
				switch n, _ := strconv.Atoi(a.Value); a.Name.Local {
				case "width":
					wide = n
				case "height":
					high = n
				}
			}
			if e.Name.Local == "rect" && high == barHigh {
				bars = append(bars, wide)
			}
		case xml.CharData:
			if text {
				texts = append(texts, string(e))
			}
		case xml.EndElement:
			text = false
		}
	}
}

func TestSVG(t *testing.T) {
	var b bytes.Buffer
	if err := chart().SVG(&b); err != nil {
		t.Fatal(err)
	}
	bars, texts := figures(t, b.Bytes())
	if len(bars) != 2 || math.Abs(float64(bars[0])/float64(bars[1])-2) > 0.02 {
		t.Errorf("bars of %v pixels for 5 and 2.5", bars)
	}
	all := strings.Join(texts, "\n")
	for _, want := range []string{"TCP, 1 flow <of a & b>", "Gb/s", "somewhere", "goipsec", "5.00 (4.00 – 6.00)", "not measured", "6"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not there:\n%s", want, all)
		}
	}
}

// Whatever the values are, the chart is XML, and a longer bar is a greater value.
func TestSVGOfAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Chart{Title: rapid.StringMatching(`[ -~]{0,20}`).Draw(t, "title")}
		values := rapid.SliceOfN(rapid.Float64Range(0, 1e9), 0, 6).Draw(t, "values")
		for _, v := range values {
			c.Bars = append(c.Bars, Bar{Name: "x", Value: measure.Of([]float64{v})})
		}
		var b bytes.Buffer
		if err := c.SVG(&b); err != nil {
			t.Fatal(err)
		}
		bars, _ := figures(t, b.Bytes())
		if len(bars) != len(values) {
			t.Fatalf("%d bars for %d values", len(bars), len(values))
		}
		for i := range bars {
			for j := range bars {
				if bars[i] > bars[j] && values[i] < values[j] {
					t.Fatalf("%v for %v", bars, values)
				}
			}
			if bars[i] > width {
				t.Fatalf("a bar of %d pixels", bars[i])
			}
		}
	})
}

func TestWrap(t *testing.T) {
	for text, want := range map[string]string{"": "", "a b": "a b", "aaa bbb cc d": "aaa bbb|cc d", "a longerword b": "a|longerword|b", "µµµ µµµ": "µµµ µµµ"} {
		if got := strings.Join(wrap(text, 7), "|"); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func TestTick(t *testing.T) {
	for v, want := range map[float64]float64{0: 1, math.Inf(1): 1, math.NaN(): 1, 6: 1, 1: 0.1, 2.1: 0.5, 1.5: 0.2, 12: 2, 99: 10, 450000: 50000} {
		if got := tick(v); math.Abs(got-want) > want/1e9 {
			t.Errorf("%v: %v, want %v", v, got, want)
		}
	}
}

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	second := chart()
	second.File = "udp"
	for range 2 {
		if err := Write(dir, []Chart{chart(), second}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"tcp.svg", "udp.svg"} {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !strings.HasSuffix(strings.TrimSpace(string(text)), "</svg>") {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
	if err := Write(filepath.Join(dir, "tcp.svg"), []Chart{chart()}); err == nil {
		t.Error("a directory inside of a file")
	}
	if err := chart().SVG(broken{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a failed write: %v", err)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
