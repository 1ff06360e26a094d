package inspect

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"github.com/goipsec/goipsec/pkg/ah"
	"github.com/goipsec/goipsec/pkg/esp"
	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/keylog"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/suite"
	"github.com/goipsec/goipsec/pkg/testdata"
)

// golden compares text with a file under testdata; UPDATE_GOLDEN=1 writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s changed; UPDATE_GOLDEN=1 writes it anew (-want +got):\n%s", path, diff)
	}
}

// The captures are conversations between two strongSwan hosts, made for goipsec with throw-away keys.
func TestCaptureWithKeys(t *testing.T) {
	for _, name := range []string{"rekey", "aggressive", "ikev2", "wrong-psk"} {
		var b strings.Builder
		if err := Capture(&b, filepath.Join("testdata", name+".pcap"), CaptureOptions{KeysDir: filepath.Join("testdata", "keys")}); err != nil {
			t.Fatal(err)
		}
		golden(t, name+".txt", b.String())
	}
}

func TestCaptureWithoutKeysDecryptsNothing(t *testing.T) {
	var b strings.Builder
	if err := Capture(&b, filepath.Join("testdata", "rekey.pcap"), CaptureOptions{}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "    decrypted:\n") || strings.Count(b.String(), "its key is not in the tables") != 32 {
		t.Errorf("got:\n%s", b.String())
	}
}

func TestCaptureAsJSON(t *testing.T) {
	var b bytes.Buffer
	if err := Capture(&b, filepath.Join("testdata", "aggressive.pcap"), CaptureOptions{KeysDir: filepath.Join("testdata", "keys"), JSON: true}); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	d := json.NewDecoder(&b)
	for {
		var line struct {
			Packet
			Frames int
			Kinds  map[string]int
		}
		if err := d.Decode(&line); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if line.SchemaVersion != SchemaVersion {
			t.Errorf("schema version %d", line.SchemaVersion)
		}
		if line.Kinds != nil {
			if diff := cmp.Diff(line.Kinds, kinds); diff != "" || line.Frames != 12 {
				t.Errorf("summary (-summary +counted):\n%s", diff)
			}
			return
		}
		kinds[line.Kind]++
	}
	t.Error("no summary")
}

// Every encrypted IKEv1 message and every ESP packet of the recorded conversations is read, with tables in Wireshark's form.
func TestStrongSwanConversations(t *testing.T) {
	root := testdata.Dir(t, "vectors", "own", "strongswan-lab")
	dirs, err := filepath.Glob(filepath.Join(root, "ikev1-*"))
	if err != nil || len(dirs) == 0 {
		t.Fatal(err, len(dirs))
	}
	for _, dir := range dirs {
		keys := dir
		if _, err := os.Stat(filepath.Join(dir, keylog.PeerFile)); err != nil {
			keys = ""
		}
		var b strings.Builder
		if err := Capture(&b, filepath.Join(dir, "capture.pcap"), CaptureOptions{KeysDir: keys}); err != nil {
			t.Error(err)
		}
		if bad := strings.Count(b.String(), "not decrypted"); bad != 0 && !strings.HasSuffix(dir, "wrong-psk") || strings.Contains(b.String(), "malformed:") {
			t.Errorf("%s: %d messages were not decrypted, or one is malformed:\n%s", filepath.Base(dir), bad, b.String())
		}
	}
}

