package interchange

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/goipsec/goipsec/pkg/config"
	"github.com/goipsec/goipsec/pkg/pki"
)

// finish writes a draft with what there is to say about it on top.
func finish(d *draft, title string, list []Note, keys []KeyFile) *Result {
	d.head = append(d.head, title)
	d.head = append(d.head, comments("Not carried over:", Lost, list)...)
	d.head = append(d.head, comments("Remarks:", Remark, list)...)
	return &Result{Policy: d.write(), Keys: keys, Notes: list}
}

// Check reads the policy file as goipsec policy check does, with the keys of the result in the place of their files; other files are read by read, which may be nil. An
// error says what a person has to change in it: two filters that are the same and do different things, for example, which Windows accepts.
func (r *Result) Check(name string, read pki.ReadFunc) (*config.File, error) {
	return config.Parse(name, r.Policy, config.Options{StrictKeyFiles: true, ReadKey: func(path string) ([]byte, os.FileMode, error) {
		for _, k := range r.Keys {
			if k.Name == filepath.Base(path) {
				return k.Content(), 0o600, nil
			}
		}
		if read != nil {
			return read(path)
		}
		return nil, 0, &fs.PathError{Op: "open", Path: path, Err: errors.New("it is not one of the import")}
	}})
}
