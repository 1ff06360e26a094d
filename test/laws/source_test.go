package laws_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/goipsec/goipsec/"

// A file is one parsed Go file of the repository.
type file struct {
	path   string // from the root, with slashes: pkg/esp/sealer.go
	syntax *ast.File
	fset   *token.FileSet
}

// room is the package's directory, such as pkg/ike/ikev1.
func (f *file) room() string { return path.Dir(f.path) }

func (f *file) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

// at names a place for a failure.
func (f *file) at(n ast.Node) string {
	return f.path + ":" + strconv.Itoa(f.fset.Position(n.Pos()).Line)
}

// imports returns the paths that the file imports, with the name each has in it.
func (f *file) imports() map[string]string {
	names := make(map[string]string)
	for _, spec := range f.syntax.Imports {
		p, _ := strconv.Unquote(spec.Path.Value)
		names[p] = path.Base(p)
		if spec.Name != nil {
			names[p] = spec.Name.Name
		}
	}
	return names
}

// within says whether a room is one of some rooms or below one.
func within(room string, rooms ...string) bool {
	for _, r := range rooms {
		if room == r || strings.HasPrefix(room, r+"/") {
			return true
		}
	}
	return false
}

const root = "../.."

var parseAll = sync.OnceValues(func() ([]*file, error) {
	var files []*file
	fset := token.NewFileSet()
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); p != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "node_modules") && p != filepath.Join(root, "pkg/testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		syntax, err := parser.ParseFile(fset, p, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		files = append(files, &file{path: filepath.ToSlash(rel), syntax: syntax, fset: fset})
		return err
	})
	return files, err
})

// sources returns every Go file of the repository, tests too.
func sources(t *testing.T) []*file {
	t.Helper()
	files, err := parseAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 50 {
		t.Fatalf("only %d files found: the laws would hold of nothing", len(files))
	}
	return files
}

// calls lists the uses of some names of an imported package, such as time.Now.
func (f *file) uses(pkg string, names ...string) []*ast.SelectorExpr {
	local, ok := f.imports()[pkg]
	if !ok {
		return nil
	}
	var found []*ast.SelectorExpr
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := s.X.(*ast.Ident); ok && x.Name == local {
			for _, name := range names {
				if s.Sel.Name == name {
					found = append(found, s)
				}
			}
		}
		return true
	})
	return found
}
