package netio

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// portHolder names the process that holds a UDP address, from /proc: "charon (process 123)"; empty if it cannot be found out.
func portHolder(local netip.AddrPort) string {
	if local.Port() == 0 {
		return ""
	}
	for _, table := range [...]string{"/proc/net/udp", "/proc/net/udp6"} {
		f, err := os.Open(table)
		if err != nil {
			continue
		}
		inode := inodeOf(bufio.NewScanner(f), local)
		f.Close()
		if inode != "" {
			return processWith(inode)
		}
	}
	return ""
}

// inodeOf finds the socket in a table of the kernel that stands in the way of local: same port, and an address that is the same or
// unspecified on either side.
func inodeOf(lines *bufio.Scanner, local netip.AddrPort) string {
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 {
			continue
		}
		at, ok := parseProcAddr(fields[1])
		if !ok || at.Port() != local.Port() {
			continue
		}
		a := at.Addr().Unmap()
		if a == local.Addr().WithZone("") || a.IsUnspecified() || local.Addr().IsUnspecified() {
			return fields[9]
		}
	}
	return ""
}

// parseProcAddr reads an address as /proc/net/udp writes it: 32-bit words in the machine's byte order, in hexadecimal.
func parseProcAddr(s string) (netip.AddrPort, bool) {
	host, port, ok := strings.Cut(s, ":")
	b, err := hex.DecodeString(host)
	p, err2 := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil || err2 != nil || len(b)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(b); i += 4 {
		binary.NativeEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
	}
	a, ok := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(a, uint16(p)), ok
}

// processWith names the process that has the socket with this inode open, in words.
func processWith(inode string) string {
	if name, pid := ownerOf(inode); pid != 0 {
		return fmt.Sprintf("%s (process %d)", name, pid)
	}
	return ""
}

// ownerOf finds the process that has the socket with this inode open.
func ownerOf(inode string) (name string, pid int) {
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, l := range links {
		if target, err := os.Readlink(l); err != nil || target != "socket:["+inode+"]" {
			continue
		}
		pid, err := strconv.Atoi(strings.Split(l, "/")[2])
		if err != nil {
			continue
		}
		name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		return strings.TrimSpace(string(name)), pid
	}
	return "", 0
}

func holders(port uint16) (list []Holder) {
	for _, table := range [...]string{"/proc/net/udp", "/proc/net/udp6"} {
		f, err := os.Open(table)
		if err != nil {
			continue
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			fields := strings.Fields(lines.Text())
			if len(fields) < 10 {
				continue
			}
			if at, ok := parseProcAddr(fields[1]); ok && at.Port() == port {
				h := Holder{Local: at}
				h.Process, h.PID = ownerOf(fields[9])
				list = append(list, h)
			}
		}
		f.Close()
	}
	return list
}
