package diagnose

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goipsec/goipsec/pkg/policy"
)

// shortest is the length from which on a secret is looked for: a shorter one would be found everywhere, and hides nothing.
const shortest = 6

// secretsOf are the keys of policies: the one place where this room holds some, to take them out of what it writes.
func secretsOf(list []*policy.Policy) (secrets [][]byte) {
	add := func(s policy.Secret) {
		if s.Len() >= shortest {
			secrets = append(secrets, s.Bytes())
		}
	}
	for _, p := range list {
		for r := range p.EveryRule {
			for i := range r.Auth {
				add(r.Auth[i].PSK)
				if x := r.Auth[i].XAuth; x != nil {
					add(x.Password)
				}
			}
			if k := r.Manual; k != nil {
				for _, s := range []policy.Secret{k.EncrIn, k.EncrOut, k.IntegIn, k.IntegOut, k.AHIn, k.AHOut} {
					add(s)
				}
			}
		}
	}
	return secrets
}

// longEnough picks the secrets that can be looked for.
func longEnough(list []policy.Secret) (secrets [][]byte) {
	for _, s := range list {
		if s.Len() >= shortest {
			secrets = append(secrets, s.Bytes())
		}
	}
	return secrets
}

// sweep takes a secret out of every member, in each form in which one is written.
func (r *Report) sweep(secret []byte) {
	h := hex.EncodeToString(secret)
	forms := append(written(string(secret)), h, strings.ToUpper(h), base64.StdEncoding.EncodeToString(secret), base64.RawStdEncoding.EncodeToString(secret),
		base64.URLEncoding.EncodeToString(secret), base64.RawURLEncoding.EncodeToString(secret))
	for i := range r.Members {
		m := &r.Members[i]
		n := 0
		for _, form := range forms {
			n += bytes.Count(m.Data, []byte(form))
			m.Data = bytes.ReplaceAll(m.Data, []byte(form), []byte("[removed]"))
		}
		if n > 0 {
			r.Removed = append(r.Removed, fmt.Sprintf("%s: a key of the policy, which stood there %s", m.Name, plural(n, "time")))
		}
	}
}

// written are the ways in which a report writes a text: as it is, in quotes (%q and %+q), and either of them within JSON. The longest come first, or a part
// of one would be found.
func written(s string) []string {
	forms := []string{s, bare(strconv.Quote(s)), bare(strconv.QuoteToASCII(s))}
	for _, form := range forms[:3] {
		if data, err := json.Marshal(form); err == nil {
			forms = append(forms, bare(string(data)))
		}
	}
	slices.Sort(forms)
	forms = slices.Compact(forms)
	slices.SortStableFunc(forms, func(a, b string) int { return len(b) - len(a) })
	return forms
}

// bare is a text without the quotes round it.
func bare(quoted string) string { return quoted[1 : len(quoted)-1] }
