package interchange

import (
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/testpki"
)

// prelude makes a policy P, a list L with a filter, and an action A that negotiates.
const prelude = `netsh ipsec static add policy P activatedefaultrule=no assign=y mmsecmethods=3DES-SHA1-3
netsh ipsec static add filter L me 192.0.2.9
netsh ipsec static add filteraction A qmsecmethods=ESP[3DES,SHA1]
netsh ipsec static add filteraction B action=block
`

// imported imports a script and gives the lines of its policy file without the comments at the top.
func imported(t *testing.T, script string) (string, *Result) {
	t.Helper()
	r, err := ImportNetsh("test.cmd", []byte(script), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Check("policy.yaml", nil); err != nil {
		t.Fatalf("%v\n%s", err, r.Policy)
	}
	text := string(r.Policy)
	return text[strings.Index(text, "policy:"):], r
}

func lostOf(r *Result) []Note {
	return slices.DeleteFunc(slices.Clone(r.Notes), func(n Note) bool { return n.Kind != Lost })
}

// A filter's sides, masks, protocol and ports, as add filter takes them.
func TestNetshFilters(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"srcaddr=me dstaddr=192.0.2.1", "me <-> 192.0.2.1"},
		{"srcaddr=me dstaddr=192.0.2.1 mirrored=n", "me -> 192.0.2.1"},
		{"srcaddr=ANY dstaddr=Me", "any <-> me"},
		{"srcaddr=10.1.2.3 srcmask=255.255.0.0 dstaddr=me", "10.1.0.0/16 <-> me"},
		{"srcaddr=10.1.2.0 srcmask=24 dstaddr=me dstmask=255.255.255.255", "10.1.2.0/24 <-> me"},
		{"srcaddr=10.1.2.0/24 dstaddr=me", "10.1.2.0/24 <-> me"},
		{"srcaddr=10.0.0.1-10.0.0.9 dstaddr=me", "10.0.0.1-10.0.0.9 <-> me"},
		{"srcaddr=2001:db8::1-2001:db8::9 dstaddr=me", "2001:db8::1-2001:db8::9 <-> me"},
		{"srcaddr= E3D7::51F4:9BC8:00A8:6420 dstaddr= ME", "e3d7::51f4:9bc8:a8:6420 <-> me"},
		{"srcaddr=2001:db8:: srcmask=32 dstaddr=me", "2001:db8::/32 <-> me"},
		{"srcaddr=0.0.0.0 srcmask=0.0.0.0 dstaddr=0.0.0.0 dstmask=255.255.255.255", "any <-> me"},
		{"srcaddr=me dstaddr=www.example.com protocol=TCP dstport=443", "me <-> www.example.com tcp 443"},
		{"srcaddr=me dstaddr=fileserver", "me <-> fileserver."},
		{"srcaddr=dns dstaddr=me protocol=udp srcport=53", "dns <-> me udp 53 any"},
		{"srcaddr=me dstaddr=GATEWAY", "me <-> gateway"},
		{"srcaddr=me dstaddr=any protocol=icmp", "me <-> any icmp"},
		{"srcaddr=me dstaddr=any protocol=RAW", "me <-> any 255"},
		{"srcaddr=me dstaddr=any protocol=50", "me <-> any esp"},
		{"srcaddr=me dstaddr=any protocol=0 srcport=0 dstport=0", "me <-> any"},
		{"srcaddr=me dstaddr=any protocol=udp srcport=500 dstport=4500", "me <-> any udp 500 4500"},
		{"me any \"place by place\" tcp no 32 0 0 25", "me -> any tcp 25 # place by place"},
		{"dsta=192.0.2.1 srca=me prot=t dstp=80", "me <-> 192.0.2.1 tcp 80"},
	} {
		got, r := imported(t, prelude+"netsh ipsec static add filter F "+c.args+"\nnetsh ipsec static add rule R P F B\n")
		if !strings.Contains(got, "- "+c.want+"\n") || r.LostCount() > 0 {
			t.Errorf("%s: want %s, have\n%s%v", c.args, c.want, got, r.Notes)
		}
	}
}

