package main

import (
	"fmt"
	"os"
	"sync"

	"golang.org/x/term"

	"github.com/goipsec/goipsec/pkg/config"
	"github.com/goipsec/goipsec/pkg/policy"
)

// passphrases asks a person at the terminal for what opens a private key, once a file in the life of the process. The zero value is ready.
type passphrases struct {
	mu    sync.Mutex
	typed map[string]policy.Secret
}

// options are those of a policy file that is to be applied. Nobody is asked who is not there.
func (p *passphrases) options() config.Options {
	opts := config.Options{StrictKeyFiles: true}
	if term.IsTerminal(int(os.Stdin.Fd())) {
		opts.AskPassphrase = p.ask
	}
	return opts
}

func (p *passphrases) ask(file string) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if word, ok := p.typed[file]; ok {
		return word.Bytes(), nil
	}
	fmt.Fprintf(os.Stderr, "passphrase of %s: ", file)
	word, err := term.ReadPassword(int(os.Stdin.Fd()))
	fmt.Fprintln(os.Stderr)
	if err != nil {
		return nil, fmt.Errorf("the passphrase: %w", err)
	}
	if p.typed == nil {
		p.typed = map[string]policy.Secret{}
	}
	p.typed[file] = policy.NewSecret(word)
	return word, nil
}
