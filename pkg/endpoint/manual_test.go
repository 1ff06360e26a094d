package endpoint

import (
	"encoding/json"
	"strings"
	"testing"
)

const (
	keyOut = "0x000102030405060708090a0b0c0d0e0f"
	keyIn  = "0x101112131415161718191a1b1c1d1e1f"
	macOut = "0x202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
	macIn  = "0x404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f"
)

func manualPolicy(self, peer byte, spiIn, spiOut, encrIn, encrOut, integIn, integOut string) string {
	return ikePolicy(self, peer, `    manual:
      method: esp aes-cbc-128 hmac-sha256-128
      spi_in: `+spiIn+`
      spi_out: `+spiOut+`
      encryption_key_in: "`+encrIn+`"
      encryption_key_out: "`+encrOut+`"
      integrity_key_in: "`+integIn+`"
      integrity_key_out: "`+integOut+`"`)
}

func manualPair(t *testing.T) *ends {
	return join(t, manualPolicy(1, 2, "0x2001", "0x1001", keyIn, keyOut, macIn, macOut), manualPolicy(2, 1, "0x1001", "0x2001", keyOut, keyIn, macOut, macIn))
}

func TestManualKeysCarryTrafficBothWays(t *testing.T) {
	e := manualPair(t)
	for range 3 {
		carry(t, e.a, e.b, "10.1.0.5", "10.2.0.5")
		carry(t, e.b, e.a, "10.2.0.5", "10.1.0.5")
	}
	s := e.a.Status()
	if len(s.Children) != 1 || !s.Children[0].Manual || s.Children[0].PacketsIn != 3 || s.Children[0].PacketsOut != 3 {
		t.Fatalf("%+v", s.Children)
	}
	if c := s.Children[0]; c.Protocols[0].SPIIn != 0x2001 || c.Mode != "tunnel" || c.Encap != "udp" {
		t.Fatalf("%+v", c)
	}
}

func TestStatusHoldsNoKeys(t *testing.T) {
	e := manualPair(t)
	text, err := json.Marshal(e.a.Status())
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{keyOut, keyIn, macOut, macIn} {
		if strings.Contains(strings.ToLower(string(text)+e.a.log.String()), key[2:18]) {
			t.Fatalf("a key is in the status or the log")
		}
	}
}
