package config

import (
	"net/netip"
	"os"

	"github.com/goipsec/goipsec/pkg/policy"
)

// File is a policy file that was read and found good. It is immutable.
type File struct {
	Path     string
	Policies []*policy.Policy
	Assigned *policy.Policy // the policy to apply; one of Policies
	Listen   Listen
	Tun      Tun
	Guard    GuardMode
	// Exemptions is what passes whatever the filters say; each of Policies has it too.
	Exemptions policy.Exemptions
	Warnings   []Warning
}

// Listen says where IKE and UDP-encapsulated ESP are received.
type Listen struct {
	Addrs         []netip.Addr // empty: every address of the host
	Port, NATPort uint16       // IKE's ports; 500 and 4500 unless the file says otherwise
}

// Tun describes the TUN device. The zero value leaves everything to the endpoint.
type Tun struct {
	Name string // "": chosen by the endpoint
	MTU  int    // bytes; 0: computed from the path and the overhead of the methods
	// Queues is how many queues it has, each with a worker of its own; 0: one.
	Queues int
}

// GuardMode says what to do about the host's firewall.
type GuardMode uint8

const (
	// GuardRequired refuses to start where the guard cannot be had.
	GuardRequired GuardMode = iota
	// GuardOff leaves the firewall alone.
	GuardOff
)

// Warning is something in the file that works but deserves a second look.
type Warning struct {
	Position policy.Position
	Message  string
}

// String returns the warning with its place.
func (w Warning) String() string { return w.Position.String() + ": warning: " + w.Message }

// Options says how strictly a file is read. The zero value is that of policy check.
type Options struct {
	// StrictKeyFiles makes a key file that others may read an error; without it a warning.
	StrictKeyFiles bool
	// AskPassphrase asks a person for what opens an encrypted private key in a file. nil: nobody can be asked, which is an error where there is such a key
	// without a passphrase_file.
	AskPassphrase func(file string) ([]byte, error)
	// ReadKey reads a file with keys or certificates. nil: the file system, relative names being relative to the policy file's directory.
	ReadKey func(name string) (data []byte, mode os.FileMode, err error)
}
