package interchange

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goipsec/goipsec/pkg/pki"
	"github.com/goipsec/goipsec/pkg/policy"
)

// draft is a policy file on its way to paper.
type draft struct {
	head     []string // comment lines at the top
	assigned string   // the name of the policy to apply, needed where there are several
	exempt   policy.Exemptions
	lists    []*listDraft
	actions  []*actionDraft
	policies []*policyDraft
}

// policyDraft is one policy.
type policyDraft struct {
	comment     []string
	name        string
	description string
	keyExchange policy.KeyExchange
	response    *responseDraft // the default response rule
	crlCheck    pki.CRLCheck
	rules       []*ruleDraft
	off         []*ruleDraft // written as comments: rules that the source has and does not apply
}

// ruleDraft is a rule of the model and what the model has no room for. Where list or action is set, the rule names it in place of
// its own filters or methods, which are then not looked at.
type ruleDraft struct {
	policy.Rule
	comment     []string
	description string
	filters     []filterDraft
	list        *listDraft
	action      *actionDraft
	auth        []authDraft
}

// responseDraft is a default response rule.
type responseDraft struct {
	action policy.FilterAction
	auth   []authDraft
}

// authDraft is an authentication method, or the place of one that cannot be carried over, which is a comment.
type authDraft struct {
	policy.AuthMethod
	keyFile      string // of a pre-shared key
	certificates []string
	key          string // of the certificates; "": it stands with them
	authorities  []string
	missing      string // in place of all else

	user, passwordFile string // of a client's XAUTH
}

// listDraft is a named filter list.
type listDraft struct {
	name    string
	comment []string
	filters []filterDraft
}

// filterDraft is a filter with a comment behind it.
type filterDraft struct {
	policy.GenericFilter
	comment string
}

// actionDraft is a named filter action.
type actionDraft struct {
	name    string
	comment []string
	policy.FilterAction
}

// label makes of a name what the policy file takes for one: printable, at most 100 bytes.
func label(s, otherwise string) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	s = strings.TrimSpace(s)
	for len(s) > 90 { // room for a number behind it
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	if s = strings.TrimSpace(s); s == "" {
		return otherwise
	}
	return s
}

// names gives out names, each once.
type names map[string]bool

// take returns s, or s with a number behind it if the name is taken.
func (n names) take(s string) string {
	name := s
	for i := 2; n[name]; i++ {
		name = s + "-" + itoa(i)
	}
	n[name] = true
	return name
}