// What is no filter is left out whole, with its line and the reason: half of it would be another filter.
func TestNetshFiltersThatAreRefused(t *testing.T) {
	for _, c := range []struct{ args, why string }{
		{"srcaddr=me", "dstaddr: the address is empty"},
		{"srcaddr=300.1.1.1 dstaddr=me", "no address and no name"},
		{"srcaddr=10.0.0.0 srcmask=255.0.255.0 dstaddr=me", "has a gap"},
		{"srcaddr=10.0.0.0 srcmask=64 dstaddr=me", "no mask"},
		{"srcaddr=10.0.0.9-10.0.0.1 dstaddr=me", "no range"},
		{"srcaddr=192.168.2.1-192,168.2.10 dstaddr=me", "no address"},
		{"srcaddr=10.0.0.1 dstaddr=2001:db8::1", "mixes IPv4 and IPv6"},
		{"srcaddr=me dstaddr=2001:db8::1 protocol=icmp", "58"},
		{"srcaddr=me dstaddr=any protocol=256", "no protocol"},
		{"srcaddr=me dstaddr=any protocol=tcp dstport=http", "no port"},
		{"srcaddr=me dstaddr=any protocol=tcp dstport=1-9", "no port"},
		{"srcaddr=me dstaddr=any dstport=80", "needs protocol TCP or UDP"},
		{"srcaddr=me dstaddr=any mirrored=maybe", "mirrored is yes or no"},
	} {
		_, r := imported(t, prelude+"netsh ipsec static add filter L "+c.args+"\nnetsh ipsec static add rule R P L B\n")
		if lost := lostOf(r); len(lost) != 1 || lost[0].Line != 5 || !strings.Contains(lost[0].Message, c.why) {
			t.Errorf("%s: want %q in line 5, have %v", c.args, c.why, r.Notes)
		}
		if n := strings.Count(string(r.Policy), "<->"); n != 1 {
			t.Errorf("%s: %d filters are written", c.args, n)
		}
	}
}

// Security methods with every limit set, one, or none: what is not set has Windows' default.
func TestNetshSecurityMethods(t *testing.T) {
	const usual = "    lifetime: {seconds: 3600, kilobytes: 100000}\n"
	for _, c := range []struct{ methods, want string }{
		{`"ESP[3DES,SHA1]:100000k/3600s"`, "      - esp 3des hmac-sha1-96\n" + usual},
		{`"ESP[DES,MD5] AH[MD5]"`, "      - esp des hmac-md5-96\n      - ah hmac-md5-96\n" + usual},
		{`ESP[3DES,MD5]:50000k/2000s`, "      - esp 3des hmac-md5-96\n    lifetime: {seconds: 2000, kilobytes: 50000}\n"},
		{`ESP[DES,SHA1]:30000k AH[SHA1]:480s`, "      - {esp: des hmac-sha1-96, lifetime: {seconds: 3600, kilobytes: 30000}}\n      - {ah: hmac-sha1-96, lifetime: {seconds: 480, kilobytes: 100000}}\n"},
		{`"AH[SHA1]+ESP[3DES,None]:0k/0s"`, "      - ah hmac-sha1-96 + esp 3des\n" + usual},
		{`"ah[md5] + esp[none,sha1]:7200s/5000k"`, "      - ah hmac-md5-96 + esp null hmac-sha1-96\n    lifetime: {seconds: 7200, kilobytes: 5000}\n"},
		{`"ESP[None, SHA1]"`, "      - esp null hmac-sha1-96\n" + usual},
	} {
		got, r := imported(t, prelude+"netsh ipsec static set filteraction A qmsec="+c.methods+"\nnetsh ipsec static add rule R P L A psk=\"a key\"\n")
		if !strings.Contains(got, "    methods:\n"+c.want+"rules:") || r.LostCount() > 0 {
			t.Errorf("%s: want\n%shave\n%s%v", c.methods, c.want, got, r.Notes)
		}
	}
}

