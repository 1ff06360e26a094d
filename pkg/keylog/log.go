package keylog

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/suite"
)

// Names of the two files.
const (
	PeerFile  = "ikev1_decryption_table"
	ChildFile = "esp_sa"
)

// Log appends keys to the tables of one directory.
type Log struct {
	mu    sync.Mutex
	peers *os.File
	sas   *os.File
}

// Open makes the directory with mode 0700 and its files with mode 0600, or appends to those that are there. A directory or file that
// others than its owner may use is refused, and so is one of another user's.
func Open(dir string) (*Log, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the key log: %w", err)
	}
	if err := checkPrivate(dir, "directory", "chmod 700"); err != nil {
		return nil, err
	}
	peers, err := open(filepath.Join(dir, PeerFile))
	if err != nil {
		return nil, err
	}
	sas, err := open(filepath.Join(dir, ChildFile))
	if err != nil {
		return nil, errors.Join(err, peers.Close())
	}
	return &Log{peers: peers, sas: sas}, nil
}

func open(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY|noFollow, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the key log: %w", err)
	}
	if err := checkPrivate(path, "file", "chmod 600"); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Peer logs the phase 1 key of a main-mode SA.
func (l *Log) Peer(p isakmp.PeerInfo) error {
	if len(p.EncryptionKey) == 0 {
		return nil
	}
	return l.write(l.peers, hex.EncodeToString(p.InitiatorCookie[:])+","+hex.EncodeToString(p.EncryptionKey)+"\n")
}

// Child logs both directions of every protocol of a child SA. Behind a NAT a peer's address may change under the SA, so it is
// written as "*" there.
func (l *Log) Child(c *isakmp.ChildSA) error {
	local, remote := c.Local.Addr(), c.Remote.Addr()
	if c.NATRemote {
		remote = netip.Addr{}
	}
	rows := ""
	for _, p := range c.Protocols {
		sa := SA{Protocol: p.Protocol, V6: c.Local.Addr().Is6(), Encr: p.Encr, Integ: p.Integ, ESN: c.ESN}
		in, out := sa, sa
		in.Src, in.Dst, in.SPI, in.EncrKey, in.IntegKey = remote, local, p.SPIIn, p.EncrIn, p.IntegIn
		out.Src, out.Dst, out.SPI, out.EncrKey, out.IntegKey = local, remote, p.SPIOut, p.EncrOut, p.IntegOut
		rows += in.row() + out.row()
	}
	return l.write(l.sas, rows)
}

// write appends whole lines in one call, so that a reader never sees half of one.
func (l *Log) write(f *os.File, lines string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := f.WriteString(lines); err != nil {
		return fmt.Errorf("the key log: %w", err)
	}
	return nil
}

// Close closes the files. They stay: delete them when the captures they open are no longer wanted.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.peers.Close(), l.sas.Close())
}

// SA is the key of one direction of one protocol. An invalid address stands for any.
type SA struct {
	Protocol suite.Protocol
	V6       bool // the family of the outer addresses
	Src, Dst netip.Addr
	SPI      uint32
	Encr     suite.Encr
	EncrKey  []byte // key and salt
	Integ    suite.Integ
	IntegKey []byte // key and salt
	ESN      bool
}

// Format prints no keys, whatever the verb.
func (s SA) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "protocol %d SA %08x %v > %v", s.Protocol, s.SPI, s.Src, s.Dst)
}
