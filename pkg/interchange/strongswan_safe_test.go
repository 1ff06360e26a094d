package interchange

import (
	"strings"
	"testing"
)

// conf imports a conn of ipsec.conf.
func conf(t *testing.T, settings ...string) (string, *Result) {
	t.Helper()
	text := "conn c\n\tkeyexchange=ikev1\n\tauthby=psk\n\tright=192.0.2.9\n\ttype=transport\n\t" + strings.Join(settings, "\n\t") + "\n"
	r, err := ImportIPsecConf("ipsec.conf", []byte(text), Options{Secrets: []File{{"s", []byte(": PSK \"throw-away key of a test, long\"\n")}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Check("policy.yaml", nil); err != nil {
		t.Fatalf("%v\n%s", err, r.Policy)
	}
	return string(r.Policy)[strings.Index(string(r.Policy), "policy:"):], r
}

// Selectors that cannot be read do not disappear: what was protected, or dropped, blocks by the addresses that can be read, or by every address. Only what lets traffic pass, and what
// is not started, loses them. They are listed either way.
func TestStrongSwanSelectorsThatCannotBeRead(t *testing.T) {
	many := "remote_ts = 10.0.0.0" + strings.Repeat(",10.0.0.0[tcp]", 10_100) + "\nlocal_ts = 10.1.0.1,10.1.0.2"
	const byAddress, byAny = "- me <-> 10.0.0.0/8\n    action: block\n", "- me <-> any\n    action: block\n"
	for _, c := range []struct{ child, want string }{
		{"remote_ts = 10.0.0.0/8[udp/nothing]", byAddress},
		{"remote_ts = 10.0.0.0/8[", byAddress},
		{"remote_ts = 10.0.0.0/99", byAny},
		{"remote_ts = net.example.com", byAny},
		{"remote_ts = 10.0.0.0/99[tcp/80], 10.0.0.0/8[tcp/80]", "- me <-> 10.0.0.0/8 tcp 80\n    negotiate: {}\n"},
		{"remote_ts = 10.0.0.0/99[tcp/80], 10.0.0.0/8[tcp/80]", byAny},
		{"remote_ts = 10.0.0.0/8[tcp]\nlocal_ts = dynamic[udp]", byAddress},
		{"remote_ts = 10.0.0.0/8[icmp/1-9]", byAddress},
		{"remote_ts = 10.0.0.0/8[gre/9]", byAddress},
		{"mode = drop\nremote_ts = 10.0.0.0/8[udp/nothing]", byAddress},
		{"mode = drop\nstart_action = none\nremote_ts = 10.0.0.0/8[udp/nothing]", byAddress},
		{"mode = drop\nremote_ts = 10.0.0.0/8[tcp]\nlocal_ts = dynamic[udp]", byAddress},
		{"mode = pass\nremote_ts = 10.0.0.0/8[udp/nothing]", "rules: []"},
		{"mode = pass\nremote_ts = 10.0.0.0/8[udp/nothing], 10.0.0.1", "filters:\n      - me <-> 10.0.0.1\n    action: permit\n"},
		{"start_action = none\nremote_ts = 10.0.0.0/8[udp/nothing]", "rules: []"},
		{many, "- 10.1.0.1 <-> any\n      - 10.1.0.2 <-> any\n    action: block\n"},
		{"mode = drop\n" + many, "- 10.1.0.1 <-> any\n      - 10.1.0.2 <-> any\n    action: block\n"},
		{"mode = pass\n" + many, "rules: []"},
	} {
		got, r := swanctl(t, "", c.child)
		if !strings.Contains(got, c.want) || r.LostCount() == 0 {
			t.Errorf("%.90s: want %q, have\n%s%v", c.child, c.want, got, lostOf(r))
		}
	}
	for _, c := range []struct{ setting, want string }{
		{"rightsubnet=10.0.0.0/8\n\trightprotoport=udp/nothing\n\tauto=route", byAddress},
		{"rightsubnet=vhost:%priv\n\tauto=route", byAny},
		{"rightsubnet=10.0.0.0/99\n\tauto=start", byAny},
		{"rightsubnet=10.0.0.0/99\n\ttype=drop\n\tauto=add", byAny},
		{"rightsubnet=10.0.0.0/99\n\ttype=passthrough\n\tauto=route", "rules: []"},
	} {
		got, r := conf(t, c.setting)
		if !strings.Contains(got, c.want) || r.LostCount() == 0 {
			t.Errorf("%s: want %q, have\n%s%v", c.setting, c.want, got, lostOf(r))
		}
	}
}

// What lets traffic pass does so only where it is in force there as well, and where all of it is understood: with a name that is not resolved it would let everybody pass.
func TestStrongSwanPassIsNotWidened(t *testing.T) {
	const pass = "mode = pass\n"
	for _, c := range []struct {
		connection, child string
		permits           bool
	}{
		{"", pass, true}, {"", pass + "start_action = start", true}, {"", pass + "start_action = none", false},
		{"remote_addrs = gw.example.com", pass, false}, {"local_addrs = me.example.com", pass, false},
		{"remote_addrs = gw.example.com\nchildren { other { start_action = trap } }", pass + "start_action = none", false},
	} {
		got, r := swanctl(t, c.connection, c.child)
		if strings.Contains(got, "permit") != c.permits || (r.LostCount() == 0) != c.permits {
			t.Errorf("%q, %q: permits %v, have\n%s%v", c.connection, c.child, c.permits, got, lostOf(r))
		}
	}
	for settings, permits := range map[string]bool{"type=passthrough\n\tauto=route": true, "type=passthrough\n\tauto=add": false, "type=passthrough\n\tright=gw.example.com\n\tauto=route": false} {
		got, r := conf(t, settings)
		if strings.Contains(got, "permit") != permits || (r.LostCount() == 0) != permits {
			t.Errorf("%q: permits %v, have\n%s%v", settings, permits, got, lostOf(r))
		}
	}
}
