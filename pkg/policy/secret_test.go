package policy

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

const hunter = "hunter2-hunter2"

// shows reports whether text holds the secret in any of the forms in which a formatter could put it.
func shows(text string) bool {
	b := []byte(hunter)
	for _, form := range []string{hunter, fmt.Sprint(b), strings.Trim(fmt.Sprint(b), "[]"), fmt.Sprintf("%x", b), fmt.Sprintf("%X", b), fmt.Sprintf("%x", b[:4]), "aHVudGVyMi1odW50ZXIy",
		"0x68, 0x75", "104, 117"} {
		if strings.Contains(text, form) {
			return true
		}
	}
	return false
}

func TestSecretIsNeverShown(t *testing.T) {
	s := NewSecret([]byte(hunter))
	rule := &Rule{Auth: []AuthMethod{{Kind: PSK, PSK: s}}, Manual: &ManualKeys{EncrIn: s}}
	type foreign struct{ inside Secret } // fmt reads unexported fields by reflection
	values := []any{s, &s, []Secret{s}, map[string]Secret{"a": s}, map[Secret]int{s: 1}, rule, *rule, &Policy{Rules: []*Rule{rule}},
		rule.Auth, *rule.Manual, foreign{s}, &foreign{s}, []foreign{{s}}, struct{ A any }{s}, fmt.Errorf("with %v", s)}
	for _, v := range values {
		for _, flags := range []string{"", "+", "#", "-", " ", "0", "20", ".3", "+#"} {
			for verb := 'A'; verb <= 'z'; verb++ {
				if text := fmt.Sprintf("%"+flags+string(verb), v); shows(text) {
					t.Errorf("%%%s%c of %T shows it: %s", flags, verb, v, text)
				}
			}
		}
		if shows(fmt.Sprint(v)) || shows(fmt.Sprintln(v)) {
			t.Errorf("Print of %T shows it", v)
		}
		var out bytes.Buffer
		for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(h).Info("x", "v", v)
		}
		if j, err := json.Marshal(v); err == nil {
			out.Write(j)
		}
		if x, err := xml.Marshal(v); err == nil {
			out.Write(x)
		}
		if y, err := yaml.Marshal(v); err == nil {
			out.Write(y)
		}
		_ = gob.NewEncoder(&out).Encode(v) // an error is as good
		if shows(out.String()) {
			t.Errorf("an encoder of %T shows it: %s", v, out.String())
		}
	}
	if fmt.Sprint(s) != hidden || s.GoString() != hidden {
		t.Error("no placeholder")
	}
}

func TestSecretHoldsItsOwnCopy(t *testing.T) {
	b := []byte(hunter)
	s := NewSecret(b)
	b[0] = 'X'
	if string(s.Bytes()) != hunter || s.Len() != len(hunter) {
		t.Error("the secret shares its bytes")
	}
	if !s.Equal(NewSecret([]byte(hunter))) || s.Equal(NewSecret(b)) || s.Equal(Secret{}) || !(Secret{}).Equal(NewSecret(nil)) {
		t.Error("Equal is wrong")
	}
	if (Secret{}).Bytes() != nil || (Secret{}).Len() != 0 {
		t.Error("the zero Secret is not absent")
	}
}
