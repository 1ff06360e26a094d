package laws_test

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// rows of the security page that must be there, each once.
func rowsToProve() (rows []string) {
	for _, group := range []struct {
		letter string
		n      int
	}{{"P", 36}, {"A", 9}, {"D", 19}, {"O", 4}} {
		for i := range group.n {
			rows = append(rows, group.letter+itoa(i+1))
		}
	}
	return append(rows, "F1", "F2", "F3", "F5", "F8", "F9", "F10", "F11", "F17", "F18")
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}

// testsByRoom lists the test and fuzz functions of each directory.
func testsByRoom(t *testing.T) map[string]map[string]bool {
	all := map[string]map[string]bool{}
	for _, f := range sources(t) {
		if !f.isTest() {
			continue
		}
		room := f.room()
		if all[room] == nil {
			all[room] = map[string]bool{}
		}
		for _, d := range f.syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && (strings.HasPrefix(fn.Name.Name, "Test") || strings.HasPrefix(fn.Name.Name, "Fuzz")) {
				all[room][fn.Name.Name] = true
			}
		}
	}
	return all
}

var testNames = regexp.MustCompile("`([a-z0-9/]+)\\.((?:Test|Fuzz)[A-Za-z0-9_]+)`")

// namedTests returns the names of tests that a line of a page holds, and fails the test for those that do not exist.
func namedTests(t *testing.T, line string, there map[string]map[string]bool) (names []string) {
	t.Helper()
	for _, m := range testNames.FindAllStringSubmatch(line, -1) {
		room := m[1]
		if !within(room, "test", "cmd", "bench") {
			room = "pkg/" + room
		}
		if !there[room][m[2]] {
			t.Errorf("%s.%s does not exist", m[1], m[2])
		}
		names = append(names, m[2])
	}
	return names
}

// The tables of docs/security.md name every row, and for each one tests that exist and carry its name, or the reason why there is none.
func TestEverySecurityRowHasItsTest(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	there := testsByRoom(t)
	lines := map[string][]string{}
	for line := range strings.Lines(string(page)) {
		namedTests(t, line, there)
		if cells := strings.Split(line, "|"); len(cells) == 6 {
			row := strings.TrimSpace(cells[1])
			lines[row] = append(lines[row], line)
		}
	}
	for _, row := range rowsToProve() {
		if len(lines[row]) != 1 {
			t.Errorf("row %s stands in the tables %d times, want once", row, len(lines[row]))
			continue
		}
		cells := strings.Split(lines[row][0], "|")
		if strings.TrimSpace(cells[4]) == "–" {
			if reason := strings.TrimSpace(cells[3]); !strings.HasPrefix(reason, "– not yet: ") && !strings.HasPrefix(reason, "– does not apply: ") {
				t.Errorf("row %s has neither a test nor a reason", row)
			}
			continue
		}
		named := regexp.MustCompile(row + `(?:[^0-9]|$)`)
		ok := false
		for _, m := range testNames.FindAllStringSubmatch(cells[4], -1) {
			ok = ok || named.MatchString(m[2])
		}
		if !ok {
			t.Errorf("row %s has no test that carries its name", row)
		}
	}
}

// P18: what peers send can reach no shell, because the product starts no program at all, but for pfctl on macOS, whose rules have no other door. It is started in
// one file, by a fixed path, and without a shell.
func TestP18NoProgramIsStarted(t *testing.T) {
	const pfctlStarter = "pkg/guard/guard_darwin.go"
	pfctl := 0
	for _, f := range sources(t) {
		if f.isTest() || within(f.room(), "bench", "test", "pkg/testnet", "pkg/testdata") {
			continue
		}
		if f.path == pfctlStarter {
			pfctl += onlyPFCTL(t, f)
			continue
		}
		if _, ok := f.imports()["os/exec"]; ok {
			t.Errorf("%s imports os/exec", f.path)
		}
		for _, use := range append(f.uses("os", "StartProcess"), append(f.uses("syscall", "Exec", "ForkExec", "StartProcess"), f.uses("golang.org/x/sys/unix", "Exec")...)...) {
			t.Errorf("%s: a program is started", f.at(use))
		}
	}
	if pfctl != 1 {
		t.Errorf("pfctl is started in %d places of %s, want one", pfctl, pfctlStarter)
	}
}

