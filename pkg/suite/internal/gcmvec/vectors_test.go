package gcmvec

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/suite/internal/aeadtest"

	"github.com/goipsec/goipsec/pkg/testdata"
)

// TestWycheproof runs the tests of Project Wycheproof for AES-GCM and, with the message as additional data, AES-GMAC; those with nonces of
// other lengths are left out, and said so.
func TestWycheproof(t *testing.T) {
	for _, name := range []string{"aes_gcm_test.json", "aes_gmac_test.json"} {
		t.Run(name, func(t *testing.T) {
			aeadtest.Wycheproof(t, name, func(v *aeadtest.Vector) {
				additional, text := v.AAD, v.Msg
				if strings.HasPrefix(name, "aes_gmac") {
					additional, text = v.Msg, ""
				}
				known(t, v.Comment, v.Key, v.IV, additional, text, v.CT, v.Tag, v.Result == "valid")
			})
		})
	}
}

// TestNIST runs the answer files of NIST's CAVS for GCM, as far as nonces have 96 bits and tags 96 or 128.
func TestNIST(t *testing.T) {
	names, err := filepath.Glob(filepath.Join(testdata.Dir(t, "vectors", "public", "nist_cavs", "gcm"), "gcm*.rsp"))
	if err != nil || len(names) != 6 {
		t.Fatalf("%d files, %v", len(names), err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			used, left := 0, 0
			record := map[string]string{}
			lines := bufio.NewScanner(bytes.NewReader(append(data, '\n')))
			for lines.Scan() {
				line := strings.Trim(lines.Text(), "[] \r")
				field, value, _ := strings.Cut(line, "=")
				if line != "" && line[0] != '#' {
					record[strings.TrimSpace(field)] = strings.TrimSpace(value)
					continue
				}
				if record["Count"] == "" {
					continue
				}
				if record["IVlen"] == "96" && (record["Taglen"] == "128" || record["Taglen"] == "96") {
					used++
					_, fail := record["FAIL"]
					known(t, "Count "+record["Count"], record["Key"], record["IV"], record["AAD"], record["PT"], record["CT"], record["Tag"], !fail)
				} else {
					left++
				}
				delete(record, "Count")
				delete(record, "FAIL")
			}
			if used == 0 || lines.Err() != nil {
				t.Errorf("not one was used: %v", lines.Err())
			}
			t.Logf("%d used, %d left: nonces that are not 12 bytes long, tags that are not of 12 or 16", used, left)
		})
	}
}

// known is aeadtest.Known for a key and a tag of any length.
func known(t *testing.T, name, key, nonce, additional, text, ciphertext, tag string, valid bool) {
	t.Helper()
	aeadtest.Known(t, name, ours(t, aeadtest.Unhex(key), len(tag)/2), nonce, additional, text, ciphertext+tag, valid)
}
