package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/goipsec/goipsec/pkg/interchange"
	"github.com/goipsec/goipsec/pkg/pki"
)

// readSource reads the file to be imported, no more of it than an import takes.
func readSource(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, interchange.MaxSource+1))
}

// errNoFile is the error for what a source names and is no file: a named pipe, say, from which nothing may ever come.
var errNoFile = errors.New("it is no regular file")

// readWithMode reads a file that a policy names. Its name may come from the source, which nobody has to trust.
func readWithMode(name string) ([]byte, os.FileMode, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, &fs.PathError{Op: "open", Path: name, Err: errNoFile}
	}
	data, err := readSource(name)
	return data, info.Mode(), err
}

// seenFrom is the name of a file in a policy file at out: relative where it lies beside or below that, else absolute.
func seenFrom(out, name string) (string, error) {
	abs, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	dir, err := filepath.Abs(filepath.Dir(out))
	if err != nil {
		return "", err
	}
	if rel, err := filepath.Rel(dir, abs); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel), nil
	}
	return filepath.ToSlash(abs), nil
}

// certificateOptions names this host's certificates and the authorities as a policy file at out has to name them.
func certificateOptions(opts *interchange.Options, files importFiles, out string) error {
	for _, name := range files.certificates {
		seen, err := seenFrom(out, name)
		if err != nil {
			return err
		}
		opts.Certificates = append(opts.Certificates, seen)
	}
	if files.key != "" {
		seen, err := seenFrom(out, files.key)
		if err != nil {
			return err
		}
		opts.Key = seen
	}
	for _, name := range files.authorities {
		certs, err := pki.LoadCertificates(name, nil)
		if err != nil {
			return err
		}
		seen, err := seenFrom(out, name)
		if err != nil {
			return err
		}
		opts.Authorities = append(opts.Authorities, interchange.Authority{Name: seen, Certs: certs})
	}
	return nil
}

// importOptions gives an import the files that flags name, and those of the source's own directory, but no others.
func importOptions(source string, files importFiles, out string) (interchange.Options, error) {
	dir := filepath.Dir(source)
	root, err := os.OpenRoot(dir)
	if err != nil {
		return interchange.Options{}, err
	}
	inside := func(name string) (string, error) {
		if filepath.IsAbs(name) {
			abs, err := filepath.Abs(dir)
			if err != nil {
				return "", err
			}
			if name, err = filepath.Rel(abs, name); err != nil {
				return "", err
			}
		}
		if !filepath.IsLocal(name) {
			return "", errors.New("it lies outside of the directory of the file that is imported")
		}
		return name, nil
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return interchange.Options{}, err
	}
	opts := interchange.Options{
		Dir: abs,
		ReadFile: func(name string) ([]byte, error) {
			name, err := inside(name)
			if err != nil {
				return nil, err
			}
			info, err := root.Stat(name)
			if err != nil {
				return nil, err
			}
			if !info.Mode().IsRegular() {
				return nil, errNoFile
			}
			f, err := root.Open(name)
			if err != nil {
				return nil, err
			}
			defer f.Close()
			return io.ReadAll(io.LimitReader(f, interchange.MaxSource+1))
		},
		Glob: func(pattern string) ([]string, error) {
			pattern, err := inside(pattern)
			if err != nil {
				return nil, err
			}
			names, err := filepath.Glob(filepath.Join(dir, pattern))
			for i := range names {
				names[i], _ = filepath.Rel(dir, names[i])
			}
			return names, err
		},
	}
	if err := certificateOptions(&opts, files, out); err != nil {
		return opts, err
	}
	for _, name := range files.secrets {
		data, err := readSource(name)
		if err != nil {
			return opts, err
		}
		opts.Secrets = append(opts.Secrets, interchange.File{Name: name, Data: data})
	}
	return opts, nil
}
