package keylog

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/suite"
)

var (
	local, remote = netip.MustParseAddrPort("192.0.2.1:4500"), netip.MustParseAddrPort("192.0.2.2:4500")
	eqSA          = cmp.Options{cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty()}
)

// child is an AH+ESP pair with keys that are easy to see.
func child() *isakmp.ChildSA {
	return &isakmp.ChildSA{Local: local, Remote: remote, ESN: true, Protocols: []isakmp.ProtocolKeys{
		{Protocol: suite.ESP, SPIIn: 0x101, SPIOut: 0x102, Encr: suite.AESCBC, KeyBits: 128, Integ: suite.HMACSHA1_96,
			EncrIn: []byte("EEEEEEEEEEEEEEEE"), EncrOut: []byte("eeeeeeeeeeeeeeee"), IntegIn: []byte("IIIIIIIIIIIIIIIIIIII"), IntegOut: []byte("iiiiiiiiiiiiiiiiiiii")},
		{Protocol: suite.AH, SPIIn: 0x201, SPIOut: 0x202, Integ: suite.HMACSHA256_128, IntegIn: []byte("AHAHAHAH"), IntegOut: []byte("ahahahah")},
	}}
}

func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	l, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	c := child()
	peer := isakmp.PeerInfo{InitiatorCookie: [8]byte{1, 2, 3}, EncryptionKey: []byte{0xaa, 0xbb}}
	for _, err := range []error{l.Peer(peer), l.Peer(isakmp.PeerInfo{}), l.Child(c), l.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	got, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[[8]byte][]byte{{1, 2, 3}: {0xaa, 0xbb}}, got.Peers); diff != "" {
		t.Errorf("peers (-want +got):\n%s", diff)
	}
	for _, want := range []SA{
		{suite.ESP, false, remote.Addr(), local.Addr(), 0x101, suite.AESCBC, c.Protocols[0].EncrIn, suite.HMACSHA1_96, c.Protocols[0].IntegIn, true},
		{suite.ESP, false, local.Addr(), remote.Addr(), 0x102, suite.AESCBC, c.Protocols[0].EncrOut, suite.HMACSHA1_96, c.Protocols[0].IntegOut, true},
		{suite.AH, false, remote.Addr(), local.Addr(), 0x201, 0, nil, suite.HMACSHA256_128, c.Protocols[1].IntegIn, true},
		{suite.AH, false, local.Addr(), remote.Addr(), 0x202, 0, nil, suite.HMACSHA256_128, c.Protocols[1].IntegOut, true},
	} {
		sa, ok := got.Find(want.Protocol, want.Src, want.Dst, want.SPI)
		if diff := cmp.Diff(want, sa, eqSA); !ok || diff != "" {
			t.Errorf("%v (-want +got):\n%s", want, diff)
		}
	}
	if n := len(got.SAs()); n != 4 {
		t.Errorf("%d SAs, want 4", n)
	}
	if _, ok := got.Find(suite.ESP, local.Addr(), remote.Addr(), 0x101); ok {
		t.Error("found an SA in the wrong direction")
	}
}

// Every pair of algorithms comes back as it was, those that Wireshark does not know as well.
func TestEveryAlgorithmHasARow(t *testing.T) {
	encrs := []suite.Encr{suite.EncrNone, suite.DES, suite.TripleDES, suite.Null, suite.AESCBC, suite.AESCTR, suite.AESCCM8, suite.AESCCM12, suite.AESCCM16,
		suite.AESGCM8, suite.AESGCM12, suite.AESGCM16, suite.NullGMAC, suite.ChaCha20Poly1305}
	integs := []suite.Integ{suite.IntegNone, suite.HMACMD5_96, suite.HMACSHA1_96, suite.AESXCBC96, suite.AESCMAC96, suite.AES128GMAC, suite.HMACSHA256_128,
		suite.HMACSHA384_192, suite.HMACSHA512_256}
	for _, e := range encrs {
		for _, i := range integs {
			for _, p := range []suite.Protocol{suite.ESP, suite.AH} {
				want := SA{Protocol: p, V6: true, Src: netip.MustParseAddr("2001:db8::1"), SPI: 0xfffffffe, Encr: e, EncrKey: []byte{1}, Integ: i, IntegKey: []byte{2}}
				got, err := parseRow(strings.TrimSpace(want.row()))
				if diff := cmp.Diff(want, got, eqSA); err != nil || diff != "" {
					t.Errorf("%s: %v\n%s", want.row(), err, diff)
				}
			}
		}
	}
}

