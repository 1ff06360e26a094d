package inspect

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/goipsec/goipsec/pkg/keylog"
)

// CaptureOptions say how a capture is printed.
type CaptureOptions struct {
	// KeysDir holds key tables (see package keylog); "": nothing is decrypted.
	KeysDir string
	// JSON writes one object a packet, and one for the summary at the end.
	JSON bool
}

// Packet is one packet of a capture that goipsec understands.
type Packet struct {
	SchemaVersion int       `json:"schema_version"`
	Number        int       `json:"number"` // from 1, of the frame in the file
	Time          time.Time `json:"time"`
	Src           string    `json:"src"` // with the port, for UDP
	Dst           string    `json:"dst"`
	Kind          string    `json:"kind"` // "ike", "esp", "ah", "keepalive", "malformed"
	Summary       string    `json:"summary"`
	Detail        []Line    `json:"detail,omitempty"`
}

// Line is one line of a packet's detail. Depth is its indentation, from 0.
type Line struct {
	Depth int    `json:"depth"`
	Text  string `json:"text"`
}

func (p *Packet) add(depth int, format string, args ...any) {
	p.Detail = append(p.Detail, Line{depth, fmt.Sprintf(format, args...)})
}

// CaptureSummary counts what a capture held.
type CaptureSummary struct {
	SchemaVersion int            `json:"schema_version"`
	Frames        int            `json:"frames"`
	Kinds         map[string]int `json:"kinds"`
	Other         int            `json:"other"` // frames that are none of ours
}

// Capture prints the IKE, ESP and AH packets of the pcap or pcapng file at path. A file that breaks off is printed as far as it goes.
func Capture(w io.Writer, path string, o CaptureOptions) error {
	keys := new(keylog.Tables)
	if o.KeysDir != "" {
		var err error
		if keys, err = keylog.Read(o.KeysDir); err != nil {
			return fmt.Errorf("the key tables: %w", err)
		}
	}
	f, c, err := openFile(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := printCapture(w, c, keys, o.JSON); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func printCapture(w io.Writer, c *captureFile, keys *keylog.Tables, asJSON bool) error {
	d := newDissector(keys)
	sum := CaptureSummary{SchemaVersion: SchemaVersion, Kinds: map[string]int{}}
	out := packetWriter{w: w, asJSON: asJSON}
	var broken error
	for {
		f, err := c.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			broken = fmt.Errorf("after frame %d the file cannot be read: %w", sum.Frames, err)
			break
		}
		sum.Frames++
		p, err := d.frame(sum.Frames, f)
		if err != nil {
			return err
		}
		if p == nil {
			sum.Other++
			continue
		}
		sum.Kinds[p.Kind]++
		if err := out.packet(p); err != nil {
			return err
		}
	}
	return errors.Join(out.summary(sum), broken)
}

// packetWriter writes packets as they come.
type packetWriter struct {
	w      io.Writer
	asJSON bool
	first  time.Time
}

func (o *packetWriter) packet(p *Packet) error {
	if o.asJSON {
		return writeLine(o.w, p)
	}
	if o.first.IsZero() {
		o.first = p.Time
	}
	t := &printer{w: o.w}
	t.line("#%d  %.6f  %s > %s  %s", p.Number, p.Time.Sub(o.first).Seconds(), p.Src, p.Dst, p.Summary)
	for _, l := range p.Detail {
		t.line("    %s%s", strings.Repeat("  ", l.Depth), l.Text)
	}
	return t.err
}

func (o *packetWriter) summary(s CaptureSummary) error {
	if o.asJSON {
		return writeLine(o.w, s)
	}
	t := &printer{w: o.w}
	t.line("%d frames: %d IKE, %d ESP, %d AH, %d keepalives, %d malformed, %d others that are not shown", s.Frames, s.Kinds[kindIKE], s.Kinds[kindESP], s.Kinds[kindAH],
		s.Kinds[kindKeepalive], s.Kinds[kindMalformed], s.Other)
	return t.err
}
