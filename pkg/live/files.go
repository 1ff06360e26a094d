package live

import (
	"bytes"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path"
	"slices"
	"strings"
)

// maxFile bounds what is read of one file, in bytes, and maxFiles the files of one kind.
const (
	maxFile  = 256 << 10
	maxFiles = 64
)

// MaxServers bounds the servers that one keyword stands for: each becomes a filter for every address of the host.
const MaxServers = 16

// Files are the files to look at. The zero value is the system's own.
type Files struct {
	// FS has the system's root as its own. Nil: the system.
	FS fs.FS
}

func (f Files) fs() fs.FS {
	if f.FS == nil {
		return os.DirFS("/")
	}
	return f.FS
}

// resolvers are where name servers stand. The first is what programs read; the others are what a resolver on the host itself asks.
var resolvers = []string{"etc/resolv.conf", "run/systemd/resolve/resolv.conf", "run/NetworkManager/no-stub-resolv.conf"}

// DNS returns the host's name servers, in order of preference, without those on the host itself.
func (f Files) DNS() []netip.Addr {
	var list []netip.Addr
	for _, name := range resolvers {
		for line := range strings.Lines(string(f.read(name))) {
			words := strings.Fields(line)
			if len(words) >= 2 && words[0] == "nameserver" {
				list = add(list, words[1])
			}
		}
	}
	return list
}

// add appends an address that text names, unless it is there already, is on the host itself, or is one too many.
func add(list []netip.Addr, text string) []netip.Addr {
	a, err := netip.ParseAddr(text)
	a = a.Unmap()
	if err != nil || a.IsLoopback() || a.IsUnspecified() || a.IsMulticast() || slices.Contains(list, a) || len(list) == MaxServers {
		return list
	}
	return append(list, a)
}

// read returns a file's content, its end if it is long, nothing if it cannot be read.
func (f Files) read(name string) []byte {
	file, err := f.fs().Open(name)
	if err != nil {
		return nil
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	if s, ok := file.(io.Seeker); ok && info.Size() > maxFile {
		if _, err := s.Seek(-maxFile, io.SeekEnd); err != nil {
			return nil
		}
	}
	data, _ := io.ReadAll(io.LimitReader(file, maxFile)) // what could be read is as good as a shorter file
	return bytes.ToValidUTF8(data, nil)
}

// raw is read for files that are no text.
func (f Files) raw(name string) []byte {
	info, err := fs.Stat(f.fs(), name)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil
	}
	data, _ := fs.ReadFile(f.fs(), name)
	return data
}

// matching lists the files of a directory whose names match a pattern, at most maxFiles of them.
func (f Files) matching(pattern string) []string {
	entries, err := fs.ReadDir(f.fs(), path.Dir(pattern))
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		if ok, _ := path.Match(path.Base(pattern), e.Name()); ok && len(names) < maxFiles {
			names = append(names, path.Join(path.Dir(pattern), e.Name()))
		}
	}
	return names
}
