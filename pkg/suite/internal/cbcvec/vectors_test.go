package cbcvec

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/suite/internal/aeadtest"

	"github.com/goipsec/goipsec/pkg/testdata"
)

// TestWycheproof runs the tests of Project Wycheproof for AES-CBC, which pad as PKCS #5 does: a valid one is encrypted and decrypted; what
// an invalid one, of whole blocks, is decrypted to has no such padding.
func TestWycheproof(t *testing.T) {
	aeadtest.Wycheproof(t, "aes_cbc_pkcs5_test.json", func(v *aeadtest.Vector) {
		m, iv, text, sealed := ours(t, aeadtest.Unhex(v.Key)), aeadtest.Unhex(v.IV), aeadtest.Unhex(v.Msg), aeadtest.Unhex(v.CT)
		name := fmt.Sprintf("test %d, %s", v.ID, v.Comment)
		if v.Result == "valid" {
			n := blockSize - len(text)%blockSize
			m.check(t, name, iv, append(text, bytes.Repeat([]byte{byte(n)}, n)...), sealed)
			return
		}
		if len(sealed) == 0 || len(sealed)%blockSize != 0 {
			return // these rules are the caller's: see TestPanics
		}
		opened, _ := m.Open(nil, iv, sealed, nil)
		if n := int(opened[len(opened)-1]); n > 0 && n <= blockSize && bytes.HasSuffix(opened, bytes.Repeat([]byte{byte(n)}, n)) {
			t.Errorf("%s: the padding is right", name)
		}
	})
}

// TestNIST runs the answer files of NIST's CAVS for AES-CBC.
func TestNIST(t *testing.T) {
	names, err := filepath.Glob(filepath.Join(testdata.Dir(t, "vectors", "public", "nist_cavs", "aes_cbc"), "CBC*.rsp"))
	if err != nil || len(names) != 12 {
		t.Fatalf("%d files, %v", len(names), err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			used, decrypting := 0, false
			record := map[string]string{}
			for line := range strings.Lines(string(data)) {
				field, value, _ := strings.Cut(strings.TrimSpace(line), " = ")
				if field == "[DECRYPT]" {
					decrypting = true
				}
				record[field] = value
				if (field == "CIPHERTEXT" || field == "PLAINTEXT") && record["CIPHERTEXT"] != "" && record["PLAINTEXT"] != "" {
					used++
					v := func(field string) []byte { return aeadtest.Unhex(record[field]) }
					m := ours(t, v("KEY"))
					switch {
					case !strings.HasPrefix(filepath.Base(name), "CBCMCT"):
						m.check(t, "COUNT "+record["COUNT"], v("IV"), v("PLAINTEXT"), v("CIPHERTEXT"))
					case decrypting:
						monteCarlo(t, "COUNT "+record["COUNT"], aeadtest.MonteCarlo(m.decrypt, true, v("IV"), v("CIPHERTEXT")), v("PLAINTEXT"))
					default:
						monteCarlo(t, "COUNT "+record["COUNT"], aeadtest.MonteCarlo(m.encrypt, false, v("IV"), v("PLAINTEXT")), v("CIPHERTEXT"))
					}
					clear(record)
				}
			}
			if used < 10 {
				t.Errorf("only %d were used", used)
			}
			t.Logf("%d used", used)
		})
	}
}

func monteCarlo(t *testing.T, name string, out, want []byte) {
	t.Helper()
	if !bytes.Equal(out, want) {
		t.Errorf("%s: %x, not %x", name, out, want)
	}
}
