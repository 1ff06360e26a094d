package ike

import (
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/suite"
)

// Two hosts whose sources of SPIs agree still have one SPI for each direction: it is all that tells the keys of the two apart.
func TestA6BothEndsWantOneSPI(t *testing.T) {
	w := newWorld(t, defaults(), defaults())
	for n, h := range w.hosts {
		next := uint32(0x1000)
		e, err := New(Config{Rand: newSeeded(uint64(n + 7)), Policy: h.compiled, NewSPI: func(suite.Protocol, int) (uint32, error) {
			next++
			h.reserved[next] = true
			return next, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		h.e = e
	}
	w.want(0)
	w.run(5 * time.Second)
	w.agree(1)
	for _, h := range w.hosts {
		for _, c := range h.children {
			k := c.Protocols[0]
			if k.SPIIn == k.SPIOut || string(k.EncrIn) == string(k.EncrOut) || string(k.IntegIn) == string(k.IntegOut) {
				t.Errorf("host %d uses SPI %x and %x, and the keys may be the same", h.n, k.SPIIn, k.SPIOut)
			}
		}
	}
	if len(w.hosts[1].reserved) != 1 { // the SPI that could not be used is given back
		t.Errorf("reserved: %v", w.hosts[1].reserved)
	}
}
