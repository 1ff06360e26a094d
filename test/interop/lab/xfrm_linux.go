package lab

import (
	"fmt"
	"strings"
)

// An XfrmState is what the kernel says of one SA: the peer's own count of what it protected or accepted.
type XfrmState struct {
	Src, Dst, Proto, SPI, Mode string
	Bytes, Packets             uint64
	ReplayFailed, ReplayWindow uint64
	IntegrityFailed            uint64
}

// States returns the kernel's SAs with their counters.
func (k *Kernel) States() []XfrmState {
	k.lab.t.Helper()
	return parseStates(k.Run("ip -s xfrm state"))
}

// Packets returns how many packets the kernel's SAs of one protocol ("esp", "ah") towards a destination have handled.
func (k *Kernel) Packets(proto, dst string) uint64 {
	k.lab.t.Helper()
	var n uint64
	for _, s := range k.States() {
		if s.Proto == proto && s.Dst == dst {
			n += s.Packets
		}
	}
	return n
}

// parseStates reads ip -s xfrm state. A state begins at the margin; below it are indented lines, of which those wanted read:
//
//	src 10.0.0.1 dst 10.0.0.2
//		proto esp spi 0x00000101(257) reqid 0(0x00000000) mode transport
//		lifetime current:
//		  84(bytes), 1(packets)
//		stats:
//		  replay-window 0 replay 0 failed 0
func parseStates(text string) []XfrmState {
	var states []XfrmState
	var section string
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if !strings.HasPrefix(line, "\t") && words[0] == "src" && len(words) >= 4 {
			states = append(states, XfrmState{Src: words[1], Dst: words[3]})
			continue
		}
		if len(states) == 0 {
			continue
		}
		s := &states[len(states)-1]
		switch trimmed := strings.TrimSpace(line); {
		case words[0] == "proto" && len(words) >= 8:
			s.Proto, s.Mode = words[1], words[7]
			s.SPI, _, _ = strings.Cut(words[3], "(")
		case strings.HasSuffix(trimmed, ":"):
			section = trimmed
		case section == "lifetime current:":
			fmt.Sscanf(trimmed, "%d(bytes), %d(packets)", &s.Bytes, &s.Packets)
		case section == "stats:":
			fmt.Sscanf(trimmed, "replay-window %d replay %d failed %d", &s.ReplayWindow, &s.ReplayFailed, &s.IntegrityFailed)
		}
	}
	return states
}

// XfrmErrors returns the counters of /proc/net/xfrm_stat that are not zero: what the kernel refused, and why. They count from
// boot.
func (k *Kernel) XfrmErrors() map[string]uint64 {
	k.lab.t.Helper()
	counters := make(map[string]uint64)
	for line := range strings.Lines(k.Run("cat /proc/net/xfrm_stat")) {
		var name string
		var n uint64
		if _, err := fmt.Sscan(line, &name, &n); err == nil && n != 0 {
			counters[name] = n
		}
	}
	return counters
}
