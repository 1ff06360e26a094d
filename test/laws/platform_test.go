package laws_test

import (
	"go/ast"
	"go/build"
	"path"
	"path/filepath"
	"slices"
	"testing"
)

var platforms = []string{"linux", "darwin", "windows"}

// Law 6: a room offers the same names on every platform, so that its users need no build tags.
func TestRoomsOfferTheSameOnEveryPlatform(t *testing.T) {
	byRoom := make(map[string][]*file)
	for _, f := range sources(t) {
		if !f.isTest() && within(f.room(), "pkg") && !within(f.room(), testRooms...) {
			byRoom[f.room()] = append(byRoom[f.room()], f)
		}
	}
	for room, files := range byRoom {
		reference := exported(t, files, platforms[0])
		for _, goos := range platforms[1:] {
			names := exported(t, files, goos)
			for _, name := range reference {
				if !slices.Contains(names, name) {
					t.Errorf("%s: %s is there on linux and not on %s", room, name, goos)
				}
			}
			for _, name := range names {
				if !slices.Contains(reference, name) {
					t.Errorf("%s: %s is there on %s and not on linux", room, name, goos)
				}
			}
		}
	}
}

func exported(t *testing.T, files []*file, goos string) []string {
	t.Helper()
	context := build.Default
	context.GOOS, context.GOARCH, context.CgoEnabled = goos, "amd64", false
	var names []string
	for _, f := range files {
		ok, err := context.MatchFile(filepath.Join(root, f.room()), path.Base(f.path))
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			continue
		}
		for _, d := range f.syntax.Decls {
			names = append(names, declared(d)...)
		}
	}
	return names
}

// declared lists the exported names of a declaration; methods as Type.Method.
func declared(d ast.Decl) (names []string) {
	add := func(prefix string, id *ast.Ident) {
		if id.IsExported() {
			names = append(names, prefix+id.Name)
		}
	}
	switch d := d.(type) {
	case *ast.FuncDecl:
		receiver := receiverName(d)
		if receiver == "" {
			add("", d.Name)
		} else if ast.IsExported(receiver) {
			add(receiver+".", d.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				add("", spec.Name)
			case *ast.ValueSpec:
				for _, id := range spec.Names {
					add("", id)
				}
			}
		}
	}
	return names
}

func receiverName(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return ""
	}
	expr := d.Recv.List[0].Type
	for {
		switch e := expr.(type) {
		case *ast.StarExpr:
			expr = e.X
		case *ast.IndexExpr:
			expr = e.X
		case *ast.IndexListExpr:
			expr = e.X
		case *ast.Ident:
			return e.Name
		default:
			return ""
		}
	}
}
