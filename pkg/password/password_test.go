package password

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"
)

func TestMakeAndMatch(t *testing.T) {
	a, err := Make(rand.Reader, []byte("correct horse"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := Make(rand.Reader, []byte("correct horse"))
	if err != nil || a == b {
		t.Errorf("two hashes of one password are the same, or %v", err)
	}
	h, err := Parse(a)
	if err != nil {
		t.Fatal(err)
	}
	for password, want := range map[string]bool{"correct horse": true, "correct horsf": false, "correct hors": false, "correct horse ": false, "": false, strings.Repeat("x", MaxLen+1): false} {
		if h.Matches([]byte(password)) != want {
			t.Errorf("%.20q: %v", password, !want)
		}
	}
	if (Hash{}).Matches(nil) || (Hash{}).Matches([]byte("x")) || Nobody().Matches([]byte("x")) || Nobody().Matches(nil) {
		t.Error("a hash of nothing matches")
	}
}

// Hashes that other programs made: the argon2 command of the reference implementation (its README), and bcrypt's published test of "U*U".
func TestHashesOfOthers(t *testing.T) {
	for text, password := range map[string]string{
		"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc": "password",
		"$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW":                           "U*U",
	} {
		h, err := Parse(text)
		if err != nil || !h.Matches([]byte(password)) || h.Matches([]byte(password+"x")) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	good, err := Make(rand.Reader, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "password", "$1$salt$hash", "$2b$05$short", "$2b$20$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", strings.Replace(good, "argon2id", "argon2i", 1),
		strings.Replace(good, "m=32768", "m=4000000", 1), strings.Replace(good, "t=3", "t=0", 1), strings.Replace(good, "t=3", "t=99", 1), strings.Replace(good, "p=1", "p=0", 1),
		strings.Replace(good, "p=1", "p=-1", 1), strings.Replace(good, "v=19", "v=16", 1), good + "$", good[:len(good)-30], good + "!"} {
		if _, err := Parse(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestMakeRefuses(t *testing.T) {
	if _, err := Make(iotest.ErrReader(errors.New("none")), []byte("x")); err == nil {
		t.Error("a hash was made without randomness")
	}
	for _, p := range []string{"", strings.Repeat("x", MaxLen+1)} {
		if _, err := Make(rand.Reader, []byte(p)); err == nil {
			t.Errorf("a password of %d bytes is taken", len(p))
		}
	}
}

func TestHashIsNotPrinted(t *testing.T) {
	h := Nobody()
	for _, s := range []string{fmt.Sprint(h), fmt.Sprintf("%v %+v %#v %s %q %x", h, h, h, h, h, h), fmt.Sprintf("%+v", struct{ H Hash }{h}), fmt.Sprintf("%+v", struct{ h Hash }{h})} {
		if strings.Contains(s, "argon2") {
			t.Error(s)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Add("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := Parse(s)
		if err == nil && string(h.Bytes()) != s {
			t.Errorf("%q", s)
		}
	})
}
