package pki

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net/netip"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/testpki"
)

// identity makes an identification as a peer would send it.
func identity(t *testing.T, s string) PeerIdentity {
	t.Helper()
	n, err := ParseName(s)
	if err != nil || n.kind == 0 || n.kind == IDDN {
		t.Fatal(s, err)
	}
	return PeerIdentity{n.kind, n.data}
}

func dn(id *testpki.Identity) PeerIdentity { return PeerIdentity{IDDN, id.Cert.RawSubject} }

// TestP25EveryIdentityType: A's certificate proves A's names, each by its own kind, and none of B's.
func TestP25EveryIdentityType(t *testing.T) {
	root := testpki.Root(t, "Root")
	a := root.Issue(t, "a.example.com", testpki.DNS("a.example.com", "*.wild.example.com"), testpki.Email("Alice@example.com"), testpki.IP("192.0.2.1", "2001:db8::1"))
	b := root.Issue(t, "b.example.com", testpki.DNS("b.example.com"), testpki.Email("bob@example.com"), testpki.IP("192.0.2.2", "2001:db8::2"))
	own := []PeerIdentity{dn(a), identity(t, "a.example.com"), identity(t, "A.Example.COM"), identity(t, "a.example.com."), identity(t, "Alice@example.com"), identity(t, "Alice@EXAMPLE.com"),
		identity(t, "192.0.2.1"), identity(t, "2001:db8::1")}
	for _, id := range own {
		if err := HasIdentity(a.Cert, id); err != nil {
			t.Errorf("%v: %v", id, err)
		}
		if err := HasIdentity(b.Cert, id); causeOf(t, err) != Identity {
			t.Errorf("B passes for %v: %v", id, err)
		}
	}
	shorter, longer := root.Issue(t, "", func(c *x509.Certificate) { c.Subject.CommonName = "" }), root.Issue(t, "a.example.com", func(c *x509.Certificate) {
		c.Subject.ExtraNames = []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{2, 5, 4, 5}, Value: "1"}}
	})
	for name, id := range map[string]PeerIdentity{
		"B's subject": dn(b), "B's name": identity(t, "b.example.com"), "B's mailbox": identity(t, "bob@example.com"), "B's address": identity(t, "192.0.2.2"), "B's IPv6": identity(t, "2001:db8::2"),
		"the issuer's subject": dn(root), "the beginning of the subject": dn(shorter), "more than the subject": dn(longer),
		"below a name": identity(t, "x.a.example.com"), "above it": identity(t, "example.com"), "a wildcard's": identity(t, "x.wild.example.com"), "the wildcard": {IDFQDN, []byte("*.wild.example.com")},
		"the mailbox in other letters": identity(t, "alice@example.com"), "its host": identity(t, "example.com"),
		"an address as a name": {IDFQDN, []byte("192.0.2.1")}, "a name as a mailbox": {IDUserFQDN, []byte("a.example.com")},
		"v4 in v6": {IDIPv6, netip.MustParseAddr("::ffff:192.0.2.1").AsSlice()}, "cut off": {IDIPv4, []byte{192, 0, 2}}, "NUL": {IDFQDN, []byte("a.example.com\x00.evil.example")},
		"NUL before": {IDFQDN, []byte("a.example.com\x00")}, "empty": {IDFQDN, nil}, "key ID": {11, []byte("a.example.com")}, "subnet": {4, []byte{192, 0, 2, 1, 255, 255, 255, 255}},
		"type 0": {0, []byte("a.example.com")}, "empty DN": {IDDN, []byte{0x30, 0}}, "no DN": {IDDN, []byte("CN=a.example.com")}, "general name": {10, append([]byte{0x82, 13}, "a.example.com"...)},
	} {
		if err := HasIdentity(a.Cert, id); causeOf(t, err) != Identity {
			t.Errorf("A passes for %s: %v", name, err)
		}
	}
	// What a certificate does hold is told, a few names of it.
	many := root.Issue(t, "many", testpki.DNS(strings.Fields("n1 n2 n3 n4 n5 n6 n7 n8")...))
	if err := HasIdentity(many.Cert, identity(t, "n9")); !strings.Contains(err.Error(), `"n5" and others`) || strings.Contains(err.Error(), "n6") {
		t.Error(err)
	}
	bare := root.Issue(t, "", func(c *x509.Certificate) { c.Subject = pkix.Name{} })
	if err := HasIdentity(bare.Cert, identity(t, "n9")); !strings.Contains(err.Error(), "none that IKE knows") || len(Identities(bare.Cert)) != 0 {
		t.Error(err)
	}
	// The common name is no host name, however much it looks like one.
	if err := HasIdentity(root.Issue(t, "c.example.com").Cert, identity(t, "c.example.com")); causeOf(t, err) != Identity {
		t.Error(err)
	}
}

