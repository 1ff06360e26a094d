package interchange

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// A proposal of strongSwan is a list of algorithms with dashes between, such as aes256-sha256-modp2048; proposals have commas
// between. IKEv1 has one algorithm of a kind in each.

// swanGroups are spellings of groups that suite does not have.
var swanGroups = map[string]suite.Group{
	"x25519": suite.Curve25519, "ecp256": suite.ECP256, "ecp384": suite.ECP384, "ecp521": suite.ECP521,
}

// algorithms are those of one proposal.
type algorithms struct {
	encr  suite.Encr
	bits  int
	integ suite.Integ
	hash  suite.Hash
	group suite.Group
	esn   bool

	hasEncr, hasInteg, more bool // more: a second one of some kind, which IKEv1 leaves out
}

// parseProposal sorts the words of a proposal. ah tells that there is no cipher, and that GMAC is an integrity algorithm.
func parseProposal(s string, ah bool) (algorithms, error) {
	var a algorithms
	for word := range strings.SplitSeq(strings.ToLower(strings.TrimSpace(s)), "-") {
		word = strings.TrimSpace(word)
		if err := a.add(word, ah); err != nil {
			return a, fmt.Errorf("%s: %w", quote(s), err)
		}
	}
	return a, nil
}

func (a *algorithms) add(word string, ah bool) error {
	switch word {
	case "":
		return fmt.Errorf("an algorithm is missing")
	case "esn":
		a.esn = true
		return nil
	case "noesn":
		return nil
	}
	if strings.HasPrefix(word, "prf") {
		return nil // IKEv1 makes its PRF of the hash
	}
	if g, ok := swanGroups[word]; ok {
		return a.addGroup(g)
	}
	if strings.HasPrefix(word, "modp") || strings.HasPrefix(word, "curve") {
		g, err := suite.ParseGroup(word)
		if err != nil || g == suite.GroupNone {
			return fmt.Errorf("the group %s is not here", quote(word))
		}
		return a.addGroup(g)
	}
	word = strings.ReplaceAll(word, "_", "")
	if e, bits, err := suite.ParseEncr(word); err == nil && !ah && e != suite.EncrNone {
		if a.hasEncr {
			a.more = true
			return nil
		}
		a.encr, a.bits, a.hasEncr = e, bits, true
		return nil
	}
	i, err := suite.ParseInteg(word)
	if err != nil || i == suite.IntegNone {
		return fmt.Errorf("the algorithm %s is not here", quote(word))
	}
	if a.hasInteg {
		a.more = true
		return nil
	}
	a.integ, a.hasInteg = i, true
	if h, err := suite.ParseHash(word); err == nil {
		a.hash = h
	}
	return nil
}

func (a *algorithms) addGroup(g suite.Group) error {
	if a.group != suite.GroupNone {
		a.more = true
		return nil
	}
	a.group = g
	return nil
}

// proposals cuts a list at its commas. A ! behind it means that nothing else is offered, which is always so here.
func proposals(s string) (list []string, isDefault bool) {
	for p := range strings.SplitSeq(strings.TrimSuffix(strings.TrimSpace(s), "!"), ",") {
		switch p = strings.TrimSpace(p); p {
		case "":
		case "default":
			isDefault = true
		default:
			list = append(list, p)
		}
	}
	return list, isDefault || len(list) == 0
}

// mainModeOf reads the proposals of IKE.
func mainModeOf(s string, bad func(error)) []policy.MainModeMethod {
	list, isDefault := proposals(s)
	var out []policy.MainModeMethod
	for _, p := range list {
		a, err := parseProposal(p, false)
		switch {
		case err != nil:
		case a.encr != suite.AESCBC && a.encr != suite.TripleDES && a.encr != suite.DES:
			err = fmt.Errorf("%s: IKEv1 main mode encrypts with AES-CBC, 3DES or DES", quote(p))
		case a.hash == 0:
			err = fmt.Errorf("%s: it has no hash that IKEv1 main mode knows", quote(p))
		case a.group == suite.GroupNone:
			err = fmt.Errorf("%s: it has no Diffie-Hellman group", quote(p))
		}
		if err != nil {
			bad(err)
			continue
		}
		m := policy.MainModeMethod{Encr: a.encr, KeyBits: keyBits(a), Hash: a.hash, Group: a.group}
		if a.more {
			bad(fmt.Errorf("%s: IKEv1 has one algorithm of a kind in a proposal: the first stays", quote(p)))
		}
		if !slices.Contains(out, m) {
			out = append(out, m)
		}
	}
	if isDefault {
		for _, m := range policy.DefaultKeyExchange().Methods {
			if !slices.Contains(out, m) {
				out = append(out, m)
			}
		}
	}
	return out
}

// keyBits settles the size of a key as a policy file does: the smallest where the name does not say.
func keyBits(a algorithms) int {
	info, ok := a.encr.Info()
	if !ok || info.FixedKey || len(info.KeyBits) == 0 {
		return 0
	}
	if a.bits == 0 {
		return info.KeyBits[0]
	}
	return a.bits
}

// quickModeOf reads the proposals of ESP or AH, and the group that they share.
func quickModeOf(s string, ah bool, bad func(error)) (methods []policy.Method, pfs suite.Group) {
	list, isDefault := proposals(s)
	for i, p := range list {
		a, err := parseProposal(p, ah)
		var m policy.Method
		if err == nil {
			if m, err = quickMethod(a, ah); err != nil {
				err = fmt.Errorf("%s: %w", quote(p), err)
			}
		}
		if err != nil {
			bad(err)
			continue
		}
		if i == 0 || len(methods) == 0 {
			pfs = a.group
		} else if pfs != a.group {
			bad(fmt.Errorf("%s: all methods of a rule have one group (pfs), that of the first: %v", quote(p), pfs))
		}
		if a.more {
			bad(fmt.Errorf("%s: IKEv1 has one algorithm of a kind in a proposal: the first stays", quote(p)))
		}
		methods = append(methods, m)
	}
	if isDefault && !ah {
		methods = append(methods, policy.DefaultMethods()...)
	}
	return methods, pfs
}

func quickMethod(a algorithms, ah bool) (policy.Method, error) {
	if ah {
		if !a.hasInteg {
			return policy.Method{}, fmt.Errorf("AH needs an integrity algorithm")
		}
		return policy.Method{AH: &policy.AHMethod{Integ: a.integ}, ESN: a.esn}, negotiable(a.encr, a.integ)
	}
	m := policy.Method{ESP: &policy.ESPMethod{Encr: a.encr, KeyBits: keyBits(a), Integ: a.integ}, ESN: a.esn}
	info, _ := a.encr.Info()
	integ, _ := a.integ.Info()
	switch {
	case !a.hasEncr:
		return m, fmt.Errorf("it has no cipher")
	case info.Combined && a.hasInteg:
		return m, fmt.Errorf("%s authenticates by itself", info.Name)
	case !info.Combined && !a.hasInteg:
		return m, fmt.Errorf("a cipher without integrity is refused")
	case integ.IVLen > 0:
		return m, fmt.Errorf("%s is no integrity algorithm of ESP", integ.Name)
	}
	return m, negotiable(a.encr, a.integ)
}

// negotiable refuses what IKEv1 has no number for.
func negotiable(e suite.Encr, i suite.Integ) error {
	if e == suite.ChaCha20Poly1305 || i == suite.AESCMAC96 {
		return fmt.Errorf("IKEv1 has no number for it")
	}
	return nil
}
