package revocation

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"os"
	"sync"

	"github.com/goipsec/goipsec/pkg/pki"
)

// listFiles are the lists that policies name as files. A file is read again when it has changed.
type listFiles struct {
	mu    sync.Mutex
	files map[string]*listFile
}

type listFile struct {
	stamp pki.Stamp
	lists []*list
	err   error
}

// maxListFile bounds a file, in bytes. What is named by hand may be larger than what is fetched.
const maxListFile = 64 << 20

// maxListFiles bounds the files that are kept, for policies that come and go.
const maxListFiles = 64

// load returns the lists of a file: one in DER, or any number in PEM.
func (f *listFiles) load(name string) ([]*list, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	stamp := pki.StampOf(name)
	if old := f.files[name]; old != nil && old.err == nil && old.stamp.Equal(stamp) {
		return old.lists, nil
	}
	if f.files == nil || len(f.files) >= maxListFiles {
		f.files = map[string]*listFile{}
	}
	x := &listFile{stamp: stamp}
	x.lists, x.err = loadLists(name)
	f.files[name] = x
	return x.lists, x.err
}

// loadLists reads the revocation lists of a file.
func loadLists(name string) ([]*list, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxListFile {
		return nil, fmt.Errorf("%s is no regular file of at most %d bytes", name, maxListFile)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if !bytes.Contains(data, []byte("-----BEGIN ")) {
		l, err := parseList(data, maxListFile)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return []*list{l}, nil
	}
	var lists []*list
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			break
		}
		data = rest
		if block.Type != "X509 CRL" {
			continue
		}
		l, err := parseList(block.Bytes, maxListFile)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		lists = append(lists, l)
	}
	if len(lists) == 0 {
		return nil, fmt.Errorf("%s holds no revocation list", name)
	}
	return lists, nil
}
