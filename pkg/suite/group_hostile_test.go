package suite

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/testdata"
)

// badValues are the peer's values that row P5 names, for each group.
func badValues(g Group) map[string][]byte {
	n := g.PublicLen()
	bad := map[string][]byte{
		"empty": {}, "one byte": {2}, "short": bytes.Repeat([]byte{2}, n-1), "long": bytes.Repeat([]byte{2}, n+1),
		"zero": make([]byte, n), "all ones": bytes.Repeat([]byte{0xff}, n),
	}
	add := func(name string, v *big.Int) { bad[name] = v.FillBytes(make([]byte, n)) }
	switch {
	case g == Curve25519:
		delete(bad, "all ones") // 2^256-1 is read modulo 2^255-19: an ordinary point
		for i, digits := range lowOrder {
			bad["low order "+digits] = unhex(lowOrder[i])
		}
	case g >= ECP256 && g <= ECP521:
		pair, err := NewKeyExchange(g, rand.Reader)
		if err != nil {
			panic(err)
		}
		off := bytes.Clone(pair.Public())
		off[len(off)-1] ^= 1
		bad["not on the curve"] = off
		bad["with prefix"] = append([]byte{4}, pair.Public()...)
		bad["compressed"] = append([]byte{2}, pair.Public()[:n/2]...)
		bad["infinity as SEC 1 writes it"] = []byte{0}
		bad["prefix inside"] = append([]byte{4}, pair.Public()[:n-1]...)
	default:
		p := new(big.Int).SetBytes(modpOf(g).p)
		add("1", big.NewInt(1))
		add("p-1", new(big.Int).Sub(p, big.NewInt(1)))
		add("p", p)
		add("p+1", new(big.Int).Add(p, big.NewInt(1)))
	}
	return bad
}

// lowOrder are the points of Curve25519 whose order divides 8, and other writings of them (RFC 7748 §6.1, §7).
var lowOrder = []string{
	"0100000000000000000000000000000000000000000000000000000000000000",
	"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}

// TestP5PublicValues is row P5 of the security requirements (CVE-2015-3240, RFC 6989): a peer's value that is 0, 1, p-1, p or more, of
// the wrong length, not on the curve, or of small order is refused before it is used.
func TestP5PublicValues(t *testing.T) {
	for _, g := range Groups() {
		pair, err := NewKeyExchange(g, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range badValues(g) {
			z, err := pair.Shared(value)
			if !errors.Is(err, ErrPeerValue) || z != nil {
				t.Errorf("%v: %s: secret %d bytes, error %v", g, name, len(z), err)
				continue
			}
			if wrong := len(value) != g.PublicLen(); wrong != strings.Contains(err.Error(), "bytes where the group has") {
				t.Errorf("%v: %s: the length is not compared first: %v", g, name, err)
			}
		}
	}
	// The neighbours of what is refused are good.
	for _, m := range modps[:3] {
		p := new(big.Int).SetBytes(modpOf(m.group).p)
		pair := keyPair(t, m.group, bytes.Repeat([]byte{3}, 32))
		for _, v := range []*big.Int{big.NewInt(2), new(big.Int).Sub(p, big.NewInt(2))} {
			if _, err := pair.Shared(v.FillBytes(make([]byte, len(modpOf(m.group).p)))); err != nil {
				t.Errorf("%v: a good value is refused: %v", m.group, err)
			}
		}
	}
}

// TestP5HostileKE takes the KE payloads of the hostile IKE messages: each is refused by its group, or its group is not known
// (P4, CVE-2014-9221: a number of the wire never indexes a table).
func TestP5HostileKE(t *testing.T) {
	file, err := os.Open(testdata.Dir(t, "hostile", "ike_unauthenticated.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	seen := 0
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var v struct {
			ID      string
			Payload hexBytes `json:"udp_payload"`
		}
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			continue // not every line's payload is hexadecimal
		}
		if !strings.HasPrefix(v.ID, "ke/") {
			continue
		}
		group, value, ok := keyExchangePayload(v.Payload)
		if !ok {
			t.Fatalf("%s: no KE payload found", v.ID)
		}
		seen++
		pair, err := NewKeyExchange(group, rand.Reader)
		if strings.HasPrefix(v.ID, "ke/group-") {
			if err == nil {
				t.Errorf("%s: made a key in %v", v.ID, group)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pair.Shared(value); !errors.Is(err, ErrPeerValue) {
			t.Errorf("%s: %v", v.ID, err)
		}
	}
	if seen < 50 {
		t.Errorf("only %d KE payloads were seen", seen)
	}
}

// keyExchangePayload finds the KE payload (34) of an IKEv2 message.
func keyExchangePayload(msg []byte) (Group, []byte, bool) {
	if len(msg) < 28 {
		return 0, nil, false
	}
	for next, rest := msg[16], msg[28:]; len(rest) >= 4; {
		n := int(binary.BigEndian.Uint16(rest[2:]))
		if n < 4 || n > len(rest) {
			break
		}
		if next == 34 && n >= 8 {
			return Group(binary.BigEndian.Uint16(rest[4:])), rest[8:n], true
		}
		next, rest = rest[0], rest[n:]
	}
	return 0, nil, false
}

// TestP4UnknownGroups makes no key in any group that is not listed.
func TestP4UnknownGroups(t *testing.T) {
	known := map[Group]bool{}
	for _, row := range groups {
		known[row.id] = true
	}
	for n := range 1 << 16 {
		g := Group(n)
		if known[g] {
			continue
		}
		if _, err := NewKeyExchange(g, rand.Reader); err == nil {
			t.Fatalf("made a key in group %d", n)
		}
		if _, _, ok := g.Info(); ok || g.PublicLen() != 0 {
			t.Fatalf("group %d is described", n)
		}
	}
}
