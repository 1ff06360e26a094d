package laws_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// One file knows where the shared test data lies; every other asks it.
func TestOnlyOneFileNamesTheSharedData(t *testing.T) {
	names := []string{"../sha" + "red", `"..", "sha` + `red"`, "GOIPSEC_TEST" + "DATA"}
	seen := 0
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == ".git" || d.Name() == "testdata" {
				return filepath.SkipDir // pkg/testdata is the one place
			}
			return nil
		}
		switch filepath.Ext(p) {
		case ".go", ".yaml", ".yml", ".sh", "": // pages for people may tell them the variable
		default:
			return nil
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		seen++
		for _, name := range names {
			if strings.Contains(string(text), name) {
				t.Errorf("%s names the shared test data (%s); ask pkg/testdata instead", p, name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 50 {
		t.Fatalf("only %d files read: the law would hold of nothing", seen)
	}
}
