package interchange

import (
	"fmt"
	"strings"
)

// ipsecSecrets reads ipsec.secrets: selectors, a colon, the kind, and the secret. What a key is, no note says.
func (r *confImport) ipsecSecrets(f File) error {
	text, err := decode(f.Data)
	if err != nil {
		return fmt.Errorf("%s: %w", f.Name, err)
	}
	r.file = f.Name
	defer func() { r.file = "" }()
	for number, l := range secretLines(text) {
		number++
		head, rest, ok := cutColon(l)
		if !ok {
			if strings.HasPrefix(strings.TrimSpace(l), "include") {
				r.lost(number, "an include of secrets is not followed: name the file with --secrets")
			} else if strings.TrimSpace(l) != "" {
				r.lost(number, "the line is not understood: a secret is SELECTORS : KIND SECRET")
			}
			continue
		}
		kind, value, _ := strings.Cut(strings.TrimSpace(rest), " ")
		value = strings.TrimSpace(value)
		var ids []string
		for _, id := range strings.Fields(head) {
			ids = append(ids, plainID(strings.Trim(id, `"`)))
		}
		switch strings.ToUpper(kind) {
		case "XAUTH", "EAP":
			value = strings.Trim(value, `"`)
			r.logins = append(r.logins, swanSecret{ids: ids, secret: textSecret(value), file: f.Name, line: number})
		case "PSK":
			quoted := len(value) > 1 && value[0] == '"'
			if quoted {
				value, _, _ = strings.Cut(value[1:], `"`)
			} else if i := strings.IndexAny(value, " \t"); i >= 0 {
				value = value[:i]
			}
			secret := secretBytes(value)
			if quoted && (strings.HasPrefix(value, "0x") || strings.HasPrefix(value, "0s")) {
				secret = textSecret(value)
			}
			if secret.Len() == 0 {
				r.lost(number, "a PSK is empty or malformed")
				continue
			}
			r.secrets = append(r.secrets, swanSecret{ids: ids, secret: secret, file: f.Name, line: number})
		case "RSA", "ECDSA", "PKCS8", "BLISS", "P12":
			name, pass, _ := strings.Cut(value, " ")
			r.private = append(r.private, under(r.base, "ipsec.d/private", strings.Trim(name, `"`)))
			if strings.TrimSpace(pass) != "" {
				r.lost(number, "the passphrase of a private key is left out: write it into a file for passphrase_file")
			}
		default:
			r.lost(number, "a secret of a kind that is not here")
		}
	}
	return nil
}

// secretLines gives the lines without their comments; an indented line goes on with the one before. Empty ones keep their place.
func secretLines(text string) []string {
	var out []string
	last := -1
	for raw := range strings.Lines(text) {
		s := strings.TrimRight(uncommented(raw), " \t\r\n")
		if last >= 0 && s != "" && (s[0] == ' ' || s[0] == '\t') {
			out[last] += " " + strings.TrimSpace(s)
			out = append(out, "")
			continue
		}
		out = append(out, s)
		if s != "" {
			last = len(out) - 1
		}
	}
	return out
}

// cutColon cuts at the first colon that stands by itself, in no quotes: IPv6 addresses have colons too.
func cutColon(s string) (before, after string, found bool) {
	in := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			in = !in
		case s[i] == ':' && !in && (i == 0 || s[i-1] == ' ' || s[i-1] == '\t') && (i+1 == len(s) || s[i+1] == ' ' || s[i+1] == '\t' || s[i+1] != ':'):
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}