// onlyPFCTL counts the starts of programs in a file, each of which must be that of its constant pfctl.
func onlyPFCTL(t *testing.T, f *file) (starts int) {
	fixed := false
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ValueSpec:
			if len(n.Names) == 1 && n.Names[0].Name == "pfctl" && len(n.Values) == 1 {
				path, ok := n.Values[0].(*ast.BasicLit)
				fixed = ok && path.Value == `"/sbin/pfctl"`
			}
		case *ast.CallExpr:
			s, ok := n.Fun.(*ast.SelectorExpr)
			if ok && selectsFrom(s, f.imports()["os/exec"]) {
				starts++
				if name, ok := n.Args[0].(*ast.Ident); !ok || s.Sel.Name != "Command" || name.Name != "pfctl" {
					t.Errorf("%s: something else than pfctl is started", f.at(n))
				}
			}
		}
		return true
	})
	if !fixed {
		t.Errorf("%s: the path of pfctl is not fixed", f.path)
	}
	return starts
}

func selectsFrom(s *ast.SelectorExpr, name string) bool {
	x, ok := s.X.(*ast.Ident)
	return ok && x.Name == name
}

// D6: only few rooms write files: the key log, which is asked for, the state of routes, which knows no SA, the control socket's directory, the cache of
// revocation lists, a benchmark's report, and what an import or an export was asked to write, which comes from a text that a person named. No room that has keys in its hands is among them.
func TestD6NothingOfAnSAIsWritten(t *testing.T) {
	for _, f := range sources(t) {
		if f.isTest() || within(f.room(), "bench", "test", "pkg/testnet", "pkg/testpki", "pkg/keylog", "pkg/route", "pkg/control", "pkg/pki/revocation") || f.path == "cmd/goipsec/bench_report.go" || f.path == "cmd/goipsec/write_new.go" {
			continue
		}
		for _, use := range f.uses("os", "WriteFile", "Create", "OpenFile", "CreateTemp", "Rename", "Mkdir", "MkdirAll", "MkdirTemp") {
			t.Errorf("%s: os.%s", f.at(use), use.Sel.Name)
		}
	}
	for _, f := range sources(t) {
		if !f.isTest() && within(f.room(), "pkg/route", "pkg/control", "pkg/pki/revocation") {
			for p := range f.imports() {
				if p == module+"pkg/suite" || p == module+"pkg/sa" || p == module+"pkg/ike" || p == module+"pkg/policy" {
					t.Errorf("%s writes files and imports %s", f.path, p)
				}
			}
		}
	}
}

// O1: a time loses its monotonic reading when it is rounded to nothing, moved to another zone, or made from a number. Nothing that measures does that.
func TestO1NoTimeLosesItsMonotonicReading(t *testing.T) {
	strips := map[string]bool{"UTC": true, "UnixNano": true, "UnixMilli": true, "UnixMicro": true, "Unix": true, "AddDate": true, "In": true, "MarshalBinary": true}
	for _, f := range sources(t) {
		if f.isTest() || !within(f.room(), "pkg/endpoint", "pkg/dataplane", "pkg/sa", "pkg/ike", "pkg/packet") {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			s, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			zero := false
			if len(call.Args) == 1 && (s.Sel.Name == "Round" || s.Sel.Name == "Truncate") {
				lit, isLit := call.Args[0].(*ast.BasicLit)
				zero = isLit && lit.Value == "0"
			}
			if strips[s.Sel.Name] || zero {
				t.Errorf("%s: %s", f.at(call), s.Sel.Name)
			}
			return true
		})
	}
}
