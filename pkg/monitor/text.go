package monitor

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/goipsec/goipsec/pkg/endpoint"
)

func times(n uint64) string {
	if n < 2 {
		return ""
	}
	return fmt.Sprintf(" (%d times)", n)
}

func clock(t time.Time) string { return t.Format(time.TimeOnly) }

// elapsed is a number of seconds as people say it, in its two largest units.
func elapsed(n uint64) string {
	switch {
	case n < 60:
		return fmt.Sprintf("%ds", n)
	case n < 3600:
		return fmt.Sprintf("%dm%02ds", n/60, n%60)
	case n < 86400:
		return fmt.Sprintf("%dh%02dm", n/3600, n%3600/60)
	}
	return fmt.Sprintf("%dd%02dh", n/86400, n%86400/3600)
}

// bytes is a number of bytes with a unit of 1024.
func bytes(n uint64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f, u := float64(n)/1024, 0
	for f >= 1023.95 && u < len(units)-1 {
		f, u = f/1024, u+1
	}
	return fmt.Sprintf("%.1f %ciB", f, units[u])
}

// kilobytes writes a limit as administrators set it, unless that would take too many digits.
func kilobytes(n uint64) string {
	if n >= 1<<20 {
		return bytes(n * 1024)
	}
	return fmt.Sprintf("%d KB", n)
}

// far is a volume, in kilobytes, that is not worth a word as long as so much is left.
const far = 100 << 20

func left(x endpoint.Child) string {
	var parts []string
	if x.SecondsLeft != nil {
		parts = append(parts, elapsed(*x.SecondsLeft))
	}
	if x.KilobytesLeft != nil && *x.KilobytesLeft < far {
		parts = append(parts, kilobytes(*x.KilobytesLeft))
	}
	return strings.Join(parts, ", ")
}

// address leaves out the port of packets that have none.
func address(s string) string { return strings.TrimSuffix(s, ":0") }

func sized(name string, bits int) string {
	if bits == 0 || name == "" {
		return name
	}
	return fmt.Sprintf("%s %d", name, bits)
}

func role(initiator bool) string {
	if initiator {
		return "initiator"
	}
	return "responder"
}

func nat(p endpoint.Peer) string {
	switch {
	case p.NATLocal && p.NATRemote:
		return "before both ends"
	case p.NATLocal:
		return "before this host"
	case p.NATRemote:
		return "before the peer"
	}
	return ""
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func orEmpty(n uint64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(n, 10)
}
