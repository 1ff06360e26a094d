package config

import (
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/policy"
)

func TestConnectionTypesAndLiveKeywords(t *testing.T) {
	f, err := Parse("p.yaml", []byte(`
wins_servers: [10.0.0.7, "2001:db8::7"]
rules:
  - {name: a, connection: remote_access, action: block, filters: [me <-> DNS udp any 53, gateway -> me]}
  - {name: b, connection: lan, action: block, filters: [{from: me, to: dhcp}, wins <-> me]}
  - {name: c, connection: all, action: permit, filters: [me <-> 10.0.0.1]}
`), Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := f.Assigned
	for i, want := range []policy.Connection{policy.RemoteAccess, policy.LAN, policy.AllConnections} {
		if p.Rules[i].Connection != want {
			t.Errorf("rule %d is for %v", i, p.Rules[i].Connection)
		}
	}
	var kinds []policy.AddrKind
	for _, r := range p.Rules[:2] {
		for i := range r.Filters {
			kinds = append(kinds, max(r.Filters[i].Src.Kind, r.Filters[i].Dst.Kind))
		}
	}
	for i, want := range []policy.AddrKind{policy.LiveDNS, policy.LiveGateway, policy.LiveDHCP, policy.LiveWINS} {
		if kinds[i] != want {
			t.Errorf("filter %d: kind %d, want %d", i, kinds[i], want)
		}
	}
	if len(p.WINS) != 2 || p.WINS[0].String() != "10.0.0.7" {
		t.Error(p.WINS)
	}
}

func TestErrorsOfConnectionTypesAndLiveKeywords(t *testing.T) {
	const filter = ", action: block, filters: [me <-> dns]}]"
	for text, want := range map[string]string{
		"rules: [{connection: dialup" + filter:                                                                              "p.yaml:1:22",
		"rules: [{connection: [lan]" + filter:                                                                               "p.yaml:1:22",
		"wins_servers: [10.0.0.7, 10.0.0.7]\nrules: [{connection: lan" + filter:                                             "p.yaml:1:26: the address 10.0.0.7 stands in the list already",
		"wins_servers: []\nrules: [{connection: lan" + filter:                                                               "wins_servers is empty",
		"wins_servers: [224.0.0.1]\nrules: [{connection: lan" + filter:                                                      "224.0.0.1 is no host",
		"rules: [{action: block, filters: [me <-> dnss]}]":                                                                  `did you mean "dns"?`,
		"rules: [{action: block, filters: [me <-> gatway]}]":                                                                `did you mean "gateway"?`,
		"rules: [{negotiate: {}, auth: [{psk: abcdefghijklmnopqrstuvwxyz012}], filters: [me <-> dns, me <-> dns tcp 1-5]}]": "cannot have a range of ports",
	} {
		_, err := Parse("p.yaml", []byte(text), Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n%v\nwant %s", text, err, want)
		}
	}
}
