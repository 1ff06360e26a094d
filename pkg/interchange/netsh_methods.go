package interchange

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// What Windows takes for a limit of a quick-mode SA that is not set. An imported policy has it written out, since the peers have it too.
const (
	windowsKilobytes = 100_000
	windowsSeconds   = 3600
)

// The names of algorithms in netsh, which has no others.
var (
	netshEncr  = map[string]suite.Encr{"DES": suite.DES, "3DES": suite.TripleDES, "NONE": suite.Null}
	netshInteg = map[string]suite.Integ{"MD5": suite.HMACMD5_96, "SHA1": suite.HMACSHA1_96, "NONE": suite.IntegNone}
	netshHash  = map[string]suite.Hash{"MD5": suite.MD5, "SHA1": suite.SHA1}
	netshGroup = map[string]suite.Group{"1": suite.MODP768, "2": suite.MODP1024, "3": suite.MODP2048}
)

// defaultQuickMethods stand where a negotiation names no methods: what the property pages of Windows offer first.
func defaultQuickMethods() []policy.Method {
	m, err := netshMethod("ESP[3DES,SHA1]")
	if err != nil {
		panic(err)
	}
	return []policy.Method{m}
}

// defaultMainMethods stand where a policy names no mmsecmethods: those of Windows' list with 3DES, behind the same with its best
// group. What else Windows offers, DES with a group of 768 bits, protects nothing.
func defaultMainMethods() []policy.MainModeMethod {
	return []policy.MainModeMethod{
		{Encr: suite.TripleDES, Hash: suite.SHA1, Group: suite.MODP2048},
		{Encr: suite.TripleDES, Hash: suite.SHA1, Group: suite.MODP1024},
		{Encr: suite.TripleDES, Hash: suite.MD5, Group: suite.MODP1024},
	}
}

// quickMethods reads a list of security methods. What cannot be is told to bad, and the others stay.
func quickMethods(s string, bad func(error)) []policy.Method {
	var list []policy.Method
	for _, f := range methodWords(s) {
		m, err := netshMethod(f)
		if err != nil {
			bad(err)
			continue
		}
		list = append(list, m)
	}
	return list
}

// methodWords cuts a list of methods at spaces that stand in no brackets; spaces beside a comma or plus do not count either.
func methodWords(s string) []string {
	var out []string
	var b strings.Builder
	depth := 0
	flush := func() {
		if b.Len() > 0 {
			out = append(out, b.String())
			b.Reset()
		}
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case ' ', '\t':
			next := strings.TrimLeft(s[i:], " \t")
			joined := strings.HasSuffix(b.String(), "+") || strings.HasPrefix(next, "+") || strings.HasPrefix(next, "[") || strings.HasPrefix(next, ":")
			if depth == 0 && !joined {
				flush()
			}
		case '[':
			depth++
			b.WriteByte(c)
		case ']':
			depth--
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	flush()
	return out
}

// netshMethod reads one method: ESP[c,a], AH[h] or AH[h]+ESP[c,a], each with :k/s behind it or without.
func netshMethod(s string) (policy.Method, error) {
	var m policy.Method
	body, limits, found := cutLast(s, "]:")
	if found {
		body += "]"
	}
	l, err := netshLifetime(limits)
	if err != nil {
		return m, fmt.Errorf("%s: %w", quote(s), err)
	}
	m.Lifetime = l
	for part := range strings.SplitSeq(body, "+") {
		if err := netshTransform(part, &m); err != nil {
			return m, fmt.Errorf("%s: %w", quote(s), err)
		}
	}
	switch {
	case m.ESP == nil, m.AH != nil:
	case m.ESP.Integ == suite.IntegNone && m.ESP.Encr == suite.Null:
		return m, fmt.Errorf("%s: ESP with neither encryption nor integrity protects nothing and is refused", quote(s))
	case m.ESP.Integ == suite.IntegNone:
		return m, fmt.Errorf("%s: encryption without integrity can be read and changed on the way and is refused; name an integrity algorithm, or add AH", quote(s))
	}
	return m, nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// netshTransform reads ESP[c,a] or AH[h] into m.
func netshTransform(s string, m *policy.Method) error {
	name, rest, ok := strings.Cut(strings.TrimSpace(s), "[")
	rest, closed := strings.CutSuffix(strings.TrimSpace(rest), "]")
	if !ok || !closed {
		return fmt.Errorf("a method is ESP[cipher,hash], AH[hash] or AH[hash]+ESP[cipher,hash]")
	}
	var algorithms []string
	for a := range strings.SplitSeq(rest, ",") {
		algorithms = append(algorithms, strings.ToUpper(strings.TrimSpace(a)))
	}
	switch strings.ToUpper(strings.TrimSpace(name)) {
	case "ESP":
		if len(algorithms) != 2 || m.ESP != nil {
			return fmt.Errorf("ESP takes a cipher and a hash")
		}
		e, ok1 := netshEncr[algorithms[0]]
		i, ok2 := netshInteg[algorithms[1]]
		if !ok1 || !ok2 {
			return fmt.Errorf("netsh knows DES, 3DES and None in ESP, and MD5, SHA1 and None behind them")
		}
		m.ESP = &policy.ESPMethod{Encr: e, Integ: i}
	case "AH":
		if len(algorithms) != 1 || m.AH != nil || m.ESP != nil {
			return fmt.Errorf("AH takes a hash and stands in front of ESP")
		}
		i, ok := netshInteg[algorithms[0]]
		if !ok || i == suite.IntegNone {
			return fmt.Errorf("AH takes MD5 or SHA1")
		}
		m.AH = &policy.AHMethod{Integ: i}
	default:
		return fmt.Errorf("a method is of ESP, of AH, or of both")
	}
	return nil
}

// netshLifetime reads k/s, either of which may be missing or 0 for Windows' default.
func netshLifetime(s string) (policy.Lifetime, error) {
	l := policy.Lifetime{Kilobytes: windowsKilobytes, Seconds: windowsSeconds}
	if s == "" {
		return l, nil
	}
	for part := range strings.SplitSeq(strings.ToLower(s), "/") {
		digits, unit := strings.TrimRight(part, "ks"), strings.TrimLeft(part, "0123456789")
		v, err := strconv.ParseUint(digits, 10, 32)
		switch {
		case err != nil || unit != "k" && unit != "s":
			return l, fmt.Errorf("a lifetime is kilobytes and seconds, such as 100000k/3600s")
		case v == 0:
		case unit == "k":
			l.Kilobytes = uint32(v)
		default:
			l.Seconds = uint32(v)
		}
	}
	return l, nil
}

// mainMethods reads a list of main-mode methods, cipher-hash-group.
func mainMethods(s string, bad func(error)) []policy.MainModeMethod {
	var list []policy.MainModeMethod
	for _, f := range strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '\t' || r == ',' }) {
		parts := strings.Split(strings.ToUpper(f), "-")
		if len(parts) != 3 {
			bad(fmt.Errorf("%s: a main-mode method is cipher-hash-group, such as 3DES-SHA1-3", quote(f)))
			continue
		}
		e, ok1 := netshEncr[parts[0]]
		h, ok2 := netshHash[parts[1]]
		g, ok3 := netshGroup[parts[2]]
		if !ok1 || !ok2 || !ok3 || e == suite.Null {
			bad(fmt.Errorf("%s: netsh knows DES and 3DES, MD5 and SHA1, and the groups 1 (768 bits), 2 (1024) and 3 (2048) in main mode", quote(f)))
			continue
		}
		list = append(list, policy.MainModeMethod{Encr: e, Hash: h, Group: g})
	}
	return list
}