// capture makes a pcap file of raw IP datagrams.
func capture(t testing.TB, link layers.LinkType, frames ...[]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := pcapgo.NewWriter(&b)
	if err := w.WriteFileHeader(65535, link); err != nil {
		t.Fatal(err)
	}
	for i, f := range frames {
		ci := gopacket.CaptureInfo{Timestamp: time.Unix(1700000000+int64(i), 0), CaptureLength: len(f), Length: len(f)}
		if err := w.WritePacket(ci, f); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// show prints a capture that lies in memory.
func show(t testing.TB, file []byte, keys *keylog.Tables) string {
	t.Helper()
	c, err := openCapture(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := printCapture(&b, c, keys, false); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// ipv4 puts a header in front of a payload.
func ipv4(proto uint8, payload []byte) []byte {
	b := make([]byte, 20, 20+len(payload))
	b[0], b[8], b[9] = 0x45, 64, proto
	binary.BigEndian.PutUint16(b[2:], uint16(20+len(payload)))
	copy(b[12:], []byte{192, 0, 2, 1, 192, 0, 2, 2})
	binary.BigEndian.PutUint16(b[10:], packet.Checksum(b))
	return append(b, payload...)
}

func udp(src, dst uint16, payload []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, src)
	b = binary.BigEndian.AppendUint16(b, dst)
	b = binary.BigEndian.AppendUint16(b, uint16(8+len(payload)))
	return ipv4(17, append(append(b, 0, 0), payload...))
}

// ikeMessage is an IKEv1 message of one payload.
func ikeMessage(t testing.TB, exchange isakmp.ExchangeType, ps ...isakmp.Payload) []byte {
	t.Helper()
	body, err := isakmp.AppendPayloads(nil, ps)
	if err != nil {
		t.Fatal(err)
	}
	h := isakmp.Header{InitiatorCookie: isakmp.Cookie{1}, NextPayload: isakmp.FirstType(ps), Version: isakmp.Version1, Exchange: exchange, Length: isakmp.HeaderLen + len(body)}
	return append(h.Append(nil), body...)
}

var fixedRandom = bytes.NewReader(bytes.Repeat([]byte{7}, 1<<12))

// AH around ESP in transport mode, with 64-bit sequence numbers on their way across 2³², and a wrong ICV at the end.
func TestAHAndESPWithExtendedSequenceNumbers(t *testing.T) {
	keys := tables(t,
		`#goipsec "51","IPv4","192.0.2.1","192.0.2.2","0x00000201","0","","12","0x`+strings.Repeat("22", 32)+`","64-bit"`,
		`"IPv4","192.0.2.1","192.0.2.2","0x00000101","AES-GCM with 16 octet ICV [RFC4106]","0x`+strings.Repeat("11", 20)+`","NULL","","64-bit"`)
	e, err := esp.NewSealer(suite.AESGCM16, bytes.Repeat([]byte{0x11}, 20), suite.IntegNone, nil, 0x101, true, fixedRandom)
	if err != nil {
		t.Fatal(err)
	}
	a, err := ah.NewSealer(suite.HMACSHA256_128, bytes.Repeat([]byte{0x22}, 32), 0x201, true, false)
	if err != nil {
		t.Fatal(err)
	}
	tcp := make([]byte, 20)
	tcp[1], tcp[3] = 80, 90
	var frames [][]byte
	for _, seq := range []uint64{1<<32 - 1, 1 << 32, 1<<32 + 1} {
		inner := make([]byte, e.SealedLen(len(tcp)))
		copy(inner[e.Head():], tcp)
		if err := e.Seal(inner, 0, len(tcp), 6, seq); err != nil {
			t.Fatal(err)
		}
		pkt := ipv4(51, make([]byte, a.SealedLen(len(inner))))
		copy(pkt[20+a.Head():], inner)
		if err := a.Seal(pkt, 20, len(inner), 50, seq); err != nil {
			t.Fatal(err)
		}
		frames = append(frames, pkt)
	}
	bad := append([]byte(nil), frames[2]...)
	bad[len(bad)-1] ^= 1
	got := show(t, capture(t, layers.LinkTypeRaw, append(frames, bad)...), keys)
	if n := strings.Count(got, "authentic with hmac-sha256-128"); n != 4 || strings.Count(got, "not authentic") != 1 { // "not authentic with …" holds it as well
		t.Errorf("AH:\n%s", got)
	}
	if n := strings.Count(got, "transport mode: tcp, port 80 -> 90, 20 bytes"); n != 3 || strings.Count(got, "not decrypted with aes-gcm-16") != 1 {
		t.Errorf("ESP:\n%s", got)
	}
}

func tables(t *testing.T, rows ...string) *keylog.Tables {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, keylog.ChildFile), []byte(strings.Join(rows, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := keylog.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestWhatIsOnEachPort(t *testing.T) {
	msg := ikeMessage(t, isakmp.MainMode, isakmp.Payload{Type: isakmp.PayloadNonce, Body: make([]byte, 16)})
	marked := append(make([]byte, 4), msg...)
	sealed := binary.BigEndian.AppendUint32(nil, 0x1001)
	sealed = append(sealed, make([]byte, 40)...)
	for name, c := range map[string]struct {
		frames [][]byte
		want   []string
	}{
		"500":               {[][]byte{udp(500, 500, msg)}, []string{"IKEv1 main mode"}},
		"moved by a NAT":    {[][]byte{udp(500, 31337, msg)}, []string{"IKEv1 main mode"}},
		"4500":              {[][]byte{udp(4500, 4500, marked), udp(4500, 4500, sealed), udp(4500, 4500, []byte{0xff})}, []string{"IKEv1 main mode", "ESP SPI 00001001", "NAT keepalive"}},
		"other ports":       {[][]byte{udp(7001, 7002, sealed), udp(7001, 7002, marked), udp(7001, 7002, sealed)}, []string{"IKEv1 main mode", "ESP SPI 00001001, sequence 0", "1 others"}},
		"short ESP":         {[][]byte{udp(4500, 4500, []byte{1, 2, 3, 4, 5})}, []string{"malformed ESP packet"}},
		"short IKE":         {[][]byte{udp(500, 500, msg[:20])}, []string{"malformed IKE message"}},
		"raw ESP":           {[][]byte{ipv4(50, sealed)}, []string{"192.0.2.1 > 192.0.2.2  ESP SPI 00001001"}},
		"raw AH":            {[][]byte{ipv4(51, []byte{6, 4, 0, 0, 0, 0, 2, 1, 0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 80, 0, 90})}, []string{"AH SPI 00000201, sequence 9, ICV of 12 bytes, holds tcp", "port 80 -> 90"}},
		"short AH":          {[][]byte{ipv4(51, []byte{6, 40, 0, 0, 0, 0, 2, 1, 0, 0, 0, 9})}, []string{"malformed AH packet"}},
		"DNS":               {[][]byte{udp(53, 53, sealed)}, []string{"1 others"}},
		"IKE version 3":     {[][]byte{udp(500, 500, append(append(append([]byte{}, msg[:17]...), 0x30), msg[18:]...))}, []string{"IKE of version 3.0"}},
		"dummy and strange": {[][]byte{{}, {0x45}, make([]byte, 60)}, []string{"3 others"}},
	} {
		got := show(t, capture(t, layers.LinkTypeRaw, c.frames...), new(keylog.Tables))
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in:\n%s", name, want, got)
			}
		}
	}
}

func TestLinkLayers(t *testing.T) {
	ip := udp(500, 500, ikeMessage(t, isakmp.MainMode))
	eth := func(types ...byte) []byte { return append(append(make([]byte, 12), types...), ip...) }
	for name, c := range map[string]struct {
		link  layers.LinkType
		frame []byte
		want  string
	}{
		"ethernet":  {layers.LinkTypeEthernet, eth(8, 0), "1 IKE"},
		"two tags":  {layers.LinkTypeEthernet, eth(0x88, 0xa8, 0, 1, 0x81, 0, 0, 2, 8, 0), "1 IKE"},
		"arp":       {layers.LinkTypeEthernet, eth(8, 6), "1 others"},
		"runt":      {layers.LinkTypeEthernet, make([]byte, 13), "1 others"},
		"null":      {layers.LinkTypeNull, append([]byte{2, 0, 0, 0}, ip...), "1 IKE"},
		"null runt": {layers.LinkTypeLoop, []byte{2}, "1 others"},
		"any":       {layers.LinkTypeLinuxSLL, append(append(make([]byte, 14), 8, 0), ip...), "1 IKE"},
		"any arp":   {layers.LinkTypeLinuxSLL, append(append(make([]byte, 14), 8, 6), ip...), "1 others"},
		"any2":      {linkSLL2, append(append([]byte{8, 0}, make([]byte, 18)...), ip...), "1 IKE"},
		"any2 runt": {linkSLL2, []byte{8, 0}, "1 others"},
		"ipv4":      {layers.LinkTypeIPv4, ip, "1 IKE"},
	} {
		if got := show(t, capture(t, c.link, c.frame), new(keylog.Tables)); !strings.Contains(got, c.want) {
			t.Errorf("%s: no %q in:\n%s", name, c.want, got)
		}
	}
	c, err := openCapture(bytes.NewReader(capture(t, layers.LinkTypeIEEE802_11, ip)))
	if err != nil {
		t.Fatal(err)
	}
	if err := printCapture(io.Discard, c, new(keylog.Tables), false); err == nil || !strings.Contains(err.Error(), "link type") {
		t.Errorf("got %v", err)
	}
}

// Large IKE messages come in fragments.
func TestFragmentsAreJoined(t *testing.T) {
	whole := udp(500, 500, ikeMessage(t, isakmp.MainMode, isakmp.Payload{Type: isakmp.PayloadCert, Body: make([]byte, 3000)}))
	var h packet.Header
	if err := h.Parse(whole); err != nil {
		t.Fatal(err)
	}
	parts, err := packet.Fragments(nil, whole, &h, 1280, 77)
	if err != nil || len(parts) < 3 {
		t.Fatal(len(parts), err)
	}
	got := show(t, capture(t, layers.LinkTypeRaw, parts...), new(keylog.Tables))
	if !strings.Contains(got, "CERT: encoding 0, 2999 bytes") || !strings.Contains(got, "2 others") {
		t.Errorf("got:\n%s", got)
	}
}

func TestP20StringsOfPeersAreEscaped(t *testing.T) {
	evil := "\x1b[2J\r\nroot# \u202e" + strings.Repeat("x", 500)
	id := isakmp.Identification{Type: isakmp.IDFQDN, Protocol: 17, Port: 500, Data: []byte(evil)}
	notify := isakmp.Notify{DOI: 1, Protocol: 1, Type: 4711, Data: []byte(evil)}
	msg := ikeMessage(t, isakmp.Informational, isakmp.Payload{Type: isakmp.PayloadVendor, Body: []byte(evil)}, isakmp.Payload{Type: isakmp.PayloadID, Body: id.Append(nil)},
		isakmp.Payload{Type: isakmp.PayloadNotify, Body: notify.Append(nil)})
	got := show(t, capture(t, layers.LinkTypeRaw, udp(500, 500, msg)), new(keylog.Tables))
	if !strings.Contains(got, "ID:") || !strings.Contains(got, "VENDOR:") || !strings.Contains(got, "NOTIFY:") {
		t.Errorf("something is missing:\n%s", got)
	}
	for _, r := range got {
		if r != '\n' && r != '…' && (r < 0x20 || r > 0x7e) {
			t.Errorf("%q reached the terminal:\n%q", r, got)
		}
	}
	for _, l := range strings.Split(got, "\n") {
		if len(l) > 400 {
			t.Errorf("a line of %d bytes", len(l))
		}
	}
}

// Each kind of payload is shown, and each that is broken is called malformed and does not hide the others.
func TestPayloadsOfIKEv1(t *testing.T) {
	spi := binary.BigEndian.AppendUint32(nil, 0xabcdef01)
	sa := isakmp.SA{DOI: 1, Situation: 1, Proposals: []isakmp.Proposal{
		{Number: 1, Protocol: isakmp.ProtoAH, SPI: spi, Transforms: []isakmp.Transform{{Number: 1, ID: 5, Attributes: []isakmp.Attribute{isakmp.BasicAttribute(5, 5), isakmp.BasicAttribute(4, 2),
			isakmp.BasicAttribute(11, 1), isakmp.BasicAttribute(1, 2), isakmp.NumberAttribute(2, 1<<20), isakmp.BasicAttribute(3, 99), isakmp.BasicAttribute(77, 3), {Type: 78, Value: make([]byte, 20)}}}}},
		{Number: 1, Protocol: isakmp.ProtoESP, SPI: spi, Transforms: []isakmp.Transform{{Number: 1, ID: 250}}},
		{Number: 2, Protocol: isakmp.ProtoISAKMP, Transforms: []isakmp.Transform{{Number: 1, ID: 9}}},
	}}
	life := isakmp.Notify{DOI: 1, Protocol: isakmp.ProtoESP, Type: isakmp.ResponderLifetime, SPI: spi, Data: isakmp.AppendAttributes(nil, []isakmp.Attribute{isakmp.BasicAttribute(1, 1), isakmp.BasicAttribute(2, 600)})}
	dpd := isakmp.Notify{DOI: 1, Protocol: 1, Type: isakmp.DPDRequest, Data: []byte{0, 0, 1, 0}}
	del := isakmp.Delete{DOI: 1, Protocol: isakmp.ProtoESP, SPIs: [][]byte{spi, spi}}
	oa := isakmp.AddrID(netip.MustParseAddr("10.0.0.1"))
	broken := []isakmp.PayloadType{isakmp.PayloadSA, isakmp.PayloadID, isakmp.PayloadNotify, isakmp.PayloadDelete, isakmp.PayloadCert}
	ps := []isakmp.Payload{{Type: isakmp.PayloadSA, Body: sa.Append(nil)}, {Type: isakmp.PayloadNotify, Body: life.Append(nil)}, {Type: isakmp.PayloadNotify, Body: dpd.Append(nil)},
		{Type: isakmp.PayloadDelete, Body: del.Append(nil)}, {Type: isakmp.PayloadNATOA, Body: oa.Append(nil)}, {Type: isakmp.PayloadNATD, Body: make([]byte, 20)},
		{Type: isakmp.PayloadVendor, Body: []byte("a vendor")}, {Type: isakmp.PayloadVendor, Body: isakmp.VendorDPD}, {Type: isakmp.PayloadVendor, Body: []byte{0, 1, 2}}, {Type: 99, Body: make([]byte, 3)}}
	for _, b := range broken {
		ps = append(ps, isakmp.Payload{Type: b})
	}
	msg := ikeMessage(t, isakmp.QuickMode, ps...)
	msg[19] = isakmp.FlagCommit | 0x80
	golden(t, "payloads.txt", show(t, capture(t, layers.LinkTypeRaw, udp(500, 500, msg), udp(500, 500, ikeMessage(t, 6)), udp(500, 500, ikeMessage(t, 1))), new(keylog.Tables)))
}

func TestBrokenFiles(t *testing.T) {
	good := capture(t, layers.LinkTypeRaw, udp(500, 500, ikeMessage(t, isakmp.MainMode)))
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"empty":      {nil, "too short"},
		"text":       {[]byte("not a capture at all, just text"), "neither pcap nor pcapng"},
		"compressed": {[]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0}, "gunzip"},
		"huge block": {append([]byte{0x0a, 0x0d, 0x0d, 0x0a}, 0xff, 0xff, 0xff, 0x7c, 0x4d, 0x3c, 0x2b, 0x1a), "claims"},
		"cut block":  {append([]byte{0x0a, 0x0d, 0x0d, 0x0a}, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a), "cut off"},
		"cut header": {[]byte{0x0a, 0x0d, 0x0d, 0x0a, 28}, "cut off"},
	} {
		path := filepath.Join(t.TempDir(), "x.pcap")
		if err := os.WriteFile(path, c.file, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Capture(io.Discard, path, CaptureOptions{}); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want something about %q", name, err, c.want)
		}
	}
	// What precedes the break is printed.
	path := filepath.Join(t.TempDir(), "cut.pcap")
	if err := os.WriteFile(path, append(good, good[24:44]...), 0o600); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := Capture(&b, path, CaptureOptions{}); err == nil || !strings.Contains(b.String(), "1 IKE") {
		t.Errorf("%v\n%s", err, b.String())
	}
	if err := Capture(io.Discard, filepath.Join(t.TempDir(), "none"), CaptureOptions{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if err := Capture(io.Discard, path, CaptureOptions{KeysDir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "key tables") {
		t.Errorf("got %v", err)
	}
}

func TestPcapNG(t *testing.T) {
	var b bytes.Buffer
	w, err := pcapgo.NewNgWriter(&b, layers.LinkTypeRaw)
	if err != nil {
		t.Fatal(err)
	}
	f := udp(500, 500, ikeMessage(t, isakmp.MainMode))
	for range 2 {
		if err := w.WritePacket(gopacket.CaptureInfo{Timestamp: time.Unix(1700000000, 0), CaptureLength: len(f), Length: len(f)}, f); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if got := show(t, b.Bytes(), new(keylog.Tables)); !strings.Contains(got, "2 IKE") {
		t.Errorf("got:\n%s", got)
	}
	// A packet that claims more than its block holds would make gopacket allocate what it claims.
	file := b.Bytes()
	at := bytes.LastIndex(file, f) - 8
	binary.LittleEndian.PutUint32(file[at:], 1<<30)
	if _, err := openCapture(bytes.NewReader(file)); err == nil || !strings.Contains(err.Error(), "claims") {
		t.Errorf("got %v", err)
	}
}

// Hostile captures are printed to the end, whatever they hold, and nothing in them reaches the terminal as it is.
func TestP20HostileCaptures(t *testing.T) {
	root := testdata.Dir(t, "hostile")
	files, err := filepath.Glob(filepath.Join(root, "*", "*.pcap*"))
	if err != nil || len(files) < 20 {
		t.Fatal(len(files), err)
	}
	for _, f := range files {
		var b strings.Builder
		if err := Capture(&b, f, CaptureOptions{KeysDir: filepath.Join("testdata", "keys")}); err != nil {
			t.Errorf("%s: %v", filepath.Base(f), err)
		}
		if i := strings.IndexFunc(b.String(), func(r rune) bool { return r != '\n' && r != '…' && (r < 0x20 || r > 0x7e) }); i >= 0 {
			t.Errorf("%s: %q reached the terminal", filepath.Base(f), b.String()[i:min(i+20, b.Len())])
		}
	}
}

func TestHostileIKEMessages(t *testing.T) {
	f, err := os.Open(testdata.Dir(t, "hostile", "ike_unauthenticated.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d, n := json.NewDecoder(f), 0
	diss := newDissector(new(keylog.Tables))
	for {
		var line map[string]any
		if err := d.Decode(&line); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		for _, v := range line {
			raw, ok := v.(string)
			if !ok {
				continue
			}
			b := unhex(raw)
			if len(b) == 0 || len(b) > 60000 {
				continue
			}
			n++
			for _, port := range []uint16{500, 4500} {
				p, err := diss.frame(n, frame{at: time.Unix(int64(n), 0), link: layers.LinkTypeRaw, data: udp(port, port, b)})
				if err != nil || p == nil || p.Kind == "" {
					t.Errorf("%v: %+v, %v", line["name"], p, err)
				}
			}
		}
	}
	if n < 500 {
		t.Errorf("only %d messages were read", n)
	}
}

func unhex(s string) []byte {
	if len(s)%2 != 0 || len(s) < 2 {
		return nil
	}
	b := make([]byte, 0, len(s)/2)
	for i := 0; i < len(s); i += 2 {
		hi, lo := strings.IndexByte("0123456789abcdef", s[i]), strings.IndexByte("0123456789abcdef", s[i+1])
		if hi < 0 || lo < 0 {
			return nil
		}
		b = append(b, byte(hi<<4|lo))
	}
	return b
}
