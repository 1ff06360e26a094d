package config

import (
	"net/netip"
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/goipsec/goipsec/pkg/policy"
)

// connection reads the connection type of a rule.
func (r *reader) connection(n *node) policy.Connection {
	word, _ := r.word(n, "connection", "all", "lan", "remote_access")
	switch word {
	case "lan":
		return policy.LAN
	case "remote_access":
		return policy.RemoteAccess
	}
	return policy.AllConnections
}

// wins reads the servers that the live keyword wins stands for, and gives them to every policy of the file.
func (r *reader) wins(n *node, policies []*policy.Policy) {
	var servers []netip.Addr
	if n != nil {
		for _, e := range r.list(n, "wins_servers") {
			a, ok := r.host(e, "a WINS server")
			if ok && slices.Contains(servers, a) {
				r.fail(e, "keep one of them", "the address %v stands in the list already", a)
			} else if ok {
				servers = append(servers, a)
			}
		}
		if n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
			r.fail(n, "write at least one address, or delete the key", "wins_servers is empty")
		}
	}
	for _, p := range policies {
		p.WINS = servers
	}
}
