package tun

import (
	"bytes"
	"errors"
	"os"
	"testing"
)

func TestAPlainDeviceMovesPacketsOneByOne(t *testing.T) {
	d, h := Pipe(1400)
	p := PacketsOf(d)
	if p.Offload() != (Offload{}) {
		t.Error("a plain device claims to take superpackets:", p.Offload())
	}
	for _, s := range []string{"one", "two", ""} {
		if err := h.Send([]byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	in := make([]Packet, 2)
	for i := range in {
		in[i] = Packet{Buf: make([]byte, 100), Off: Headroom, Segment: 7}
	}
	var got []string
	for len(got) < 3 {
		n, err := p.ReadPackets(in)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			got = append(got, string(in[i].Bytes()))
			if in[i].Segment != 0 {
				t.Error("a segment out of nowhere")
			}
		}
	}
	if got[0] != "one" || got[1] != "two" || got[2] != "" {
		t.Errorf("%q", got)
	}
	buf := append(make([]byte, Headroom), "abcdef"...)
	if err := p.WritePackets([]Packet{{Buf: buf, Off: Headroom, N: 3}, {Buf: buf, Off: Headroom, N: 6, Failed: true}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"abc", "abcdef"} {
		if b, err := h.Receive(); err != nil || !bytes.Equal(b, []byte(want)) {
			t.Errorf("%q, %v", b, err)
		}
	}
	d.Close()
	out := []Packet{{Buf: buf, Off: Headroom, N: 3}}
	if err := p.WritePackets(out); !errors.Is(err, os.ErrClosed) || !out[0].Failed {
		t.Error("a write to a closed device:", err, out[0].Failed)
	}
	if _, err := p.ReadPackets([]Packet{{Buf: buf, Off: Headroom}, {Buf: buf}}); err == nil {
		t.Error("packets with several offsets were read")
	}
}
