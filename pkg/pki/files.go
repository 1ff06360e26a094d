package pki

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// MaxFile bounds a file with certificates or keys, in bytes.
const MaxFile = 1 << 20

// ReadFunc reads a file with keys or certificates.
type ReadFunc func(name string) (data []byte, mode os.FileMode, err error)

// readFile reads from the file system.
func readFile(name string) ([]byte, os.FileMode, error) {
	// Before it is opened: to open a pipe is to wait for who writes into it.
	if info, err := os.Stat(name); err != nil {
		return nil, 0, err
	} else if !info.Mode().IsRegular() {
		return nil, 0, errors.New("it is not a regular file")
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err == nil && len(data) > MaxFile {
		err = fmt.Errorf("it has more than %d bytes", MaxFile)
	}
	return data, info.Mode(), err
}

// FileError is a fault of a file with certificates or keys.
type FileError struct {
	File string
	Err  error
	Hint string // what to do, "" if the error says it all
}

// Error returns the file, the fault and the hint.
func (e *FileError) Error() string {
	s := fmt.Sprintf("%q: %v", e.File, e.Err)
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// Unwrap returns the fault.
func (e *FileError) Unwrap() error { return e.Err }

func fileError(name string, err error, hint string) *FileError {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err // the name stands in the error already
	}
	return &FileError{name, err, hint}
}

// Stamp tells whether a file has changed: another file under its name, another time, another size. The zero Stamp is that of no file.
type Stamp struct {
	name string
	info os.FileInfo // nil: it is not there
}

// StampOf looks at a file as it is now.
func StampOf(name string) Stamp {
	info, err := os.Stat(name)
	if err != nil {
		return Stamp{name: name}
	}
	return Stamp{name, info}
}

// IsZero reports whether the stamp is that of no file.
func (s Stamp) IsZero() bool { return s.name == "" }

// Equal reports whether a file is unchanged.
func (s Stamp) Equal(t Stamp) bool {
	if s.info == nil || t.info == nil {
		return s.name == t.name && s.info == nil && t.info == nil
	}
	return os.SameFile(s.info, t.info) && s.info.Size() == t.info.Size() && s.info.ModTime().Equal(t.info.ModTime())
}
