package pki

import (
	"crypto/x509"
	"slices"
	"sync"
	"sync/atomic"
)

// Store holds the credentials of a source, which may be renewed in place. It is safe for concurrent use.
type Store struct {
	source  Source
	current atomic.Pointer[[]Credential]

	mu     sync.Mutex // held by Refresh
	stamps []Stamp
}

// OpenStore reads the credentials of a source.
func OpenStore(s Source) (*Store, error) {
	st := &Store{source: s}
	st.stamps = st.stampAll() // before reading: what changes meanwhile is read again
	list, err := LoadCredentials(s)
	if err != nil {
		return nil, err
	}
	st.current.Store(&list)
	return st, nil
}

// NewStore makes a store of credentials that are not in files, such as those in a token. Refresh does nothing to it.
func NewStore(list ...Credential) *Store {
	st := &Store{}
	list = slices.Clone(list)
	st.current.Store(&list)
	return st
}

// Current returns the credentials as they are now, in the order of their files. The caller does not change the slice.
func (s *Store) Current() []Credential { return *s.current.Load() }

// Files returns the names of the files of certificates.
func (s *Store) Files() []string { return s.source.Certificates }

// Refresh reads the files again if one of them has changed, and reports whether the credentials did. On an error those that were read before
// stay, and the next call tries again: a file may have been met half written.
func (s *Store) Refresh() (changed bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.stampAll()
	if slices.EqualFunc(now, s.stamps, Stamp.Equal) {
		return false, nil
	}
	list, err := LoadCredentials(s.source)
	if err != nil {
		return false, err
	}
	s.stamps = now
	if slices.EqualFunc(list, s.Current(), sameCredential) {
		return false, nil
	}
	s.current.Store(&list)
	return true, nil
}

func (s *Store) stampAll() []Stamp {
	var list []Stamp
	for _, name := range s.source.Certificates {
		list = append(list, StampOf(name))
	}
	if s.source.Key != "" {
		list = append(list, StampOf(s.source.Key))
	}
	return list
}

func sameCredential(a, b Credential) bool {
	return slices.EqualFunc(a.Chain, b.Chain, (*x509.Certificate).Equal)
}
