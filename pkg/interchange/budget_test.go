package interchange

import (
	"fmt"
	"strings"
	"testing"
)

// A short source that would make more filters, selectors or notes than one import may is an error that says so, not a policy file without end.
func TestImportsAreBounded(t *testing.T) {
	list := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i/250, i%250+1)
		}
		return b.String()
	}
	repeat := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	shared := "pushd ipsec static\nadd policy P activatedefaultrule=no\nadd filteraction A qmsecmethods=ESP[3DES,SHA1]\nadd filteraction B action=block\n" + list(400, "add filter L me 10.0.%d.%d mirrored=no\n")
	pairs := "children { " + repeat(11, "n%d : t { start_action = trap }\n") + "}\n"
	template := "t { mode = transport\nlocal_ts = " + list(100, "10.1.%d.%d,") + "\nremote_ts = " + list(100, "10.2.%d.%d,") + " }\n"
	for name, c := range map[string]struct {
		read importFunc
		text string
		want string
	}{
		"pairs":                        {ImportSwanctl, template + "connections { c { version = 1\n" + pairs + "} }", "more than 100000 filters"},
		"selectors":                    {ImportIPsecConf, "conn t\n\trightsubnet=" + list(2000, "10.2.%d.%d,") + "\n" + repeat(60, "conn c%d\n\talso=t\n\tauto=route\n"), "more than 100000 selectors"},
		"inherited text of ipsec.conf": {ImportIPsecConf, "conn t\n\tesp=" + strings.Repeat("aes128-sha1,", 50_000) + "\n" + repeat(60, "conn c%d\n\talso=t\n\tauto=route\n"), "long ones count as several"},
		"inherited text of swanctl":    {ImportSwanctl, "t { esp_proposals = " + strings.Repeat("aes128-sha1,", 50_000) + " }\nconnections { c { version = 1\n" + pairs + "} }", "long ones count as several"},
		"inactive rules":               {ImportNetsh, shared + repeat(300, "add rule R%d P L B activate=no\n"), "more than 100000 filters"},
		"tunnels":                      {ImportNetsh, strings.ReplaceAll(shared, " mirrored=no", "") + repeat(300, "add rule R%d P L A tunnel=192.0.2.1 psk=k\n"), "more than 100000"},
		"notes of netsh":               {ImportNetsh, shared + strings.Repeat("x\n", most+1), "more than 100000 notes"},
		"descriptions":                 {ImportNetsh, "pushd ipsec static\nadd policy P activatedefaultrule=no\nadd filteraction B action=block\nadd filter L me any \"" + strings.Repeat("long ", 20_000) + "\"\n" + repeat(200, "add rule R%d P L B activate=no\n"), "more than 100000 filters"},
	} {
		r, err := c.read("x.conf", []byte(c.text), Options{})
		if err == nil || r != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	// One list is written once for all the rules that share it as it stands.
	r, err := ImportNetsh("x.cmd", []byte(shared+repeat(1000, "add rule R%d P L B conntype=lan\n")), Options{})
	if err != nil || strings.Count(string(r.Policy), "me -> 10.0.0.7\n") != 1 {
		t.Errorf("%v", err)
	}
}
