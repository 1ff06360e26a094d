package keylog

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/goipsec/goipsec/pkg/suite"
)

// maxLine and maxRows bound what is read of one table.
const (
	maxLine = 64 << 10
	maxRows = 1 << 20
)

// Tables are the keys of a directory. The zero value holds none.
type Tables struct {
	Peers map[[8]byte][]byte // phase 1 keys by initiator cookie
	sas   map[name][]SA
}

// name is what every SA has; the addresses of a row may be open.
type name struct {
	proto suite.Protocol
	spi   uint32
}

// Read reads the tables of a directory: those that goipsec wrote, or Wireshark's own. One of the two files may be absent. The error
// names file and line, and never a key.
func Read(dir string) (*Tables, error) {
	t := &Tables{Peers: map[[8]byte][]byte{}, sas: map[name][]SA{}}
	err1 := readFile(filepath.Join(dir, PeerFile), t.peer)
	err2 := readFile(filepath.Join(dir, ChildFile), t.child)
	if errors.Is(err1, fs.ErrNotExist) && errors.Is(err2, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s holds neither %s nor %s: name the directory that `goipsec up --keylog` wrote, or one of Wireshark's", dir, PeerFile, ChildFile)
	}
	for _, err := range []error{err1, err2} {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return t, nil
}

func readFile(path string, row func(string) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return readRows(f, path, row)
}

// readRows calls row for each line that is not empty and no comment.
func readRows(r io.Reader, path string, row func(string) error) error {
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, maxLine)
	n := 0
	for sc.Scan() {
		n++
		line := strings.TrimSpace(sc.Text())
		if line == "" || strings.HasPrefix(line, "#") && !strings.HasPrefix(line, mark) {
			continue
		}
		if n > maxRows {
			return fmt.Errorf("%s has more than %d lines", path, maxRows)
		}
		if err := row(line); err != nil {
			return fmt.Errorf("%s:%d: %w", path, n, err)
		}
	}
	if err := sc.Err(); err != nil {
		return fmt.Errorf("%s:%d: %w", path, n+1, err)
	}
	return nil
}

func (t *Tables) peer(line string) error {
	cookie, key, ok := strings.Cut(strings.ReplaceAll(line, `"`, ""), ",")
	c, err := hex.DecodeString(cookie)
	if !ok || err != nil || len(c) != 8 {
		return errors.New("it is not a cookie of 16 hexadecimal digits, a comma and a key")
	}
	k, err := parseKey(key)
	if err != nil {
		return err
	}
	t.Peers[[8]byte(c)] = k
	return nil
}

func (t *Tables) child(line string) error {
	s, err := parseRow(line)
	if err != nil {
		return err
	}
	n := name{s.Protocol, s.SPI}
	t.sas[n] = append(t.sas[n], s)
	return nil
}

// Find returns the keys of a packet's SA. Of several rows the last one that fits wins: it is the newest.
func (t *Tables) Find(proto suite.Protocol, src, dst netip.Addr, spi uint32) (SA, bool) {
	fits := func(row, packet netip.Addr) bool { return !row.IsValid() || row == packet }
	rows := t.sas[name{proto, spi}]
	for i := len(rows) - 1; i >= 0; i-- {
		if fits(rows[i].Src, src.Unmap()) && fits(rows[i].Dst, dst.Unmap()) {
			return rows[i], true
		}
	}
	return SA{}, false
}

// SAs returns every row, in no order.
func (t *Tables) SAs() []SA {
	var all []SA
	for _, rows := range t.sas {
		all = append(all, rows...)
	}
	return all
}
