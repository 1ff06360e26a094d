package pki

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// openssl returns a function that runs openssl in a directory, or skips the test.
func openssl(t *testing.T, dir string) func(args string) {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not here")
	}
	return func(args string) {
		t.Helper()
		cmd := exec.Command(path, strings.Fields(args)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("openssl %s: %v\n%s", args, err, out)
		}
	}
}

// TestFilesOfOpenSSL: what openssl writes by its various options is read; what is not supported says how to convert it.
func TestFilesOfOpenSSL(t *testing.T) {
	dir := t.TempDir()
	run := openssl(t, dir)
	file := func(name string) string { return filepath.Join(dir, name) }
	word := func(string) ([]byte, error) { return []byte("word"), nil }
	for kind, how := range map[string]string{"rsa": "-algorithm RSA -pkeyopt rsa_keygen_bits:2048", "ec": "-algorithm EC -pkeyopt ec_paramgen_curve:P-384"} {
		key, cert := kind+".key", kind+".pem"
		run("genpkey " + how + " -out " + key)
		run("req -x509 -new -key " + key + " -subj /C=CH/O=Lab/CN=gw -days 3650 -sha256 -out " + cert)
		run(map[string]string{"rsa": "rsa -traditional", "ec": "ec"}[kind] + " -in " + key + " -out " + kind + ".old")
		forms := []string{key, kind + ".old"}
		for i, how := range []string{"-v2 aes-256-cbc", "-v2 aes-128-cbc -v2prf hmacWithSHA1", "-v2 aes-192-cbc -v2prf hmacWithSHA512", "-v2 des3", "-v2 aes-256-cbc -v2prf hmacWithSHA384 -outform DER", "-nocrypt -outform DER", "-v2 aes-256-cbc -iter 100000"} {
			name := kind + string(rune('0'+i))
			run("pkcs8 -topk8 " + how + " -passout pass:word -in " + key + " -out " + name)
			forms = append(forms, name)
		}
		for _, form := range forms {
			list, err := LoadCredentials(Source{Certificates: []string{file(cert)}, Key: file(form), Passphrase: word})
			if err != nil || len(list) != 1 {
				t.Errorf("%s: %v", form, err)
				continue
			}
			signs(t, list[0])
			if got := FormatDN(list[0].Leaf().RawSubject); got != "C=CH, O=Lab, CN=gw" {
				t.Error(got)
			}
		}
		for i, how := range []string{"", "-legacy", "-descert -legacy", "-keypbe AES-128-CBC -certpbe AES-128-CBC -macalg SHA512", "-keypbe NONE -certpbe NONE"} {
			name := kind + ".p12" + string(rune('0'+i))
			run("pkcs12 -export " + how + " -passout pass:word -in " + cert + " -inkey " + key + " -out " + name)
			list, err := LoadCredentials(Source{Certificates: []string{file(name)}, Passphrase: word})
			if err != nil || len(list) != 1 {
				t.Errorf("pkcs12 %s: %v", how, err)
				continue
			}
			signs(t, list[0])
		}
		for how, says := range map[string]string{"pkcs8 -topk8 -scrypt -passout pass:word": "openssl pkcs8", "pkcs8 -topk8 -v1 PBE-SHA1-3DES -passout pass:word": "openssl pkcs8",
			map[string]string{"rsa": "rsa -traditional", "ec": "ec"}[kind] + " -aes128 -passout pass:word": "openssl pkcs8"} {
			run(how + " -in " + key + " -out odd")
			if _, err := LoadCredentials(Source{Certificates: []string{file(cert)}, Key: file("odd"), Passphrase: word}); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %v", how, err)
			}
		}
	}
}
