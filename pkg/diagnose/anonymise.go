package diagnose

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// anonymiser replaces addresses and names. It keeps what helps to understand: equal stays equal, two addresses of one subnet stay in one, and addresses that
// mean the same everywhere (loopback, multicast, link scope) stay. Its key is random and forgotten, so that nobody can ask it for an address.
type anonymiser struct {
	key   []byte
	names *strings.Replacer
}

// shortestName is the length from which on a name is replaced: shorter ones are found within other words.
const shortestName = 3

// kept are words that stand in the files of a report by themselves; a name that is one of them stays.
var kept = []string{"goipsec", "default-response", "esp", "ike", "udp", "tcp", "any", "rule", "rules", "policy", "name", "negotiate", "permit", "block", "auth", "psk"}

func newAnonymiser(names []string) (*anonymiser, error) {
	a := &anonymiser{key: make([]byte, 32)}
	if _, err := rand.Read(a.key); err != nil {
		return nil, err
	}
	slices.Sort(names)
	names = slices.DeleteFunc(slices.Compact(names), func(s string) bool { return len(s) < shortestName || slices.Contains(kept, s) || isAddress(s) })
	slices.SortStableFunc(names, func(x, y string) int { return len(y) - len(x) }) // the longest first, or a part of it would be found
	var pairs []string
	for i, s := range names {
		for _, form := range written(s) {
			pairs = append(pairs, form, fmt.Sprintf("name-%d", i+1))
		}
	}
	a.names = strings.NewReplacer(pairs...)
	return a, nil
}

func isAddress(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

var (
	address6 = regexp.MustCompile(`[0-9A-Fa-f]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(/[0-9]{1,3})?`)
	address4 = regexp.MustCompile(`[0-9]{1,3}(\.[0-9]{1,3}){3}(/[0-9]{1,2})?`)
	mac      = regexp.MustCompile(`(?i)\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b`)
)

// apply replaces what it knows in a text.
func (a *anonymiser) apply(text []byte) []byte {
	s := a.names.Replace(string(text))
	s = mac.ReplaceAllString(s, "00:00:00:00:00:00")
	s = address6.ReplaceAllStringFunc(s, a.address)
	return []byte(address4.ReplaceAllStringFunc(s, a.address))
}

// address replaces an address or a prefix; what is neither stays.
func (a *anonymiser) address(s string) string {
	text, bits, isPrefix := strings.Cut(s, "/")
	dot := ""
	if t, ok := strings.CutSuffix(text, "."); ok { // the end of a sentence
		text, dot = t, "."
	}
	colon := ""
	if t, ok := strings.CutSuffix(text, ":"); ok && !strings.HasSuffix(t, ":") {
		text, colon = t, ":"
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return s
	}
	out := a.replace(addr)
	if !isPrefix {
		return out.String() + colon + dot
	}
	p, err := netip.ParsePrefix(text + "/" + bits)
	if err != nil {
		return s
	}
	if p == p.Masked() { // a subnet stays one; an address with its length stays that
		return netip.PrefixFrom(out, p.Bits()).Masked().String()
	}
	return netip.PrefixFrom(out, p.Bits()).String()
}

// replace replaces an address bit by bit: whether a bit is turned depends on those before it, so that what had a prefix in common still has (the method of
// Xu, Fan, Ammar and Moon, "Prefix-preserving IP address anonymization", 2002). The bits that say of what kind an address is stay.
func (a *anonymiser) replace(addr netip.Addr) netip.Addr {
	if addr.IsLoopback() || addr.IsMulticast() || addr.IsUnspecified() || addr.IsLinkLocalUnicast() && addr.Is4() || addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return addr
	}
	b := addr.AsSlice()
	out := slices.Clone(b)
	for bit := kindBits(addr); bit < len(b)*8; bit++ {
		h := hmac.New(sha256.New, a.key)
		head := slices.Clone(b[:bit/8+1])
		head[bit/8] &^= 0xff >> (bit % 8)
		h.Write([]byte{byte(len(b)), byte(bit)})
		h.Write(head)
		if h.Sum(nil)[0]&1 == 1 {
			out[bit/8] ^= 0x80 >> (bit % 8)
		}
	}
	mapped, _ := netip.AddrFromSlice(out)
	return mapped
}

// kindBits is how many bits of an address say of what kind it is: a private network, link scope, or one of the classes of public ones.
func kindBits(addr netip.Addr) int {
	for _, p := range kinds {
		if p.Contains(addr) {
			return p.Bits()
		}
	}
	if addr.Is4() {
		return 4
	}
	return 3
}

var kinds = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("fe80::/64"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("fc00::/7")}
