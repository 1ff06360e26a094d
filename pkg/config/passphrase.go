package config

import (
	"bytes"
	"errors"
	"os"
	"sync"

	"github.com/goipsec/goipsec/pkg/pki"
	"github.com/goipsec/goipsec/pkg/policy"
)

// passphrases opens the keys of one source: from a file, or by asking a person, once for each file. What was typed is kept, so that a renewed file is opened without asking.
type passphrases struct {
	file  string // of the passphrase, "" if there is none
	read  pki.ReadFunc
	ask   func(file string) ([]byte, error)
	check func(file string, mode os.FileMode) error

	mu    sync.Mutex
	typed map[string]policy.Secret
}

// get returns the passphrase of a file with keys.
func (p *passphrases) get(keys string) ([]byte, error) {
	if p.file != "" {
		return p.fromFile()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if s, ok := p.typed[keys]; ok {
		return s.Bytes(), nil
	}
	if p.ask == nil {
		return nil, errors.New("its key is encrypted, and nobody can be asked for the passphrase: name a file that holds it as passphrase_file")
	}
	word, err := p.ask(keys)
	if err != nil {
		return nil, err
	}
	if p.typed == nil {
		p.typed = map[string]policy.Secret{}
	}
	p.typed[keys] = policy.NewSecret(word)
	return word, nil
}

func (p *passphrases) fromFile() ([]byte, error) {
	read := p.read
	if read == nil {
		read = func(name string) ([]byte, os.FileMode, error) { return readKeyFile(name, maxKey) }
	}
	data, mode, err := read(p.file)
	if err != nil {
		return nil, &pki.FileError{File: p.file, Err: err, Hint: "names are relative to the directory of the policy file"}
	}
	if err := p.check(p.file, mode); err != nil {
		return nil, err
	}
	data = bytes.TrimSuffix(bytes.TrimSuffix(data, []byte("\n")), []byte("\r"))
	if len(data) > maxKey {
		return nil, &pki.FileError{File: p.file, Err: errors.New("a passphrase is not that long")}
	}
	return data, nil
}
