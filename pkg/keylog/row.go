package keylog

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/goipsec/goipsec/pkg/suite"
)

// mark begins a row that only goipsec reads.
const mark = "#goipsec "

// encrNames are Wireshark's names of ESP ciphers.
var encrNames = map[suite.Encr]string{
	suite.Null:      "NULL",
	suite.DES:       "DES-CBC [RFC2405]",
	suite.TripleDES: "TripleDES-CBC [RFC2451]",
	suite.AESCBC:    "AES-CBC [RFC3602]",
	suite.AESCTR:    "AES-CTR [RFC3686]",
	suite.AESGCM8:   "AES-GCM with 8 octet ICV [RFC4106]",
	suite.AESGCM12:  "AES-GCM with 12 octet ICV [RFC4106]",
	suite.AESGCM16:  "AES-GCM with 16 octet ICV [RFC4106]",
}

// integNames are Wireshark's names of ESP integrity algorithms.
var integNames = map[suite.Integ]string{
	suite.IntegNone:      "NULL",
	suite.HMACMD5_96:     "HMAC-MD5-96 [RFC2403]",
	suite.HMACSHA1_96:    "HMAC-SHA-1-96 [RFC2404]",
	suite.HMACSHA256_128: "HMAC-SHA-256-128 [RFC4868]",
	suite.HMACSHA384_192: "HMAC-SHA-384-192 [RFC4868]",
	suite.HMACSHA512_256: "HMAC-SHA-512-256 [RFC4868]",
}

const (
	shortSequence = "32-bit"
	longSequence  = "64-bit"
)

// row is the SA's line.
func (s SA) row() string {
	family, width := "IPv4", shortSequence
	if s.V6 {
		family = "IPv6"
	}
	if s.ESN {
		width = longSequence
	}
	encr, ok := encrNames[s.Encr]
	integ, ok2 := integNames[s.Integ]
	start := ""
	if s.Protocol != suite.ESP || !ok || !ok2 {
		start = fmt.Sprintf("%s%q,", mark, strconv.Itoa(int(s.Protocol)))
		encr, integ = strconv.Itoa(int(s.Encr)), strconv.Itoa(int(s.Integ))
	}
	return start + strings.Join([]string{quote(family), quote(addr(s.Src)), quote(addr(s.Dst)), quote(fmt.Sprintf("0x%08x", s.SPI)),
		quote(encr), quote(hexKey(s.EncrKey)), quote(integ), quote(hexKey(s.IntegKey)), quote(width)}, ",") + "\n"
}

// quote needs to escape nothing: every field is ASCII of our own.
func quote(s string) string { return `"` + s + `"` }

func addr(a netip.Addr) string {
	if !a.IsValid() {
		return "*"
	}
	return a.WithZone("").String()
}

func hexKey(k []byte) string {
	if len(k) == 0 {
		return ""
	}
	return "0x" + hex.EncodeToString(k)
}

// aliases are names that Wireshark or people use beside ours. "AES-GCM [RFC4106]" is without an ICV there; only 16 is in use.
var aliases = map[string]suite.Encr{"NULL [RFC2410]": suite.Null, "AES-GCM [RFC4106]": suite.AESGCM16}

// parseRow reads one line of esp_sa.
func parseRow(line string) (SA, error) {
	own := strings.HasPrefix(line, mark)
	fields, err := split(strings.TrimPrefix(line, mark))
	if err != nil {
		return SA{}, err
	}
	s := SA{Protocol: suite.ESP}
	if own && len(fields) == 10 {
		n, err := strconv.ParseUint(fields[0], 10, 8)
		if err != nil {
			return SA{}, fmt.Errorf("%q is no protocol number", fields[0])
		}
		s.Protocol, fields = suite.Protocol(n), fields[1:]
	}
	// Before Wireshark 3.5 there was no ninth field.
	if len(fields) != 8 && len(fields) != 9 {
		return SA{}, fmt.Errorf("it has %d fields; an ESP SA has 9", len(fields))
	}
	if err := s.algorithms(fields[4], fields[6], own); err != nil {
		return SA{}, err
	}
	s.V6 = fields[0] == "IPv6"
	s.ESN = len(fields) == 9 && fields[8] == longSequence
	return s, s.values(fields)
}

func (s *SA) algorithms(encr, integ string, own bool) error {
	if own {
		e, err1 := strconv.ParseUint(encr, 10, 16)
		i, err2 := strconv.ParseUint(integ, 10, 16)
		if err1 != nil || err2 != nil {
			return fmt.Errorf("%q or %q is no transform number", encr, integ)
		}
		s.Encr, s.Integ = suite.Encr(e), suite.Integ(i)
		return nil
	}
	var ok bool
	if s.Encr, ok = aliases[encr]; !ok {
		if s.Encr, ok = find(encrNames, encr); !ok {
			return fmt.Errorf("the cipher %.40q is not known here", encr)
		}
	}
	if s.Integ, ok = find(integNames, integ); !ok {
		return fmt.Errorf("the integrity algorithm %.40q is not known here", integ)
	}
	return nil
}

func find[K comparable](names map[K]string, name string) (K, bool) {
	for k, v := range names {
		if v == name {
			return k, true
		}
	}
	var none K
	return none, false
}

// values reads addresses, SPI and keys.
func (s *SA) values(f []string) (err error) {
	if s.Src, err = parseAddr(f[1]); err != nil {
		return err
	}
	if s.Dst, err = parseAddr(f[2]); err != nil {
		return err
	}
	spi, err := strconv.ParseUint(strings.TrimPrefix(f[3], "0x"), 16, 32)
	if err != nil {
		return fmt.Errorf("%.20q is no SPI", f[3])
	}
	s.SPI = uint32(spi)
	if s.EncrKey, err = parseKey(f[5]); err != nil {
		return err
	}
	s.IntegKey, err = parseKey(f[7])
	return err
}

// parseAddr reads an address, or "*" and its likes for any. Prefixes that Wireshark allows ("192.0.2.0/24") count as any.
func parseAddr(s string) (netip.Addr, error) {
	if s == "" || strings.ContainsAny(s, "*/") {
		return netip.Addr{}, nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return a, fmt.Errorf("%.50q is no address", s)
	}
	return a.Unmap().WithZone(""), nil
}

// parseKey reads a key in hexadecimal. The error does not repeat it.
func parseKey(s string) ([]byte, error) {
	b, err := hex.DecodeString(strings.TrimPrefix(s, "0x"))
	if err != nil {
		return nil, fmt.Errorf("a key of %d characters is not hexadecimal", len(s))
	}
	return b, nil
}

// split takes a line of quoted fields apart. Wireshark writes a quote inside a field as \x22; no field of these tables needs one.
func split(line string) ([]string, error) {
	var out []string
	for rest := line; ; {
		if !strings.HasPrefix(rest, `"`) {
			return nil, fmt.Errorf("field %d does not begin with a quote", len(out)+1)
		}
		end := strings.IndexByte(rest[1:], '"')
		if end < 0 {
			return nil, fmt.Errorf("field %d does not end with a quote", len(out)+1)
		}
		out = append(out, rest[1:end+1])
		rest = rest[end+2:]
		if rest == "" {
			return out, nil
		}
		if rest[0] != ',' {
			return nil, fmt.Errorf("no comma follows field %d", len(out))
		}
		rest = rest[1:]
	}
}
