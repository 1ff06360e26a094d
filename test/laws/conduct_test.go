package laws_test

import (
	"go/ast"
	"path"
	"slices"
	"strings"
	"testing"
)

// Law 3: goroutines start only where their end can be watched over.
func TestGoroutinesStartInFewRooms(t *testing.T) {
	rooms := []string{"pkg/endpoint", "pkg/dataplane", "pkg/netio", "pkg/tun", "pkg/route", "pkg/control", "pkg/demo", "cmd", "bench", "test"}
	for _, f := range sources(t) {
		if f.isTest() || within(f.room(), rooms...) {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s: a go statement in %s", f.at(n), f.room())
			case *ast.CallExpr: // sync.WaitGroup.Go and its like
				if s, ok := n.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "Go" {
					t.Errorf("%s: a goroutine in %s", f.at(n), f.room())
				}
			}
			return true
		})
	}
}

var clockReaders = []string{"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "Tick", "NewTicker", "NewTimer"}

// Law 4: time is an argument; only the rooms that run a real process ask what time it is. The data plane may ask once a batch.
func TestTheClockIsReadInFewRooms(t *testing.T) {
	const peersTakeTime = "test/interop/lab/wait_linux.go"
	dataplane := 0
	for _, f := range sources(t) {
		if f.isTest() || within(f.room(), "pkg/endpoint", "pkg/demo", "cmd", "bench") || f.path == peersTakeTime {
			continue
		}
		for _, use := range f.uses("time", clockReaders...) {
			if f.room() == "pkg/dataplane" && use.Sel.Name == "Now" {
				if dataplane++; dataplane == 1 {
					continue
				}
			}
			t.Errorf("%s: time.%s in %s", f.at(use), use.Sel.Name, f.room())
		}
	}
}

// A test that sleeps is slow when it passes and wrong when it fails. In a bubble of synctest, time costs nothing.
func TestNoTestSleeps(t *testing.T) {
	for _, f := range sources(t) {
		if _, bubble := f.imports()["testing/synctest"]; !f.isTest() || bubble {
			continue
		}
		for _, use := range f.uses("time", "Sleep", "Tick", "NewTicker") {
			t.Errorf("%s: time.%s in a test", f.at(use), use.Sel.Name)
		}
	}
}

// A package is named for what it does.
func TestPackageNamesSaySomething(t *testing.T) {
	empty := []string{"common", "types", "util", "utils", "helper", "helpers", "manager", "misc", "base", "errors", "core"}
	for _, f := range sources(t) {
		if slices.Contains(empty, path.Base(f.room())) {
			t.Errorf("%s: a package named %s", f.path, path.Base(f.room()))
		}
	}
}

// Files are read by people: one of 400 lines is looked at twice, one of 600 is split.
func TestFilesAreShortEnoughToRead(t *testing.T) {
	const limit = 600
	for _, f := range sources(t) {
		if lines := f.fset.Position(f.syntax.FileEnd).Line; lines > limit {
			t.Errorf("%s has %d lines, more than %d", f.path, lines, limit)
		}
	}
}

// testRooms are imported by tests only.
var testRooms = []string{"pkg/testdata", "pkg/testnet", "pkg/testpki", "pkg/suite/internal/aeadtest"}

// Every room says what it is for in doc.go, and shows it in an example that runs.
func TestEveryRoomHasADoorplate(t *testing.T) {
	plates, examples, rooms := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, f := range sources(t) {
		room := f.room()
		if !within(room, "pkg") || within(room, testRooms...) {
			continue
		}
		rooms[room] = rooms[room] || !f.isTest()
		if path.Base(f.path) == "doc.go" && f.syntax.Doc != nil {
			plates[room] = true
		}
		for _, d := range f.syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && f.isTest() && strings.HasPrefix(fn.Name.Name, "Example") {
				examples[room] = true
			}
		}
	}
	for room, real := range rooms {
		if real && !plates[room] {
			t.Errorf("%s has no doc.go with a package comment", room)
		}
		if real && !examples[room] {
			t.Errorf("%s has no Example", room)
		}
	}
}