// TestRFC4945Section3_1Identities: payloads that no certificate could prove are refused before one is looked at.
func TestRFC4945Section3_1Identities(t *testing.T) {
	long := strings.Repeat("a", 256)
	deep, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: make([]byte, MaxCertificate)})
	if err != nil {
		t.Fatal(err)
	}
	for name, id := range map[string]PeerIdentity{
		"short address": {IDIPv4, []byte{1, 2, 3}}, "IPv6 as IPv4": {IDIPv4, make([]byte, 16)}, "IPv4 as IPv6": {IDIPv6, make([]byte, 4)}, "empty name": {IDFQDN, nil}, "long name": {IDFQDN, []byte(long)},
		"NUL": {IDFQDN, []byte("a\x00b")}, "no text": {IDFQDN, []byte("a\xffb")}, "mailbox as name": {IDFQDN, []byte("a@b")}, "name as mailbox": {IDUserFQDN, []byte("a.b")},
		"empty DN": {IDDN, []byte{0x30, 0}}, "long DN": {IDDN, deep}, "no DN": {IDDN, []byte("CN=a")}, "subnet": {4, make([]byte, 8)}, "key ID": {11, []byte("a")},
	} {
		got, err := ParseIdentity(id.Type, id.Data)
		if causeOf(t, err) != Identity || got.Data != nil {
			t.Errorf("%s: %v %v", name, got, err)
		}
		if !strings.HasPrefix(err.Error(), "the peer's identity is ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestP25RemoteID: the policy's name and the peer's own must both stand in the certificate.
func TestP25RemoteID(t *testing.T) {
	root := testpki.Root(t, "Root")
	a := root.Issue(t, "a", testpki.DNS("a.example.com"), testpki.IP("192.0.2.1"))
	b := root.Issue(t, "b", testpki.DNS("b.example.com"), testpki.IP("192.0.2.2"))
	for _, wanted := range []string{"", "a.example.com", "192.0.2.1", "C=CH, O=Lab, CN=a", "c=ch,o=lab,cn=A", "C=CH, O=Lab, CN=*"} {
		n, err := ParseName(wanted)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []PeerIdentity{dn(a), identity(t, "a.example.com"), identity(t, "192.0.2.1")} {
			if err := n.Accept(a.Cert, id); err != nil {
				t.Errorf("%q: %v", wanted, err)
			}
			if err := n.Accept(b.Cert, id); causeOf(t, err) != Identity {
				t.Errorf("%q: B as %v: %v", wanted, id, err)
			}
		}
		everybody := n.IsZero() || n.Wild()
		if err := n.Accept(b.Cert, dn(b)); (err == nil) != everybody {
			t.Errorf("%q: B as itself: %v", wanted, err)
		} else if err != nil && !strings.Contains(err.Error(), "remote_id") {
			t.Error(err)
		}
	}
}

// TestDNPatterns: all parts count, in their order; a * is one whole value.
func TestDNPatterns(t *testing.T) {
	name := pkix.RDNSequence{
		{{Type: asn1.ObjectIdentifier{2, 5, 4, 6}, Value: "CH"}}, {{Type: asn1.ObjectIdentifier{2, 5, 4, 10}, Value: "Lab,  Inc. + Sons*"}},
		{{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "Zürich"}, {Type: asn1.ObjectIdentifier{2, 5, 4, 5}, Value: "7"}},
		{{Type: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, Value: "a@example.com"}},
	}
	raw, err := asn1.Marshal(name)
	if err != nil {
		t.Fatal(err)
	}
	const whole = `C=CH, O=Lab\,  Inc. \+ Sons\*, SERIALNUMBER=7+CN=Zürich, E=a@example.com`
	if got := FormatDN(raw); got != whole {
		t.Errorf("%s, want %s", got, whole)
	}
	for pattern, want := range map[string]bool{
		whole: true, `c=ch,O="lab, inc. + sons*",serialNumber=7+CN=ZÜRICH,emailAddress=A@EXAMPLE.COM`: true,
		`C=*, O=*, CN=*+SERIALNUMBER=*, E=*`: true, `C=*, O=*, CN=*+SERIALNUMBER=7, E=a@example.com`: true, `2.5.4.6=CH, OID.2.5.4.10=*, CN=*+SERIALNUMBER=*, E=*`: true,
		`C=CH, O=*, CN=*+SERIALNUMBER=8, E=*`: false, `C=CH, O=*, CN=*, E=*`: false, `C=CH, O=*, CN=*+SERIALNUMBER=*`: false, `O=*, CN=*+SERIALNUMBER=*, E=*`: false,
		`O=*, C=CH, CN=*+SERIALNUMBER=*, E=*`: false, `C=CH, O=*, CN=*+SERIALNUMBER=*, E=*, L=*`: false, `C=CH, O=*, E=*, CN=*+SERIALNUMBER=*`: false, `C=CH, O=*, CN=*+CN=*, E=*`: false,
		`C=CH, OU=*, CN=*+SERIALNUMBER=*, E=*`: false, `C=CHE, O=*, CN=*+SERIALNUMBER=*, E=*`: false, `C=CH, O=*, CN=Zurich+SERIALNUMBER=*, E=*`: false,
	} {
		p, err := ParseDNPattern(pattern)
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
		} else if p.Match(raw) != want {
			t.Errorf("%s: %v", pattern, !want)
		}
	}
	for pattern, says := range map[string]string{
		"": "no part", "CN": "no part", "=x": "no part", "CN=": "no value", "CN=a,": "no part", "CN=a,,O=b": "no attribute", "XX=a": "no attribute", "2.5.=x": "no attribute", "2=x": "no attribute",
		"CN=a*": "whole value", "CN=*.example.com": "whole value", `CN=a\`: "backslash", `CN="a`: "no end", `CN="a"b`: "neither a comma", "CN=" + strings.Repeat("a", 2000): "bytes at most",
		strings.Repeat("CN=*,", 70) + "C=CH": "too many parts", "/C=CH/O=Lab": "no attribute",
	} {
		if p, err := ParseDNPattern(pattern); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.40s: %v %v", pattern, p, err)
		}
	}
	odd := []byte{0x30, 15, 0x31, 13, 0x30, 11, 6, 3, 0x55, 4, 3, 12, 4, '"', '\\', ',', 'b'}
	for _, p := range []string{`CN="\"\\,b"`, `CN=\"\\\,b`, FormatDN(odd)} {
		if p, err := ParseDNPattern(p); err != nil || !p.Match(odd) {
			t.Errorf("%s: %v", p, err)
		}
	}
	number := []byte{0x30, 12, 0x31, 10, 0x30, 8, 6, 3, 0x55, 4, 3, 2, 1, 7}
	if got := FormatDN(number); got != "CN=#07" {
		t.Error(got)
	}
	if p, err := ParseDNPattern("CN=*"); err != nil || !p.Match(number) {
		t.Error("a * does not stand for a number")
	}
	if p, err := ParseDNPattern("CN=#07"); err != nil || p.Match(number) {
		t.Error("text is equal to a number")
	}
	if got := FormatDN([]byte("no name")); got != "#6e6f206e616d65" {
		t.Error(got)
	}
	if (DNPattern{}).Match(raw) || (DNPattern{}).Match([]byte{0x30, 0}) {
		t.Error("the empty pattern matches")
	}
}

