package config

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/goipsec/goipsec/pkg/policy"
)

// Redacted is a policy file that may be shown to others.
type Redacted struct {
	Text []byte
	// Removed says what was taken out: a key and its line, and why.
	Removed []string
	// Names are what people called things in the file: policies, rules, filter lists and actions, DNS names, identities, users.
	Names []string
	// Secrets are the values that were taken out from under the keys of secrets, so that they can be looked for elsewhere. They are never shown.
	Secrets []policy.Secret
	// Parsed is set if the file is YAML. If it is not, every line of which nobody can say what it means was taken out.
	Parsed bool
}

// removed stands in the place of what was taken out.
const removed = "[removed]"

// fileKeys are those whose values are names of files, which exist if they are no secrets that somebody wrote there by mistake.
var fileKeys = []string{"psk_file", "certificate", "key", "passphrase_file", "ca", "file", "crls", "cache", "password_file", "users_file"}

// nameKeys are those whose values are names of the user's choice.
var nameKeys = []string{"policy", "name", "assign", "filter_list", "action", "local_id", "remote_id", "user"}

// textKeys are those whose values are for people and may say anything.
var textKeys = []string{"description"}

// Redact takes the secrets out of a policy file: pre-shared keys, manual keys, whatever looks like a key, comments and descriptions, and the values of keys that
// policy files do not have. name is that of the file, and exists reports whether a file is there: where a key file should be named and none is, the value may be
// the key itself. Key files are not read.
func Redact(name string, data []byte, exists func(path string) bool) Redacted {
	d := &redactor{dir: filepath.Dir(name), exists: exists}
	r := &reader{name: name}
	root := r.document(data)
	if root == nil || !plainTree(root) {
		return d.byLine(data)
	}
	if bytes.IndexByte(data, '#') >= 0 {
		d.Removed = append(d.Removed, "comments")
	}
	d.value(root, "", false)
	text, err := yaml.Dump(root)
	if err != nil {
		return d.byLine(data)
	}
	d.Text, d.Parsed = text, true
	d.finish()
	return d.Redacted
}

// plainTree reports whether a tree has nothing that stands for something elsewhere.
func plainTree(n *node) bool {
	if n.Kind == yaml.AliasNode || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 {
		return false
	}
	return !slices.ContainsFunc(n.Content, func(c *node) bool { return !plainTree(c) })
}

type redactor struct {
	Redacted
	dir    string
	exists func(string) bool
}

func (d *redactor) finish() {
	slices.Sort(d.Names)
	d.Names = slices.Compact(d.Names)
}

// remove takes a value out, with all below it.
func (d *redactor) remove(n *node, why string) {
	d.Removed = append(d.Removed, fmt.Sprintf("line %d: %s", n.Line, why))
	*n = node{Kind: yaml.ScalarNode, Tag: "!!str", Value: removed, Line: n.Line}
}

// secret notes what was taken out, as it stands there and as the key that it means.
func (d *redactor) secret(value string) {
	d.Secrets = append(d.Secrets, policy.NewSecret([]byte(value)))
	if digits, ok := strings.CutPrefix(value, "0x"); ok {
		if key, err := hex.DecodeString(digits); err == nil {
			d.Secrets = append(d.Secrets, policy.NewSecret(key))
		}
	}
}

// value redacts what stands under a key; free mappings have names for keys.
func (d *redactor) value(n *node, key string, free bool) {
	n.HeadComment, n.LineComment, n.FootComment = "", "", ""
	switch {
	case isMapping(n):
		d.mapping(n, key, free)
	case isSequence(n):
		for _, e := range n.Content {
			d.value(e, key, false)
		}
	default:
		d.scalar(n, key)
	}
}

func (d *redactor) mapping(n *node, parent string, free bool) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		k.HeadComment, k.LineComment, k.FootComment = "", "", ""
		key := k.Value
		switch {
		case free && isScalar(k) && !looksLikeKey(key):
			d.Names = append(d.Names, key)
			d.value(v, "", false)
		case !isScalar(k) || !known(key):
			d.remove(k, "an unknown key")
			d.remove(v, "its value")
		case slices.Contains(secretKeys, key) && !isMapping(v):
			d.secret(v.Value)
			d.remove(v, "the value of "+key)
		case slices.Contains(textKeys, key):
			d.remove(v, "a "+key+", which may say anything")
		default:
			d.value(v, key, parent == "" && (key == "filter_lists" || key == "filter_actions"))
		}
	}
}

func (d *redactor) scalar(n *node, key string) {
	switch {
	case slices.Contains(fileKeys, key):
		if !d.isFile(n.Value) {
			d.remove(n, key+" names no file that is there, so it may be the key itself")
		}
	case looksLikeKey(n.Value):
		d.remove(n, "a value of "+orList(key)+" that looks like a key")
	case key == "auth" && n.Value != "kerberos" && n.Value != "certificate":
		d.remove(n, "an authentication method that is no mapping, so it may be a key")
	case slices.Contains(nameKeys, key):
		d.Names = append(d.Names, n.Value)
	default:
		d.Names = append(d.Names, namesIn(n.Value)...)
	}
}

func orList(key string) string {
	if key == "" {
		return "a list"
	}
	return key
}

func (d *redactor) isFile(name string) bool {
	if name == "" || strings.ContainsAny(name, "\n\r\x00") || len(name) > 4096 {
		return false
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(d.dir, name)
	}
	return d.exists(name)
}

// longToken finds what has the length of a key. Names of algorithms, addresses and DNS names have dots, colons or fewer characters.
var longToken = regexp.MustCompile(`[A-Za-z0-9+/=_-]{20,}`)

// hexToken finds keys in hexadecimal.
var hexToken = regexp.MustCompile(`0x[0-9A-Fa-f]{9,}|\b[0-9A-Fa-f]{16,}\b`)

// looksLikeKey reports whether a value holds what could be a key, wherever it stands. A name of letters only that long is none.
func looksLikeKey(s string) bool {
	if strings.Contains(s, "-----") || hexToken.MatchString(s) {
		return true
	}
	for _, token := range longToken.FindAllString(s, -1) {
		if strings.ContainsAny(token, "0123456789+/=") && strings.ContainsFunc(token, func(c rune) bool { return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' }) {
			return true
		}
	}
	return false
}

// dottedName finds names with a dot.
var dottedName = regexp.MustCompile(`[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.[A-Za-z][A-Za-z0-9_-]*`)

func namesIn(s string) []string { return dottedName.FindAllString(s, -1) }
