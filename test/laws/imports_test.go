package laws_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// law says what each room may import inside the module; "*" is anything. A name ending in "/*" is a room and all below it.
type law map[string][]string

var quoted = regexp.MustCompile("`([^`]+)`")

// readLaw reads the table of docs/architecture.md: rooms in the first column, what they may import in the third. Rooms without
// "pkg/" in the third column are below pkg.
func readLaw(t *testing.T) law {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs/architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	table := make(law)
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 5 {
			continue
		}
		rooms := quoted.FindAllStringSubmatch(cells[1], -1)
		for _, room := range rooms {
			name := strings.TrimSuffix(room[1], "/")
			if !within(name, "pkg", "cmd", "bench", "examples", "test") {
				continue
			}
			table[name] = allowed(cells[3])
		}
	}
	if len(table) < 15 {
		t.Fatalf("docs/architecture.md: the table of rooms has only %d rows that name a room", len(table))
	}
	return table
}

func allowed(cell string) []string {
	cell = strings.TrimSpace(strings.NewReplacer("`", "", " and later", "", "later ", "").Replace(cell))
	switch cell {
	case "anything":
		return []string{"*"}
	case "–", "-", "", "nothing":
		return nil
	}
	var names []string
	for name := range strings.SplitSeq(cell, ",") {
		name = strings.TrimSpace(name)
		if name != "" && !strings.Contains(name, " ") {
			if name == "bench" { // harnesses, each a package of its own
				names = append(names, "bench", "bench/*")
				continue
			}
			names = append(names, "pkg/"+strings.TrimPrefix(name, "pkg/"))
		}
	}
	return names
}

// of finds the row of a room: its own, or that of the nearest room above it.
func (l law) of(room string) (row []string, ok bool) {
	for room != "." && room != "" {
		if row, ok := l[room]; ok {
			return row, true
		}
		room = filepath.ToSlash(filepath.Dir(room))
	}
	return nil, false
}

// permits says whether a room may import another. A room may always import what is below it and in it.
func permits(room, target string, row []string) bool {
	return within(target, room) || slices.ContainsFunc(row, func(name string) bool {
		parent, all := strings.CutSuffix(name, "/*")
		return name == "*" || name == target || all && within(target, parent)
	})
}

// Law 1: imports follow only the arrows of the table.
func TestImportsFollowTheTable(t *testing.T) {
	table := readLaw(t)
	for _, f := range sources(t) {
		if f.isTest() || within(f.room(), testRooms...) {
			continue
		}
		row, ok := table.of(f.room())
		if !ok {
			t.Errorf("%s: the table of docs/architecture.md has no row for %s", f.path, f.room())
			continue
		}
		for imported := range f.imports() {
			target, inside := strings.CutPrefix(imported, module)
			if inside && !permits(f.room(), target, row) {
				t.Errorf("%s imports %s, which the row of %s does not allow (%s)", f.path, target, f.room(), strings.Join(row, ", "))
			}
		}
	}
}

// Law 1: the table itself has no cycle, so that obeying it is enough.
func TestTheTableHasNoCycle(t *testing.T) {
	table := readLaw(t)
	const entered, left = 1, 2
	state := make(map[string]int)
	var visit func(room string, path []string)
	visit = func(room string, path []string) {
		switch state[room] {
		case left:
			return
		case entered:
			t.Fatalf("a cycle of imports: %s", strings.Join(append(path, room), " -> "))
		}
		state[room] = entered
		for _, name := range table[room] {
			for target := range table {
				parent, all := strings.CutSuffix(name, "/*")
				if target == name || all && within(target, parent) && target != room {
					visit(target, append(path, room))
				}
			}
		}
		state[room] = left
	}
	for room := range table {
		if !slices.Contains(table[room], "*") {
			visit(room, nil)
		}
	}
}

// Law 2: the key exchange has no sockets, no files and no system calls, and knows nothing of the packets it makes keys for.
func TestKeyExchangeIsAloneWithItsArguments(t *testing.T) {
	forbidden := []string{"net", "net/http", "os", "os/exec", "os/signal", "syscall", "io/fs", "golang.org/x/sys/unix", "golang.org/x/net",
		module + "pkg/sa", module + "pkg/esp", module + "pkg/ah", module + "pkg/netio", module + "pkg/tun"}
	for _, f := range sources(t) {
		if f.isTest() || !within(f.room(), "pkg/ike") {
			continue
		}
		for imported := range f.imports() {
			if slices.Contains(forbidden, imported) {
				t.Errorf("%s imports %s", f.path, imported)
			}
		}
	}
}

// Gopacket prints captures for people and is never near hostile input.
func TestOnlyInspectUsesGopacket(t *testing.T) {
	for _, f := range sources(t) {
		if f.isTest() || within(f.room(), "pkg/inspect", "test") {
			continue
		}
		for imported := range f.imports() {
			if strings.HasPrefix(imported, "github.com/google/gopacket") {
				t.Errorf("%s imports %s", f.path, imported)
			}
		}
	}
}