// TestRFC5280Section7_1Names: names are equal whatever kinds of strings they are written in, and not if one only begins like the other.
func TestRFC5280Section7_1Names(t *testing.T) {
	encode := func(tag byte, value string) []byte {
		oid := []byte{6, 3, 0x55, 4, 10}
		v := append([]byte{tag, byte(len(value))}, value...)
		pair := append([]byte{0x30, byte(len(oid) + len(v))}, append(oid, v...)...)
		set := append([]byte{0x31, byte(len(pair))}, pair...)
		return append([]byte{0x30, byte(len(set))}, set...)
	}
	same := [][]byte{encode(12, "Lab Ö"), encode(20, "lab \xd6"), encode(30, "\x00L\x00A\x00B\x00 \x00 \x00\xf6"), encode(12, " LAB   ö ")}
	for i, a := range same {
		for j, b := range same {
			if !EqualDN(a, b) {
				t.Errorf("%d and %d differ", i, j)
			}
		}
	}
	for _, other := range [][]byte{encode(12, "Lab"), encode(12, "Lab Ö\x00"), encode(4, "Lab Ö"), encode(30, "\x00L\x00A\x00"), encode(12, "Lab Ö")[:10], {0x30, 0}, nil} {
		if EqualDN(same[0], other) || EqualDN(other, same[0]) {
			t.Errorf("%x is equal", other)
		}
	}
}

