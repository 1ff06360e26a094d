package system

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestBugreportOfARunningInstanceHoldsNoSecret: a running instance with a key log and SAs, a policy with keys in it and beside it, secrets in the environment. The whole
// archive, unpacked, is searched for each of them, as it is, in hexadecimal and in base64; so is what stands on the terminal.
func TestBugreportOfARunningInstanceHoldsNoSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const inFile, inEnvironment, beside = "key-in-a-file-Planted-Qq7", "in-environment-Planted-Qq8", "beside-the-policy-Planted-Qq9"
	w.WriteFile("peer.key", inFile)
	w.WriteFile("old.key", beside)
	// The peer of the first rule answers; that of the second has its key in a file.
	policy := file(rule("hosts", between, "", "# "+beside)) + "  - {name: second, filters: [10.1.0.1 <-> 10.1.0.7], negotiate: {}, auth: [{psk_file: " + w.Dir() + "/peer.key}]}\n"
	w.Goipsec(w.b, file(rule("hosts", "10.1.0.2 <-> 10.1.0.1", "")))
	keys := w.Subdir("keys")
	if err := os.Chmod(keys, 0o700); err != nil {
		t.Fatal(err)
	}
	g := w.Goipsec(w.a, policy, "--keylog", keys)
	g.Must("connect 10.1.0.2")
	secrets := [][]byte{[]byte(psk), []byte(inFile), []byte(inEnvironment), []byte(beside)}
	for _, name := range []string{"esp_sa", "ikev1_decryption_table"} { // every key of the key log
		for _, field := range strings.FieldsFunc(w.ReadFile(keys+"/"+name), func(c rune) bool { return strings.ContainsRune("\", \n", c) }) {
			if key, err := hex.DecodeString(strings.TrimPrefix(field, "0x")); err == nil && len(key) >= 16 {
				secrets = append(secrets, key)
			}
		}
	}
	if len(secrets) < 7 {
		t.Fatalf("%d secrets: the key log has no keys, so this proves little", len(secrets))
	}

	archive, unpacked := w.Dir()+"/report.tar.gz", w.Subdir("unpacked")
	before := w.settled(w.a)
	said := w.a.Run(fmt.Sprintf("cd %s && PLANTED=%s %s bugreport --socket %s -o %s && tar xzf %s -C %s", w.Dir(), inEnvironment, w.Binary(), g.Socket, archive, archive, unpacked))
	if after := w.a.Leftovers(); after != before {
		t.Errorf("it changed the host:\n%s", difference(before, after))
	}
	if info, err := os.Stat(archive); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	everything := []byte(said + w.a.Run("cat "+unpacked+"/goipsec-report/*"))
	for _, secret := range secrets {
		for _, form := range written(secret) {
			if bytes.Contains(everything, []byte(form)) {
				t.Errorf("the report holds %q", form)
			}
		}
	}
	for _, want := range []string{`"peer-up"`, `"rule": "hosts"`, "10.1.0.7", "leftovers", "route to 10.1.0.2/32", "policy.yaml: comments", "the value of psk"} {
		if !bytes.Contains(everything, []byte(want)) {
			t.Errorf("the report does not hold %q:\n%.6000s", want, everything)
		}
	}

	dry := w.a.Run(fmt.Sprintf("cd %s && %s bugreport --socket %s --dry-run -o %s/dry.tar.gz", w.Dir(), w.Binary(), g.Socket, w.Dir()))
	if _, err := os.Stat(w.Dir() + "/dry.tar.gz"); err == nil || !strings.Contains(dry, "status.json") {
		t.Errorf("%v; --dry-run says:\n%s", err, dry)
	}
	w.a.Run(fmt.Sprintf("%s bugreport --socket %s --anonymise --force -o %s && rm -r %s/* && tar xzf %s -C %s", w.Binary(), g.Socket, archive, unpacked, archive, unpacked))
	if text := w.a.Run("cat " + unpacked + "/goipsec-report/*"); strings.Contains(text, "10.1.0.2") || strings.Contains(text, "192.168.1.1") {
		t.Errorf("an address is in an anonymous report:\n%.6000s", text)
	}
}

// written are the forms in which a secret may stand somewhere.
func written(secret []byte) []string {
	h := hex.EncodeToString(secret)
	list := []string{string(secret), h, strings.ToUpper(h)}
	for shift := range 3 {
		text := base64.StdEncoding.EncodeToString(append(bytes.Repeat([]byte("x"), shift), append(bytes.Clone(secret), "xxx"...)...))
		list = append(list, text[4*((shift+2)/3):len(text)-8])
	}
	return list
}