// A method that protects too little, or that netsh has not, is left out; if none is left, the rule blocks.
func TestNetshMethodsThatAreRefused(t *testing.T) {
	for _, c := range []struct{ methods, why string }{
		{"ESP[None,None]", "protects nothing"}, {"ESP[3DES,None]", "without integrity"}, {"AH[None]", "AH takes"}, {"ESP[AES128,SHA1]", "netsh knows"},
		{"AH[SHA256]", "AH takes"}, {"ESP[3DES]", "takes a cipher and a hash"}, {"ESP[3DES,SHA1]+AH[SHA1]", "in front of ESP"}, {"SAH[SHA1]", "is of ESP"},
		{"3DES", "a method is"}, {"ESP[3DES,SHA1]:5x", "a lifetime is"}, {"ESP[3DES,SHA1]:99999999999k", "a lifetime is"},
	} {
		got, r := imported(t, prelude+"netsh ipsec static set filteraction A qmsec=\""+c.methods+"\"\nnetsh ipsec static add rule R P L A psk=\"a key\"\n")
		if lost := lostOf(r); len(lost) != 2 || !strings.Contains(lost[0].Message, c.why) || !strings.Contains(got, "action: block") {
			t.Errorf("%s: want %q and a rule that blocks, have %v\n%s", c.methods, c.why, r.Notes, got)
		}
	}
}

// Contexts, shortened words, quotes, continued lines and what else stands in scripts: each of these makes the same policy.
func TestNetshForms(t *testing.T) {
	const want = "policy: P\nrules:\n  - name: R 1\n    filters:\n      - any <-> me tcp 25\n    action: block\n"
	for name, script := range map[string]string{
		"a batch file": "netsh ipsec static add policy name=P assign=yes\nnetsh ipsec static add filter filterlist=F srcaddr=any dstaddr=me protocol=tcp dstport=25\n" +
			"netsh ipsec static add filteraction name=X action=block\nnetsh ipsec static add rule name=\"R 1\" policy=P filterlist=F filteraction=X\n",
		"contexts":             "ipsec static\nadd policy P assign=y\nadd filter F any me protocol=tcp dstport=25\nadd filteraction X action=block\nadd rule \"R 1\" P F X\n",
		"pushd and popd":       "pushd ipsec\npushd static\nadd policy P assign=y\nadd filter F any me protocol=tcp dstport=25\npopd\nstatic add filteraction X action=block\npopd\nipsec static add rule \"R 1\" P F X\n",
		"one context and up":   "ipsec\nstatic\nadd policy P assign=y\nadd filter F any me protocol=tcp dstport=25\n..\nstatic add filteraction X action=block\nadd rule \"R 1\" P F X\n",
		"short words":          "ips st a p P as=y\nips s a filter F any me prot=tcp dstp=25\nipsec static a filtera X act=b\nipsec st a r \"R 1\" P F X\n",
		"-c":                   "netsh -c \"ipsec static\" add policy P assign=y\nnetsh -c ipsec static add filter F any me protocol=tcp dstport=25\nnetsh -c \"ipsec static\" add filteraction X action=block\nnetsh -c \"ipsec static\" add rule \"R 1\" P F X\n",
		"continued lines":      "netsh ipsec static ^\n  add policy ^\nname=P assign=yes\nnetsh ipsec static add filter F any me protocol=tcp ^\r\n dstport=25\r\nnetsh ipsec static add filteraction X action=block\nnetsh ipsec static add rule \"R 1\" P F X",
		"spaces around signs":  "netsh ipsec static add policy name = P assign = yes\nnetsh ipsec static add filter filterlist = F srcaddr=Any dstaddr = Me dstport = 25 protocol = TCP\nnetsh ipsec static add filteraction name = X action = block\nnetsh ipsec static add rule name = \"R 1\" policy= P filterlist =F filteraction = X\n",
		"capitals":             "NETSH.EXE IPSEC STATIC ADD POLICY NAME=P ASSIGN=YES\nC:\\Windows\\System32\\netsh.exe ipsec static add filter FilterList=F SrcAddr=ANY DstAddr=ME Protocol=TCP DstPort=25\n@netsh ipsec static add filteraction x action=BLOCK\nnetsh ipsec static add rule \"R 1\" p f X\n",
		"operators and output": "netsh ipsec static add policy P assign=y >nul 2>&1 & netsh ipsec static add filter F any me protocol=tcp dstport=25 && echo filter made\nnetsh ipsec static add filteraction X action=block>>log.txt\nnetsh ipsec static add rule \"R 1\" P F X 2>nul\n",
		"comments":             "# one\nrem two\n:: three\n; four\n@rem five\nREM\n\nnetsh ipsec static add policy P assign=y\nnetsh ipsec static add filter F any me protocol=tcp dstport=25\nnetsh ipsec static add filteraction X action=block\nnetsh ipsec static add rule \"R 1\" P F X\n",
		"changes":              "ipsec static\nadd policy Q\nset policy Q newname=P assign=y\nadd filterlist G\nset filterlist G newname=F\nadd filter F any me protocol=tcp dstport=25\nadd filteraction Y\nset filteraction Y newname=X action=block\nadd rule R P F X\nset rule R P newname=\"R 1\"\n",
	} {
		got, r := imported(t, script)
		if got != want || r.LostCount() > 0 {
			t.Errorf("%s:\n%s%v", name, got, r.Notes)
		}
	}
	units := utf16.Encode([]rune("\ufeffipsec static\r\nadd policy P assign=y\r\nadd filter F any me protocol=tcp dstport=25\r\nadd filteraction X action=block\r\nadd rule \"R 1\" P F X\r\n"))
	var wide []byte
	for _, u := range units {
		wide = binary.LittleEndian.AppendUint16(wide, u)
	}
	if got, _ := imported(t, string(wide)); got != want {
		t.Errorf("UTF-16:\n%s", got)
	}
}

