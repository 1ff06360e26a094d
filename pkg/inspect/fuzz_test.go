package inspect

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/gopacket/layers"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/keylog"
)

// FuzzCapture: any file is printed, or refused with an error.
func FuzzCapture(f *testing.F) {
	for _, name := range []string{"rekey", "aggressive", "ikev2", "wrong-psk"} {
		b, err := os.ReadFile(filepath.Join("testdata", name+".pcap"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 28, 0, 0, 0,
		1, 0, 0, 0, 20, 0, 0, 0, 101, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0})
	keys, err := keylog.Read(filepath.Join("testdata", "keys"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := openCapture(bytes.NewReader(b))
		if err != nil {
			return
		}
		_ = printCapture(io.Discard, c, keys, len(b)%2 == 0)
	})
}

// FuzzDatagram: any payload of an IKE or NAT-T port becomes a packet with a kind, which survives JSON.
func FuzzDatagram(f *testing.F) {
	f.Add(uint16(500), ikeMessage(f, isakmp.MainMode, isakmp.Payload{Type: isakmp.PayloadSA, Body: []byte{0, 0, 0, 1, 0, 0, 0, 1}}))
	f.Add(uint16(4500), []byte{0xff})
	f.Add(uint16(4500), append(make([]byte, 4), ikeMessage(f, isakmp.Informational, isakmp.Payload{Type: isakmp.PayloadDelete})...))
	f.Add(uint16(500), append([]byte{17: 0x20, 18: 34, 16: 33, 27: 36}, 0, 0, 0, 8, 0, 0, 0, 4))
	keys, err := keylog.Read(filepath.Join("testdata", "keys"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, port uint16, b []byte) {
		if len(b) > 60000 {
			return
		}
		d := newDissector(keys)
		p, err := d.frame(1, frame{at: time.Unix(1, 0), link: layers.LinkTypeRaw, data: udp(port, port, b)})
		if err != nil {
			t.Fatal(err)
		}
		if p == nil {
			if port == ikePort || port == natPort {
				t.Error("a datagram of ours was not shown")
			}
			return
		}
		if p.Kind == "" || p.Summary == "" {
			t.Errorf("%+v", p)
		}
		if _, err := json.Marshal(p); err != nil {
			t.Error(err)
		}
	})
}