// TestP25NamesAreComparedWhole: attributes count with their types, sets with all their members, and a name is not within one that is longer.
func TestP25NamesAreComparedWhole(t *testing.T) {
	type pair struct {
		oid   asn1.ObjectIdentifier
		value string
	}
	encode := func(parts ...[]pair) []byte {
		var name pkix.RDNSequence
		for _, part := range parts {
			var set pkix.RelativeDistinguishedNameSET
			for _, p := range part {
				set = append(set, pkix.AttributeTypeAndValue{Type: p.oid, Value: p.value})
			}
			name = append(name, set)
		}
		der, err := asn1.Marshal(name)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	o, ou, cn := asn1.ObjectIdentifier{2, 5, 4, 10}, asn1.ObjectIdentifier{2, 5, 4, 11}, asn1.ObjectIdentifier{2, 5, 4, 3}
	name := encode([]pair{{o, "Lab"}}, []pair{{cn, "gw"}, {ou, "x"}})
	for what, other := range map[string][]byte{
		"another type": encode([]pair{{ou, "Lab"}}, []pair{{cn, "gw"}, {ou, "x"}}), "fewer of a set": encode([]pair{{o, "Lab"}}, []pair{{cn, "gw"}}), "one of a set twice": encode([]pair{{o, "Lab"}}, []pair{{cn, "gw"}, {cn, "GW"}}),
		"the beginning": encode([]pair{{o, "Lab"}}), "in another order": encode([]pair{{cn, "gw"}, {ou, "x"}}, []pair{{o, "Lab"}}), "in one set": encode([]pair{{o, "Lab"}, {cn, "gw"}, {ou, "x"}}),
	} {
		if EqualDN(name, other) || EqualDN(other, name) {
			t.Errorf("%s is equal", what)
		}
	}
	if !EqualDN(name, encode([]pair{{o, "LAB"}}, []pair{{ou, "X"}, {cn, "GW"}})) {
		t.Error("the order of a set counts")
	}
	whole, _ := parseDN(name)
	short, _ := parseDN(encode([]pair{{o, "lab"}}))
	if !hasPrefix(whole, short) || hasPrefix(short, whole) || !hasPrefix(whole, nil) {
		t.Error("what lies within a name")
	}
}

// TestNames: what a policy's local_id and remote_id may be.
func TestNames(t *testing.T) {
	for s, kind := range map[string]uint8{"192.0.2.1": IDIPv4, "::ffff:192.0.2.1": IDIPv4, "2001:db8::1": IDIPv6, "gw.example.com": IDFQDN, "gw": IDFQDN, "a@example.com": IDUserFQDN, "CN=gw": IDDN} {
		if n, err := ParseName(s); err != nil || n.kind != kind || n.String() != s {
			t.Errorf("%s: %d %v", s, n.kind, err)
		}
	}
	for _, s := range []string{"fe80::1%eth0", "gw example", "*.example.com", "gw\x00", "CN=a*", strings.Repeat("a", 300)} {
		if _, err := ParseName(s); err == nil {
			t.Errorf("%.30q is accepted", s)
		}
	}
	root := testpki.Root(t, "Root")
	bare := func(o ...testpki.Option) *x509.Certificate {
		return root.Issue(t, "", append(o, func(c *x509.Certificate) { c.Subject = pkix.Name{} })...).Cert
	}
	gw := root.Issue(t, "gw", testpki.DNS("gw.example.com"))
	for _, c := range []struct {
		leaf  *x509.Certificate
		name  string
		shown string
	}{
		{gw.Cert, "", `"C=CH, O=Lab, CN=gw"`}, {gw.Cert, "gw.example.com", `"gw.example.com"`}, {gw.Cert, "C=CH, O=Lab, CN=*", `"C=CH, O=Lab, CN=gw"`},
		{bare(testpki.DNS("gw.example.com"), testpki.IP("192.0.2.1")), "", `"gw.example.com"`}, {bare(testpki.Email("a@example.com")), "", `"a@example.com"`},
		{bare(testpki.IP("192.0.2.1")), "", "192.0.2.1"}, {bare(testpki.IP("2001:db8::1")), "", "2001:db8::1"}, {bare(), "", ""}, {gw.Cert, "other.example.com", ""}, {gw.Cert, "CN=gw", ""},
	} {
		n, err := ParseName(c.name)
		if err != nil {
			t.Fatal(err)
		}
		id, err := n.Identity(c.leaf)
		if (err == nil) != (c.shown != "") || err == nil && id.String() != c.shown {
			t.Errorf("%q: %v %v, want %s", c.name, id, err, c.shown)
		}
		if err == nil && HasIdentity(c.leaf, id) != nil {
			t.Errorf("%q: the certificate does not prove %v", c.name, id)
		}
	}
}

// TestP20NamesOfPeersAreEscaped: what a peer writes into a certificate drives no terminal.
func TestP20NamesOfPeersAreEscaped(t *testing.T) {
	root := testpki.Root(t, "Root")
	evil := root.Issue(t, "\x1b[2Jgw\n\u202e", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign })
	_, err := Verify(testpki.Now, evil.Path(), root.Path(), Rules{})
	long := root.Issue(t, strings.Repeat("a", 5000), func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign })
	_, err2 := Verify(testpki.Now, long.Path(), root.Path(), Rules{})
	for _, s := range []string{err.Error(), err2.Error(), HasIdentity(evil.Cert, identity(t, "gw")).Error(), PeerIdentity{IDFQDN, []byte("\x1b[2J")}.String()} {
		if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' && r != '…' && r != '§' }) || len(s) > 1000 {
			t.Errorf("%q", s)
		}
	}
}
