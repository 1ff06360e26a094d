package policy

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Secret is key material that no formatting verb, encoder or logger shows. The zero value is an absent secret.
// A Secret is immutable and may be shared.
type Secret struct {
	// Two pointers deep, because fmt reads unexported fields of foreign structs by reflection, past every method of ours, and
	// follows a pointer to a slice when the verb is unknown. Of a pointer to a pointer it prints the address, always.
	p **[]byte
}

// hidden is what is shown in the place of a secret.
const hidden = "[secret]"

// NewSecret returns a Secret that holds a copy of b. An empty b gives the absent secret.
func NewSecret(b []byte) Secret {
	if len(b) == 0 {
		return Secret{}
	}
	c := append([]byte(nil), b...)
	p := &c
	return Secret{p: &p}
}

// Bytes returns the secret itself. The caller neither changes nor prints it.
func (s Secret) Bytes() []byte {
	if s.p == nil {
		return nil
	}
	return **s.p
}

// Len is the length of the secret in bytes; 0 if it is absent.
func (s Secret) Len() int { return len(s.Bytes()) }

// Equal compares two secrets in a time that depends on their lengths only.
func (s Secret) Equal(t Secret) bool { return subtle.ConstantTimeCompare(s.Bytes(), t.Bytes()) == 1 }

// String returns a placeholder.
func (s Secret) String() string { return hidden }

// GoString returns a placeholder.
func (s Secret) GoString() string { return hidden }

// Format writes a placeholder for every verb and flag.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, hidden) }

// MarshalText returns a placeholder; encoding/json and encoding/xml use it too.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// MarshalJSON returns a placeholder.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }

// MarshalYAML returns a placeholder.
func (s Secret) MarshalYAML() (any, error) { return hidden, nil }

// LogValue returns a placeholder.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// GobEncode refuses: a secret is never written out in a form that can be read again.
func (s Secret) GobEncode() ([]byte, error) {
	return nil, errors.New("policy: a secret cannot be encoded")
}
