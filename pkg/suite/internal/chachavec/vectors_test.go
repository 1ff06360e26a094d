package chachavec

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/goipsec/goipsec/pkg/testdata"
)

// TestWycheproof runs the tests of Project Wycheproof for ChaCha20-Poly1305, among them those whose sums in Poly1305 are on the edge; those
// with nonces of other lengths are left out, and said so.
func TestWycheproof(t *testing.T) {
	data, err := os.ReadFile(testdata.Dir(t, "vectors", "public", "wycheproof", "chacha20_poly1305_test.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		NumberOfTests int
		TestGroups    []struct {
			IVSize int
			Tests  []struct {
				ID                                  int `json:"tcId"`
				Comment, Key, IV, AAD, Msg, CT, Tag string
				Result                              string
			}
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	used, left := 0, 0
	for _, group := range file.TestGroups {
		if group.IVSize != 8*nonceSize {
			left += len(group.Tests)
			continue
		}
		for _, v := range group.Tests {
			used++
			aead := ours(t, unhex(v.Key))
			if v.Result == "valid" {
				check(t, v.Comment, aead, unhex(v.IV), unhex(v.AAD), unhex(v.Msg), unhex(v.CT+v.Tag))
			} else if _, err := aead.Open(nil, unhex(v.IV), unhex(v.CT+v.Tag), unhex(v.AAD)); err == nil {
				t.Errorf("test %d, %s: was opened", v.ID, v.Comment)
			}
		}
	}
	if used+left != file.NumberOfTests || used == 0 {
		t.Errorf("read %d and %d tests of %d", used, left, file.NumberOfTests)
	}
	t.Logf("%d used, %d left: nonces that are not 12 bytes long", used, left)
}
