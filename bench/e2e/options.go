package e2e

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/goipsec/goipsec/bench/measure"
)

// Options say what to measure. The zero value of a field means its default.
type Options struct {
	Peers    []string // of Peers(), or goipsec=FILE for another build of goipsec; default: goipsec, wireguard-go
	Measures []string // of Measures(); default: all
	Streams  []string // of Peers: those of which only TCP is measured
	Flows    []int    // parallel TCP connections, a measurement each; default: 1, 4
	Seconds  int      // of each measurement of throughput, after what is not counted (TCP: a second, UDP: half of one); default: 10
	Rounds   int      // default: 5
	Echoes   int      // echo requests of each measurement of idle round-trip time; default: 200
	// IdleRounds are further rounds, behind the others, in which the peers of IdlePeers (default: all) are only started and sent echo requests, in turn with the bare
	// veth: one start differs from the next by more than one tunnel from another. Default: none.
	IdleRounds int
	IdlePeers  []string
	Window     int // UDP datagrams under way at most; 0: DefaultWindow, -1: no limit, the sender is flat out

	Program  string    // the goipsec to measure; default: the running program
	Cache    string    // directory for programs of other projects; default: goipsec in the user's cache directory
	Progress io.Writer // a line for each turn; nil: silent
}

// Null is the name of the forwarder without cryptography.
const Null = "null"

// Bare is the name of the reference line: the veth without any tunnel.
const Bare = "veth"

// ErrUnsupported says that this system has no network namespaces.
var ErrUnsupported = errors.New("bench e2e needs network namespaces and a TUN device, and runs on Linux only; goipsec bench pipeline runs everywhere")

// ErrOptions is what every error about Options wraps.
var ErrOptions = errors.New("bench e2e")

// Peers names the tunnels that can be measured: goipsec with AES-128-GCM in UDP, with ChaCha20-Poly1305 in UDP, with AES-128-GCM in UDP and two queues, and with AES-128-GCM in ESP as a protocol of IP; wireguard-go;
// tailscale, its fork of wireguard-go, a program like the original; null, which forwards
// and protects nothing.
func Peers() []string {
	return []string{"goipsec", "goipsec-chacha", "goipsec-queues", "goipsec-raw", "goipsec-sockets", "wireguard-go", "tailscale", Null}
}

// What can be measured of each peer. The idle round-trip time always is.
const (
	MeasureTCP   = "tcp"   // throughput, and processor time
	MeasureUDP   = "udp"   // the same of single datagrams
	MeasureLoad  = "load"  // round-trip times while TCP fills the tunnel
	MeasureCalls = "calls" // system calls
)

// Measures names them all.
func Measures() []string { return []string{MeasureTCP, MeasureUDP, MeasureLoad, MeasureCalls} }

// DefaultWindow is how many UDP datagrams are under way unless asked otherwise: less than a TUN device's queue of 500, so that a tunnel which
// keeps up loses none, and several times what the programs move at once.
const DefaultWindow = 384

// DefaultPeers names those that are measured unless others are asked for.
func DefaultPeers() []string { return []string{"goipsec", "wireguard-go"} }

func (o Options) complete() (Options, error) {
	if len(o.Peers) == 0 {
		o.Peers = DefaultPeers()
	}
	if len(o.Measures) == 0 {
		o.Measures = Measures()
	}
	if len(o.Flows) == 0 {
		o.Flows = []int{1, 4}
	}
	o.Seconds, o.Rounds, o.Echoes = or(o.Seconds, 10), or(o.Rounds, 5), or(o.Echoes, 200)
	if o.Window = or(o.Window, DefaultWindow); o.Window < 64 && o.Window != -1 {
		return o, fmt.Errorf("%w: a window of %d datagrams: it is 64 or more, or -1 for none", ErrOptions, o.Window)
	}
	for _, m := range o.Measures {
		if !slices.Contains(Measures(), m) {
			return o, fmt.Errorf("%w: measure %.40q is unknown: choose from %s", ErrOptions, m, strings.Join(Measures(), ", "))
		}
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	for i, p := range o.Peers {
		if !slices.Contains(Peers(), p) && anotherBuild(p) == "" {
			return o, fmt.Errorf("%w: peer %.40q is unknown: choose from %s, goipsec=FILE", ErrOptions, p, strings.Join(Peers(), ", "))
		}
		if slices.Contains(o.Peers[:i], p) {
			return o, fmt.Errorf("%w: peer %s is named twice", ErrOptions, p)
		}
	}
	for _, p := range o.Streams {
		if !slices.Contains(o.Peers, p) {
			return o, fmt.Errorf("%w: peer %.40q is not measured, not even by TCP", ErrOptions, p)
		}
	}
	for _, p := range o.IdlePeers {
		if !slices.Contains(o.Peers, p) {
			return o, fmt.Errorf("%w: peer %.40q is not measured, not even idle", ErrOptions, p)
		}
	}
	if o.IdleRounds > 0 && len(o.IdlePeers) == 0 {
		o.IdlePeers = slices.Clone(o.Peers)
	}
	for i, f := range o.Flows {
		if f < 1 || f > 128 {
			return o, fmt.Errorf("%w: %d flows: iperf3 takes 1 to 128", ErrOptions, f)
		}
		if slices.Contains(o.Flows[:i], f) {
			return o, fmt.Errorf("%w: %d flows are named twice", ErrOptions, f)
		}
	}
	if o.Seconds < 1 || o.Rounds < 1 || o.Echoes < 1 || o.IdleRounds < 0 {
		return o, fmt.Errorf("%w: seconds, rounds and echoes must be 1 or more, and further rounds of echoes not negative", ErrOptions)
	}
	return o, nil
}

// turns are all rounds: those of everything for all names, of which the first is the bare veth, and behind them those of echoes alone.
func (o Options) turns(names []string) (list []measure.Turn) {
	for _, turn := range measure.Interleave(len(names), o.Rounds+o.IdleRounds) {
		if turn.Round < o.Rounds || turn.What == 0 || slices.Contains(o.IdlePeers, names[turn.What]) {
			list = append(list, turn)
		}
	}
	return list
}

func (o Options) measures(what string) bool { return slices.Contains(o.Measures, what) }

// anotherBuild is the program of a peer that is another build of goipsec, "" of any other.
func anotherBuild(peer string) string {
	file, _ := strings.CutPrefix(peer, "goipsec=")
	if file == peer {
		return ""
	}
	return file
}

func or(given, otherwise int) int {
	if given == 0 {
		return otherwise
	}
	return given
}