// What changes nothing is a remark; what cannot be done is listed with its line.
func TestNetshOtherCommands(t *testing.T) {
	for _, c := range []struct {
		line string
		lost bool
		why  string
	}{
		{"netsh ipsec static show all", false, "shows something"},
		{"netsh ipsec static dump", false, "shows something"},
		{"netsh ipsec static exportpolicy file=x.ipsec", false, "changes nothing"},
		{"netsh ipsec static importpolicy file=x.ipsec", true, "not read"},
		{"netsh ipsec static restorepolicyexamples release=win2003", true, "not restored"},
		{"netsh ipsec static set batch mode=enable", false, "not needed"},
		{"netsh ipsec static set store location=domain domain=example.com", false, "store of a domain"},
		{"netsh ipsec static delete policy name=Nobody", false, "there is no policy"},
		{"netsh ipsec static delete rule name=x policy=P", false, "there is no rule"},
		{"netsh ipsec static delete rule id=3 policy=P", true, "by an id"},
		{"netsh ipsec static delete filterlist name=L", false, ""},
		{"netsh ipsec static set policy guid={11E6E97E-0031-49f5-AC7D-5F2FE99BABAF} assign=y", true, "GUID"},
		{"netsh ipsec static add policy name=p", true, "there already"},
		{"netsh ipsec static add rule R P Missing B", true, "no filter list"},
		{"netsh ipsec static add filteraction C action=require_auth", true, "permit, block or negotiate"},
		{"netsh ipsec static set policy P qmpermm=many", true, "takes a number"},
		{"netsh ipsec static set policy P mmpfs=perhaps", true, "yes or no"},
		{"netsh ipsec static set policy P colour=red", true, "no tag"},
		{"netsh ipsec static set policy P a=y", true, "short for several"},
		{"netsh ipsec static set policy P mmsecmethods=AES-SHA1-3", true, "netsh knows"},
		{"netsh ipsec static set policy P assign=y gponame=G", true, "Group Policy"},
		{"netsh ipsec static frobnicate", true, "no such command"},
		{"netsh ipsec static add colour", true, "no such command"},
		{"netsh ipsec dynamic add rule any any MM QM", true, "in force until the next start"},
		{"netsh ipsec dynamic set config property=ipsecexempt value=9", true, "not known"},
		{"netsh ipsec dynamic set config ikelogging 1", false, "log of Windows"},
		{"netsh advfirewall set allprofiles state on", true, "no command of netsh ipsec static"},
		{"netsh -r OTHER ipsec static add policy Q", true, "another machine"},
		{"netsh -f other.txt", true, "another file"},
		{"netsh ipsec static add filter L me %PEER%", true, "variable"},
		{"netsh ipsec static || netsh ipsec static delete all", true, "only if the one before it fails"},
		{"for %%i in (1 2) do netsh ipsec static delete all", true, "condition"},
		{"if exist x goto end", true, "condition"},
		{":end", false, "labels"},
		{"set X=1", true, "variables"},
		{"reg add HKLM", true, "no command of netsh"},
		{"pause", false, "speak to people"},
	} {
		_, r := imported(t, prelude+"netsh ipsec static add rule R0 P L B\nnetsh ipsec static add filterlist name=M\n"+strings.ReplaceAll(c.line, "name=L", "name=M")+"\n")
		var here []Note
		for _, n := range r.Notes {
			if n.Line == 7 {
				here = append(here, n)
			}
		}
		switch {
		case c.why == "":
			if len(here) > 0 {
				t.Errorf("%s: %v", c.line, here)
			}
		case len(here) == 0 || !strings.Contains(here[0].Message, c.why) || (here[0].Kind == Lost) != c.lost:
			t.Errorf("%s: want %q, lost %v; have %+v", c.line, c.why, c.lost, here)
		}
	}
}

