package e2e

import (
	"bufio"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// WireGuard is configured over a socket: lines of key=value, ended by an empty line; the answer ends with errno=0 and an empty line.

// wgEnd is one end of a WireGuard tunnel.
type wgEnd struct {
	private *ecdh.PrivateKey
	address netip.Addr // outer
}

func newWGEnd(address netip.Addr) (wgEnd, error) {
	private, err := ecdh.X25519().GenerateKey(rand.Reader)
	return wgEnd{private, address}, err
}

const wgPort = 51820

// wgSet is the request that joins this end with another, for traffic to the given inner networks.
func (e wgEnd) wgSet(other wgEnd, inner netip.Prefix) string {
	return fmt.Sprintf("set=1\nprivate_key=%s\nlisten_port=%d\nreplace_peers=true\npublic_key=%s\nendpoint=%s\nreplace_allowed_ips=true\nallowed_ip=%s\n\n",
		hex.EncodeToString(e.private.Bytes()), wgPort, hex.EncodeToString(other.private.PublicKey().Bytes()), netip.AddrPortFrom(other.address, wgPort), inner)
}

const wgGet = "get=1\n\n"

// wgAnswer reads an answer to its end. Of keys that come more than once the last value stays.
func wgAnswer(r io.Reader) (map[string]string, error) {
	values := map[string]string{}
	for s := bufio.NewScanner(r); s.Scan(); {
		key, value, ok := strings.Cut(s.Text(), "=")
		if ok {
			values[key] = value
			continue
		}
		if values["errno"] != "0" {
			return nil, fmt.Errorf("it refused its configuration with errno %s", values["errno"])
		}
		return values, nil
	}
	return nil, errors.New("its configuration socket closed in the middle of an answer")
}

// number reads a value of an answer.
func number(values map[string]string, key string) (uint64, error) {
	n, err := strconv.ParseUint(values[key], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", key, err)
	}
	return n, nil
}