func TestPeerBehindNATIsAnyAddress(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := child()
	c.NATRemote = true
	if err := l.Child(c); err != nil {
		t.Fatal(err)
	}
	got, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := got.Find(suite.ESP, netip.MustParseAddr("203.0.113.9"), local.Addr(), 0x101); !ok {
		t.Error("a packet from the NAT's other address finds no key")
	}
	if _, ok := got.Find(suite.ESP, netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("192.0.2.77"), 0x101); ok {
		t.Error("a packet to another host finds a key")
	}
}

func TestOfSeveralRowsTheNewestWins(t *testing.T) {
	tables := &Tables{sas: map[name][]SA{}}
	for _, key := range []string{"0x11", "0x22"} {
		if err := tables.child(`"IPv4","*","*","0x00000100","NULL","` + key + `","NULL",""`); err != nil {
			t.Fatal(err)
		}
	}
	if sa, ok := tables.Find(suite.ESP, local.Addr(), remote.Addr(), 0x100); !ok || sa.EncrKey[0] != 0x22 {
		t.Errorf("found %x, %v", sa.EncrKey, ok)
	}
}

func TestFilesAreForTheirOwnerOnly(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("file modes say nothing here")
	}
	dir := filepath.Join(t.TempDir(), "a", "b")
	l, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, PeerFile): 0o600, filepath.Join(dir, ChildFile): 0o600} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, %v; want %v", path, info.Mode(), err, want)
		}
	}
	for _, path := range []string{filepath.Join(dir, ChildFile), filepath.Join(dir, PeerFile), dir} {
		if err := os.Chmod(path, 0o744); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "chmod") {
			t.Errorf("%s that others may read: %v", path, err)
		}
	}
	file := filepath.Join(dir, ChildFile)
	if _, err := Open(file); err == nil {
		t.Error("a file was taken for a directory")
	}
	for _, err := range []error{os.Chmod(dir, 0o700), os.Remove(file), os.Symlink(filepath.Join(dir, "elsewhere"), file)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(dir); err == nil {
		t.Error("a symbolic link in the place of a table was followed")
	}
}

func TestKeysAreNotPrinted(t *testing.T) {
	sa := SA{Protocol: suite.ESP, SPI: 1, EncrKey: []byte("secret"), IntegKey: []byte("secret")}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
		if s := fmt.Sprintf(format, sa); strings.Contains(s, "secret") || strings.Contains(s, "736563") || strings.Contains(s, "115, 101") {
			t.Errorf("%s prints the key: %s", format, s)
		}
	}
	for _, line := range []string{
		`"IPv4","*","*","0x1","NULL","0x5ec2e7zz","NULL",""`,
		`"IPv4","*","*","0x5ec2e7","NULL","","NULL","0x5ec2e7zz"`,
	} {
		if _, err := parseRow(line); err == nil || strings.Contains(err.Error(), "5ec2e7zz") {
			t.Errorf("the error repeats the key: %v", err)
		}
	}
}

