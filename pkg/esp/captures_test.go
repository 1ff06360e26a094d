package esp

import (
	"encoding/binary"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/gopacket/pcapgo"

	"github.com/goipsec/goipsec/pkg/testdata"
)

func shared(t *testing.T, name string) string {
	return testdata.Dir(t, "vectors", "public", "esp_ah", name)
}

// The captures themselves: every ESP packet in them that belongs to a known SA is in testdata/strongswan_lab.json, which TestStrongSwanLab proves.
func TestStrongSwanLabIsWhole(t *testing.T) {
	dir := testdata.Dir(t, "vectors", "own", "strongswan-lab")
	captures, err := filepath.Glob(filepath.Join(dir, "*", "capture.pcap"))
	if err != nil || len(captures) != 38 {
		t.Fatalf("%d captures, %v", len(captures), err)
	}
	var file struct{ SAs []labSA }
	load(t, "testdata/strongswan_lab.json", &file)
	known, spis := map[string]int{}, map[string]bool{}
	for _, s := range file.SAs {
		spis[s.SPI] = true
		for _, p := range s.Packets {
			known[p]++
		}
	}
	for _, path := range captures {
		for _, esp := range espOf(t, path) {
			p := hex.EncodeToString(esp)
			if !spis[p[:8]] || known[p] == 0 {
				t.Errorf("%s: packet of SPI %s is not in testdata", path, p[:8])
			}
			known[p]--
		}
	}
	for p, left := range known {
		if left != 0 {
			t.Errorf("packet of SPI %s stands %d times too often in testdata", p[:8], left)
		}
	}
}

// espOf returns the ESP packets in UDP port 4500 of an Ethernet capture.
func espOf(t *testing.T, path string) (packets [][]byte) {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcapgo.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for {
		frame, _, err := r.ReadPacketData()
		if err == io.EOF {
			return packets
		}
		if err != nil {
			t.Fatal(err)
		}
		if esp := espIn(frame); esp != nil {
			packets = append(packets, esp)
		}
	}
}

func espIn(frame []byte) []byte {
	ip := frame[14:]
	hlen, proto, whole := 0, byte(0), true
	switch binary.BigEndian.Uint16(frame[12:]) {
	case 0x0800:
		ip = ip[:binary.BigEndian.Uint16(ip[2:])]
		hlen, proto, whole = int(ip[0]&15)*4, ip[9], binary.BigEndian.Uint16(ip[6:])&0x3fff == 0
	case 0x86dd:
		ip = ip[:40+int(binary.BigEndian.Uint16(ip[4:]))]
		hlen, proto = 40, ip[6]
	}
	if proto != 17 || !whole || len(ip) < hlen+8+9 {
		return nil
	}
	udp := ip[hlen:]
	if binary.BigEndian.Uint16(udp) != 4500 && binary.BigEndian.Uint16(udp[2:]) != 4500 || binary.BigEndian.Uint32(udp[8:]) == 0 {
		return nil
	}
	return udp[8:]
}
