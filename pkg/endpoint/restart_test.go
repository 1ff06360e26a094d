package endpoint

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// What a reload cannot change is named in its answer, in the log, in status and among the events, with what brings it in, and the rest of the file is in force.
func TestReloadNamesWhatWaitsForARestart(t *testing.T) {
	e := ikePair(t)
	before := e.a.text
	carry(t, e.a, e.b, "10.1.0.5", "10.2.0.5")
	for _, c := range []struct {
		lines string
		want  []Waiting
	}{
		{"tun: {mtu: 1300}\n", []Waiting{{"tun: mtu", "computed", "1300"}}},
		{"tun: {queues: 2}\n", []Waiting{{"tun: queues", "1", "2"}}},
		{"tun: {name: ipsec7}\n", []Waiting{{"tun: name", "the first that is free", "ipsec7"}}},
		{"listen: {addresses: [192.0.2.1, \"2001:db8::1\"]}\n", []Waiting{{"listen: addresses", "every address of the host", "192.0.2.1, 2001:db8::1"}}},
		{"listen: {nat_port: 4600}\n", []Waiting{{"listen: nat_port", "4500", "4600"}}},
		{"listen: {port: 7000}\n", []Waiting{{"listen: port", "500", "7000"}, {"listen: nat_port", "4500", "that of IKE"}}},
		{"guard: off\n", []Waiting{{"guard", "required", "off"}}},
		{"tun: {mtu: 1301, queues: 3}\nguard: off\n", []Waiting{{"tun: mtu", "computed", "1301"}, {"tun: queues", "1", "3"}, {"guard", "required", "off"}}},
		{"tun: {queues: 1}\nlisten: {port: 500, nat_port: 4500}\nguard: required\n", nil}, // what is in force
	} {
		more := strings.Replace(before, "filters: [", "filters: [10.7.0.0/24 -> 10.2.0.0/24, ", 1)
		e.a.setText(before)
		if got, err := e.a.Reload(); err != nil || got != nil || len(waitingIn(e.a)) != 0 {
			t.Fatalf("as it was: %v, %v, %q", got, err, waitingIn(e.a))
		}
		filters, logged := e.a.Status().Policy.OutboundFilters, len(e.a.log.String())
		e.a.setText(c.lines + more)
		got, err := e.a.Reload()
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%q: %+v, %v", c.lines, got, err)
		}
		if s := e.a.Status(); s.Policy.OutboundFilters <= filters || len(s.Children) != 1 || !strings.HasPrefix(s.LastReload, "applied at") {
			t.Errorf("%q: the rest of the file is not in force: %+v, %d children, %s", c.lines, s.Policy, len(s.Children), s.LastReload)
		}
		warned, log := waitingIn(e.a), e.a.log.String()[logged:]
		if len(warned) != len(c.want) {
			t.Errorf("%q: status warns %q", c.lines, warned)
		}
		for i, w := range c.want {
			if i < len(warned) && (!strings.HasPrefix(warned[i], w.String()) || !strings.Contains(warned[i], "goipsec down, then goipsec up")) {
				t.Errorf("%q: status warns %q", c.lines, warned[i])
			}
			if !strings.Contains(log, `setting="`+w.Setting+`"`) && !strings.Contains(log, "setting="+w.Setting+" ") {
				t.Errorf("%q: the log does not name %q:\n%s", c.lines, w.Setting, log)
			}
		}
		if len(c.want) == 0 {
			continue
		}
		page, err := e.a.List(Query{List: ListEvents, Limit: 1})
		if err != nil || len(page.Events) != 1 || page.Events[0].Kind != EventReload || !strings.Contains(page.Events[0].Detail, c.want[0].String()) || page.Events[0].Next != RestartAdvice {
			t.Errorf("%q: the last event is %+v, %v", c.lines, page.Events, err)
		}
	}
	// A file that is refused changes nothing of what waits, and Assign tells it too.
	e.a.setText("tun: {mtu: 1300}\n" + before)
	if got, err := e.a.Assign("end-1"); err != nil || !slices.Equal(got, []Waiting{{"tun: mtu", "computed", "1300"}}) {
		t.Errorf("%+v, %v", got, err)
	}
	e.a.setText("tun: {mtu: 1200")
	if _, err := e.a.Reload(); err == nil || len(waitingIn(e.a)) != 1 {
		t.Errorf("%v, %q", err, waitingIn(e.a))
	}
	carry(t, e.a, e.b, "10.1.0.5", "10.2.0.5")
}

// waitingIn are the warnings of status that are about settings that wait.
func waitingIn(x *end) (list []string) {
	for _, w := range x.Status().Warnings {
		if strings.Contains(w, "only after a restart") {
			list = append(list, w)
		}
	}
	return list
}

// A device whose MTU was computed for the methods of another policy keeps it; that it is too large is told, that it could be larger is not.
func TestReloadSaysThatTheComputedMTUIsTooLarge(t *testing.T) {
	small, large := "negotiate: {methods: [esp aes-gcm-16-128]}", "negotiate: {methods: [esp aes-gcm-16-128, esp aes-cbc-256 hmac-sha512-256]}"
	text := func(methods, more string) string {
		return more + ikePolicy(1, 2, strings.Replace(defaultIKE, "negotiate: {}", methods, 1))
	}
	e := join(t, text(small, ""), ikePolicy(2, 1, defaultIKE))
	reload := func(text string) []Waiting {
		t.Helper()
		e.a.setText(text)
		list, err := e.a.Reload()
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	if list := reload(text(large, "")); len(list) != 1 || list[0].Setting != "tun: mtu" || !strings.HasPrefix(list[0].File, "computed for methods that add") || len(waitingIn(e.a)) != 1 {
		t.Errorf("%+v, %q", list, waitingIn(e.a))
	}
	if list := reload(text(large, "tun: {mtu: 1300}\n")); len(list) != 1 || list[0].File != "1300" {
		t.Errorf("the file has an MTU of its own: %+v", list)
	}
	if list := reload(text(small, "")); len(list) != 0 || len(waitingIn(e.a)) != 0 {
		t.Errorf("the methods of the start: %+v", list)
	}
}

// An option is compared at a reload, or the policy file has nothing to say of it.
func TestEveryOptionOfTheFileIsCompared(t *testing.T) {
	notOfTheFile := []string{"Load", "Instance", "ConfigPath", "Version", "NoRing", "NoOffload", "DirectESP", "KeylogDir", "Log", "Parts", "Files", "HoldTime", "clock", "wall"}
	kind := reflect.TypeFor[Options]()
	for i := range kind.NumField() {
		name := kind.Field(i).Name
		if name == "Policy" || slices.Contains(notOfTheFile, name) { // the policy is what a reload applies
			continue
		}
		var was Options
		was.setDefaults()
		then := was
		switch f := reflect.ValueOf(&then).Elem().Field(i); f.Interface().(type) {
		case []netip.Addr:
			f.Set(reflect.ValueOf([]netip.Addr{netip.MustParseAddr("192.0.2.1")}))
		case uint16:
			f.SetUint(f.Uint() + 7)
		case int:
			f.SetInt(f.Int() + 1300)
		case string:
			f.SetString("other")
		case bool:
			f.SetBool(true)
		default:
			t.Fatalf("give %s another value", name)
		}
		if len(waiting(was, &then)) == 0 {
			t.Errorf("another %s than in force goes unnoticed at a reload", name)
		}
	}
}