func TestBadTables(t *testing.T) {
	for name, c := range map[string]struct{ file, content, want string }{
		"cookie":        {PeerFile, "zz,00\n", PeerFile + ":1"},
		"short cookie":  {PeerFile, "# ours\n\n0102,00\n", PeerFile + ":3"},
		"peer key":      {PeerFile, "0102030405060708,0\n", "hexadecimal"},
		"fields":        {ChildFile, `"IPv4","*"` + "\n", "2 fields"},
		"cipher":        {ChildFile, `"IPv4","*","*","0x1","ROT13","","NULL",""` + "\n", "ROT13"},
		"integrity":     {ChildFile, `"IPv4","*","*","0x1","NULL","","CRC",""` + "\n", "CRC"},
		"SPI":           {ChildFile, `"IPv4","*","*","0x100000000","NULL","","NULL",""` + "\n", "no SPI"},
		"source":        {ChildFile, `"IPv4","here","*","0x1","NULL","","NULL",""` + "\n", "no address"},
		"destination":   {ChildFile, `"IPv4","*","there","0x1","NULL","","NULL",""` + "\n", "no address"},
		"no quote":      {ChildFile, "IPv4\n", "begin"},
		"open quote":    {ChildFile, `"IPv4` + "\n", "end"},
		"no comma":      {ChildFile, `"IPv4""*"` + "\n", "comma"},
		"protocol":      {ChildFile, mark + `"300","IPv4","*","*","0x1","0","","0","","32-bit"` + "\n", "protocol"},
		"transform":     {ChildFile, mark + `"51","IPv4","*","*","0x1","x","","0","","32-bit"` + "\n", "transform"},
		"line too long": {ChildFile, strings.Repeat("x", maxLine+1), "too long"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, c.file), []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want something about %q", name, err, c.want)
		}
	}
	if _, err := Read(t.TempDir()); err == nil || !strings.Contains(err.Error(), "--keylog") {
		t.Errorf("an empty directory: %v", err)
	}
	long := strings.NewReader(strings.Repeat("x\n", maxRows+1))
	if err := readRows(long, "f", func(string) error { return nil }); err == nil || !strings.Contains(err.Error(), "lines") {
		t.Errorf("a table without end: %v", err)
	}
}

func TestWiresharksOwnFormsAreRead(t *testing.T) {
	for _, line := range []string{
		`"IPv4","192.0.2.0/24","*","0xc36d6424","AES-GCM [RFC4106]","0x00","NULL",""`,
		`"IPv6","::ffff:192.0.2.1","2001:db8::1","c36d6424","NULL [RFC2410]","","HMAC-MD5-96 [RFC2403]","0x00","64-bit"`,
	} {
		if sa, err := parseRow(line); err != nil || sa.SPI != 0xc36d6424 {
			t.Errorf("%s: %v, %v", line, sa, err)
		}
	}
}

func TestManyWritersNeverMixTheirLines(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	l, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				if err := l.Child(child()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	l.Close()
	if got, err := Read(dir); err != nil || len(got.SAs()) != 8*20*4 {
		t.Errorf("%v, %v", len(got.SAs()), err)
	}
	if err := l.Child(child()); err == nil {
		t.Error("a closed log took a key")
	}
}

// FuzzTables: whatever stands in a table, reading it ends with rows or an error, and a row that was read is written as one that reads the same.
func FuzzTables(f *testing.F) {
	f.Add(`"IPv4","192.0.2.1","*","0x36d64240","AES-CBC [RFC3602]","0x00","HMAC-SHA-256-128 [RFC4868]","0x01","32-bit"`)
	f.Add(mark + `"51","IPv6","2001:db8::1","*","0x00000001","0","","12","0x01","64-bit"`)
	f.Add(`"","","","","","","",""`)
	f.Fuzz(func(t *testing.T, line string) {
		sa, err := parseRow(line)
		if err != nil {
			return
		}
		again, err := parseRow(strings.TrimSpace(sa.row()))
		if diff := cmp.Diff(sa, again, eqSA); err != nil || diff != "" {
			t.Errorf("%q became %q: %v\n%s", line, sa.row(), err, diff)
		}
	})
}
