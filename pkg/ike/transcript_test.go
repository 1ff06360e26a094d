package ike

import (
	"strings"
	"testing"
	"time"
)

// TestTranscript is what the wire sees of a short life: both phases, a renewal from the other side, a question whether the peer lives, a
// deletion with its repetitions.
func TestTranscript(t *testing.T) {
	w := newWorld(t, defaults(), defaults())
	w.trace = &strings.Builder{}
	w.want(0)
	w.run(time.Second)
	if err := w.hosts[1].e.Rekey(w.now, w.only(1).ID); err != nil {
		t.Fatal(err)
	}
	w.run(4 * time.Second)
	for range 18 {
		w.talk(true, false)
		w.run(time.Second)
	}
	want := `
   0.000 0→1 main mode 148 bytes
   0.010 1→0 main mode 148 bytes
   0.020 0→1 main mode 148 bytes
   0.030 1→0 main mode 148 bytes
   0.040 0→1 main mode 92 bytes
   0.050 1→0 main mode 76 bytes
   0.060 0→1 quick mode 172 bytes
   0.070 1→0 quick mode 172 bytes
   0.080 0→1 quick mode 60 bytes
   1.000 1→0 quick mode 172 bytes
   1.010 0→1 quick mode 172 bytes
   1.020 1→0 quick mode 60 bytes
  20.000 0→1 informational 92 bytes
  20.010 1→0 informational 92 bytes
  21.020 1→0 informational 76 bytes
  22.020 1→0 informational 76 bytes
`
	if got := "\n" + w.trace.String(); got != want {
		t.Errorf("got:%s\nwant:%s", got, want)
	}
}
