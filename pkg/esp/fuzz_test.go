package esp

import (
	"bytes"
	"testing"

	"github.com/goipsec/goipsec/pkg/suite"
)

// slowUnpad says the same as unpad, one rule after the other.
func slowUnpad(body []byte) (payload []byte, next uint8, ok bool) {
	next, body = body[len(body)-1], body[:len(body)-1]
	size, body := int(body[len(body)-1]), body[:len(body)-1]
	for want := size; want > 0; want-- {
		if len(body) == 0 || body[len(body)-1] != byte(want) {
			return nil, 0, false
		}
		body = body[:len(body)-1]
	}
	return body, next, true
}

// FuzzOpen gives the opener what anybody could send, and then the same bytes as plaintext that the peer sealed: a valid ICV around anything at all.
func FuzzOpen(f *testing.F) {
	all := pairs()
	f.Add(uint8(0), false, []byte{})
	f.Add(uint8(0), false, []byte{1, 2, 2, 4})
	f.Add(uint8(3), true, bytes.Repeat([]byte{0x45}, 64))
	f.Add(uint8(9), false, append(make([]byte, 58), 1, 2, 3, 4, 4, 41))
	f.Add(uint8(20), true, []byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 59})
	f.Add(uint8(40), false, append(make([]byte, 14), 14, 4))
	var file struct{ Packets []hostile }
	load(f, "testdata/authenticated_malformed.json", &file)
	for i, p := range file.Packets {
		f.Add(uint8(i), i%2 == 0, unhex(f, p.Plain))
		f.Add(uint8(i), i%2 == 1, unhex(f, p.Packet))
	}
	f.Fuzz(func(t *testing.T, choice uint8, esn bool, data []byte) {
		p := all[int(choice)%len(all)]
		s, o := p.make(t, esn)

		stranger := bytes.Clone(data)
		if _, err := o.Sequence(stranger, 0); err == nil {
			if _, _, _, err := o.Open(stranger, 0, 77); err != ErrIntegrity {
				t.Fatalf("%v: bytes that nobody sealed open: %v", p, err)
			}
		}

		body := data[:len(data)/int(s.block)*int(s.block)]
		if len(body) < trailerLen {
			return
		}
		pkt := make([]byte, s.head()+len(body)+s.icv())
		copy(pkt[s.head():], body)
		s.transform.seal(pkt, pkt[s.head():len(pkt)-s.icv()], 77)
		if !o.valid(len(pkt)) {
			t.Fatalf("%v: a packet of %d bytes is not valid", p, len(pkt))
		}
		off, n, next, err := o.Open(pkt, 0, 77)
		payload, wantNext, ok := slowUnpad(bytes.Clone(body))
		if ok != (err == nil) || ok && (next != wantNext || !bytes.Equal(pkt[off:off+n], payload)) {
			t.Fatalf("%v: plaintext %x opened as %x, %d, %v", p, body, pkt[off:off+n], next, err)
		}
	})
}

type hostile struct {
	ID, Expect string
	Seq        uint32
	Packet     string `json:"esp_packet"`
	Plain      string `json:"plaintext_with_trailer"`
}

// The hostile packets have valid ICVs. All but the one with wrong padding open, with exactly what the sender put in.
func TestAuthenticatedMalformed(t *testing.T) {
	var file struct {
		SA      struct{ Key, Salt string }
		Packets []hostile
	}
	load(t, "testdata/authenticated_malformed.json", &file)
	if len(file.Packets) != 46 {
		t.Fatalf("%d packets, want 46", len(file.Packets))
	}
	o, err := NewOpener(suite.AESGCM16, unhex(t, file.SA.Key+file.SA.Salt), suite.IntegNone, nil, 0xc0000001, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range file.Packets {
		pkt, plain := unhex(t, h.Packet), unhex(t, h.Plain)
		low, err := o.Sequence(pkt, 0)
		if err != nil || low != h.Seq {
			t.Errorf("%s: sequence %d, %v; want %d", h.ID, low, err, h.Seq)
		}
		payload, wantNext, ok := slowUnpad(bytes.Clone(plain))
		off, n, next, err := o.Open(pkt, 0, uint64(low))
		if h.ID == "pad-bytes-wrong" {
			if ok || err != ErrIntegrity {
				t.Errorf("%s: %v, want %v", h.ID, err, ErrIntegrity)
			}
			continue
		}
		if err != nil || next != wantNext || !bytes.Equal(pkt[off:off+n], payload) {
			t.Errorf("%s: opened %x, next %d, %v; want %x, %d", h.ID, pkt[off:off+n], next, err, payload, wantNext)
		}
	}
}