// The order of authentication methods is that of their appearance, and what cannot be used keeps its place as a comment.
func TestNetshAuthenticationOrder(t *testing.T) {
	got, r := imported(t, prelude+`netsh ipsec static add rule R P L A psk="first key" kerberos=yes rootca="C=US, CN=\'One, Two\' certmap:no excludecaname:no" psk="second key"`+"\n")
	want := `    auth:
      - psk_file: r.key
      # choice 2, not here yet: kerberos
      # choice 3, left out: a certificate below the CA C=US, CN="One, Two"
      - psk_file: r-2.key
`
	if !strings.Contains(got, want) || len(r.Keys) != 2 || string(r.Keys[0].Secret.Bytes()) != "first key" {
		t.Errorf("%s%v", got, r.Notes)
	}
	// set rule replaces the list.
	got, _ = imported(t, prelude+"netsh ipsec static add rule R P L A psk=one\nnetsh ipsec static set rule R P psk=two\n")
	if strings.Count(got, "psk_file") != 1 {
		t.Error(got)
	}
}

// Certificates take the files that are named for them: the CA by its subject, in either order of its parts. CAs that follow each other are one method.
func TestNetshCertificates(t *testing.T) {
	dir := t.TempDir()
	one, two := testpki.Root(t, "Root One"), testpki.Root(t, "Root, Two")
	certificate, key := one.Issue(t, "machine").Write(t, dir, "machine")
	opts := Options{Certificates: []string{certificate}, Key: key}
	for _, ca := range []*testpki.Identity{one, two} {
		file, _ := ca.Write(t, dir, fmt.Sprint("ca", len(opts.Authorities)))
		opts.Authorities = append(opts.Authorities, Authority{file, []*x509.Certificate{ca.Cert}})
	}
	script := prelude + `netsh ipsec static add rule R P L A rootca="C=CH,O=Lab,CN=Root One" rootca="CN=\'Root, Two\', O=Lab, C=CH certmap:no" kerberos=yes rootca="C=CH, O=Lab, CN=Root One" rootca="CN=Stranger"
netsh ipsec dynamic set config strongcrlcheck 2
`
	r, err := ImportNetsh("test.cmd", []byte(script), opts)
	if err != nil {
		t.Fatal(err)
	}
	f, err := r.Check("policy.yaml", func(name string) ([]byte, os.FileMode, error) {
		data, err := os.ReadFile(name)
		return data, 0o600, err
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, r.Policy)
	}
	auth := f.Assigned.Rules[0].Auth
	if len(auth) != 2 || len(auth[0].Cert.CAs) != 2 || !auth[0].Cert.CAs[1].Equal(two.Cert) || len(auth[1].Cert.CAs) != 1 || f.Assigned.Certificates.CRLCheck.Level() != 2 {
		t.Errorf("%s", r.Policy)
	}
	if lost := lostOf(r); len(lost) != 2 || !strings.Contains(lost[1].Message, `choice 5 of the rule "R", CA "CN=Stranger"`) {
		t.Errorf("%v", lost)
	}
	// And there again: netsh has the names of the CAs.
	s, err := ExportNetsh(f, ExportOptions{})
	if err != nil || !strings.Contains(string(s.Text), `rootca="C=CH, O=Lab, CN=Root\, Two certmap:no excludecaname:no"`) || s.Keys {
		t.Errorf("%v\n%s", err, s.Text)
	}
}

