package config

import (
	"strings"
	"testing"
)

// Rows of the security catalogue that a policy file is held to.

const integrityKey = `"0x` + "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" + `"`

// TestD3EncryptionWithoutIntegrity is refused in every form, negotiated and manual; under an AH of the same method it is allowed.
func TestD3EncryptionWithoutIntegrity(t *testing.T) {
	manual := func(method, more string) string {
		return filter + "manual: {method: " + method + ", spi_in: 256, spi_out: 257, encryption_key_in: \"0x" + strings.Repeat("00", 16) +
			"\", encryption_key_out: \"0x" + strings.Repeat("01", 16) + "\"" + more + "}"
	}
	for _, m := range []string{"esp aes-cbc-128", "esp 3des", "esp aes-ctr-128", "esp null", "{esp: {encryption: aes-cbc, integrity: none}}"} {
		if _, err := Parse("p.yaml", []byte(wrap(filter+"negotiate: {methods: ["+m+"]}\n"+psk)), Options{}); err == nil {
			t.Errorf("%s is accepted", m)
		}
	}
	if _, err := Parse("p.yaml", []byte(wrap(manual("esp aes-cbc-128", ""))), Options{}); err == nil || !strings.Contains(err.Error(), "without integrity") {
		t.Errorf("manual: %v", err)
	}
	read(t, wrap(filter+"negotiate: {methods: [ah sha256 + esp aes-cbc-128]}\n"+psk))
	read(t, wrap(manual("esp aes-cbc-128 sha256", ", integrity_key_in: "+integrityKey+", integrity_key_out: "+strings.Replace(integrityKey, "00", "ff", 1))))
}

// TestP27NoOtherAuthentication: there is no way to ask for public key encryption, and none for aggressive mode but exchange_mode in a rule.
func TestP27NoOtherAuthentication(t *testing.T) {
	for _, auth := range []string{"[{rsa_encryption: x}]", "[{pke: x}]", "[{certificate: x}]", "[{psk: \"0123456789abcdefghijklmnopqrs\", mode: aggressive}]", "[{aggressive: true}]"} {
		if _, err := Parse("p.yaml", []byte(wrap(filter+nego+"auth: "+auth)), Options{}); err == nil {
			t.Errorf("%s is accepted", auth)
		}
	}
	if _, err := Parse("p.yaml", []byte("key_exchange: {mode: aggressive}\n"+wrap(filter+nego+psk)), Options{}); err == nil {
		t.Error("aggressive mode is accepted")
	}
}

// TestP28GuessableKeys: a pre-shared key that is short or has few different characters draws a warning that says how to make a better one; a good one
// draws none about its strength. No warning shows the key.
func TestP28GuessableKeys(t *testing.T) {
	guess := func(key string) (warnings []string) {
		for _, w := range read(t, wrap(filter+nego+"auth: [{psk: \""+key+"\"}]")).Warnings {
			if strings.Contains(w.String(), key) {
				t.Errorf("a warning shows the key: %v", w)
			}
			if text := w.String(); strings.Contains(text, "guessed") || strings.Contains(text, "recommended") {
				warnings = append(warnings, text)
			}
		}
		return warnings
	}
	for _, weak := range []string{"secretsecret", "passwordpassword", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "0101010101010101010101010101010101010101", "hunter2hunter2hunter2"} {
		if w := guess(weak); len(w) != 1 {
			t.Errorf("a weak key of %d characters: %v", len(weak), w)
		} else if len(weak) < 16 && !strings.Contains(w[0], "goipsec psk") {
			t.Errorf("it does not say how to make a good one: %s", w[0])
		}
	}
	for _, good := range []string{"7Yk1vWc0dTq9ZrN4xBhL2mPsG8uEaJ6f", "correct horse battery staple and more"} {
		if w := guess(good); len(w) != 0 {
			t.Errorf("a good key: %v", w)
		}
	}
}

// TestP28AggressiveModeIsWarnedOf: a rule that names aggressive mode draws a warning of the off-line attack; without it there is none, and certificates do not go with it.
func TestP28AggressiveModeIsWarnedOf(t *testing.T) {
	warned := func(mode string) (n int) {
		f := read(t, wrap(filter+nego+psk+mode))
		for _, w := range f.Warnings {
			if strings.Contains(w.String(), "off-line") {
				n++
			}
		}
		if f.Assigned.Rules[0].Aggressive != (n == 1) {
			t.Errorf("%q: %v", mode, f.Assigned.Rules[0])
		}
		return n
	}
	for mode, want := range map[string]int{"": 0, "exchange_mode: main": 0, "exchange_mode: aggressive": 1} {
		if n := warned(mode); n != want {
			t.Errorf("%q: %d warnings", mode, n)
		}
	}
}