// A rule that protects and cannot do so here blocks: by Kerberos alone, by nothing (which is Kerberos in Windows), to a tunnel with a name.
func TestNetshWhatCannotBeProtectedIsBlocked(t *testing.T) {
	for _, args := range []string{"kerberos=yes", "", "tunnel=gw.example.com psk=x", "rootca=\"CN=Root\""} {
		got, r := imported(t, prelude+"netsh ipsec static add rule R P L A "+args+"\n")
		if !strings.Contains(got, "action: block") || strings.Contains(got, "tunnel:") || r.LostCount() == 0 {
			t.Errorf("%q:\n%s%v", args, got, r.Notes)
		}
	}
}

// Tunnel rules have filters for one direction and never fall back to clear.
func TestNetshTunnelRules(t *testing.T) {
	got, r := imported(t, prelude+`netsh ipsec static set filteraction A soft=y inpass=y
netsh ipsec static add filter T 10.1.0.0 10.2.0.0 srcmask=16 dstmask=16
netsh ipsec static add filter U 10.2.0.0 10.1.0.0 srcmask=16 dstmask=16 mirrored=no
netsh ipsec static add rule out P T A tunnel=198.51.100.1 psk="the key"
netsh ipsec static add rule in P U A tunnel=203.0.113.1 psk="the key"
netsh ipsec static add rule host P L A psk="the key"
`)
	for _, want := range []string{"- 10.1.0.0/16 -> 10.2.0.0/16\n    tunnel: {endpoint: 198.51.100.1}\n    action: A\n", "  A-2:\n", "fallback_to_clear: true\n", "    action: A-2\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if r.LostCount() != 2 { // mirrored, and the options of the action
		t.Error(r.Notes)
	}
	f, err := r.Check("policy.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := policy.Compile(f.Assigned, hostOf); err != nil {
		t.Error(err)
	}
}

// Keys stand in their files and nowhere else, however badly the command that has them is written.
func TestNetshKeysAreNeverShown(t *testing.T) {
	const key = "Sup3rS3cretKey"
	for _, args := range []string{
		"psk=" + key, "psk=\"" + key + "\"", "psk=\"" + key, "psk=" + key + " psk=" + key + "2", "psk=two " + key, "psk=two x=" + key, "pks=" + key, "PSK = " + key,
		"tunnel=1.2.3.4 conntype=" + key, "all yes d kerb " + key, "all yes d n " + key, "psk=a&" + key, "psk=a|" + key + " b", "psk=a>" + key, "psk=^\n" + key, "psk=\n" + key,
		"psk=%" + key + "%", "activate=" + key, "tunnel=" + key,
	} {
		for _, command := range []string{"netsh ipsec static add rule R P L A ", "netsh ipsec static set defaultrule P ", "pushd ipsec static\nadd rule R P L A ", "pushd ipsec static\nadd rule R P Missing A "} {
			r, err := ImportNetsh("test.cmd", []byte(prelude+command+args+"\n"), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(r.Policy), key) {
				t.Errorf("%s%s:\n%s", command, args, r.Policy)
			}
			for _, n := range r.Notes {
				if strings.Contains(n.String(), key) {
					t.Errorf("%s%s: %v", command, args, n)
				}
			}
		}
	}
}

// What is no script is an error that says so.
func TestNetshNoScript(t *testing.T) {
	for text, want := range map[string]string{
		"": "makes no policy", "policy: x\nrules: []\n": "makes no policy", "\x00\x01": "no text", "netsh ipsec static show all": "makes no policy",
	} {
		if _, err := ImportNetsh("x", []byte(text), Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := ImportNetsh("x", make([]byte, MaxSource+1), Options{}); err == nil {
		t.Error("a file of any size is read")
	}
}

// Keys that a key file could not hold as text are written in hexadecimal.
func TestKeyFilesHoldEveryKey(t *testing.T) {
	for key, want := range map[string]string{"plain key": "plain key\n", "0x12": "0x30783132\n", "a\n": "0x610a\n", "\xef\xbb\xbfb": "0xefbbbf62\n", " ": " \n"} {
		if got := string((KeyFile{Secret: policy.NewSecret([]byte(key))}).Content()); got != want {
			t.Errorf("%q: %q, want %q", key, got, want)
		}
	}
}
