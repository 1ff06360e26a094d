package diagnose

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// ownTables is what the names of the guard's tables begin with.
const ownTables = "goipsec_"

// firewall reads the rules of nftables, and follows each flow through them.
func firewall(flows []flow) Finding {
	conn, err := nftables.New()
	if err != nil {
		return Finding{Name: "firewall", State: Skipped, What: "nftables cannot be asked: " + err.Error()}
	}
	chains, err := conn.ListChains()
	if err != nil {
		return Finding{Name: "firewall", State: Skipped, What: "nftables cannot be asked: " + err.Error(), Why: missingRight(err)}
	}
	r := &ruleset{conn: conn, chains: chains, rules: map[string][]*nftables.Rule{}, sets: map[string][]nftables.SetElement{}}
	var list []judgement
	for _, f := range flows {
		list = append(list, r.follow(f)...)
	}
	return firewallFinding(list, r.tables(), r.blind())
}

func missingRight(err error) string {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return "the capability CAP_NET_ADMIN is missing"
	}
	return ""
}

// ruleset is what the kernel's tables hold, read as far as it is needed.
type ruleset struct {
	conn   *nftables.Conn
	chains []*nftables.Chain
	rules  map[string][]*nftables.Rule
	sets   map[string][]nftables.SetElement
	failed []string // what could not be read
}

// tables names the tables that are not the guard's.
func (r *ruleset) tables() (names []string) {
	for _, c := range r.chains {
		name := familyOf(c.Table) + " " + c.Table.Name
		if !strings.HasPrefix(c.Table.Name, ownTables) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func familyOf(t *nftables.Table) string {
	names := map[nftables.TableFamily]string{nftables.TableFamilyINet: "inet", nftables.TableFamilyIPv4: "ip", nftables.TableFamilyIPv6: "ip6",
		nftables.TableFamilyARP: "arp", nftables.TableFamilyNetdev: "netdev", nftables.TableFamilyBridge: "bridge"}
	return names[t.Family]
}

// blind says what was not looked at.
func (r *ruleset) blind() string {
	list := r.failed
	for _, path := range []string{"/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"} {
		if b, err := os.ReadFile(path); err == nil && len(strings.TrimSpace(string(b))) > 0 {
			list = append(list, "the older iptables of the kernel ("+strings.Join(strings.Fields(string(b)), ", ")+"; see iptables-legacy-save)")
			break
		}
	}
	return strings.Join(list, "; ")
}

// follow judges a flow by every base chain that it passes.
func (r *ruleset) follow(f flow) (list []judgement) {
	for _, c := range r.chains {
		if c.Hooknum == nil || c.Type != nftables.ChainTypeFilter || strings.HasPrefix(c.Table.Name, ownTables) || !sees(c.Table, f.is4) {
			continue
		}
		hook := *c.Hooknum
		in := hook == *nftables.ChainHookPrerouting || hook == *nftables.ChainHookInput
		out := hook == *nftables.ChainHookOutput || hook == *nftables.ChainHookPostrouting
		if f.out && !out || !f.out && !in {
			continue
		}
		j := judgement{flow: f, place: fmt.Sprintf("table %s %s, chain %s", familyOf(c.Table), c.Table.Name, c.Name)}
		w := walk{r: r, flow: f}
		end := w.chain(c, 0)
		if end == nothing && c.Policy != nil && *c.Policy == nftables.ChainPolicyDrop {
			end = drop
		}
		switch {
		case end == drop && !w.maybeAccepted:
			j.verdict = dropped
		case end == drop || w.maybeDropped:
			j.verdict = maybeDropped
		}
		list = append(list, j)
	}
	return list
}

func sees(t *nftables.Table, is4 bool) bool {
	return t.Family == nftables.TableFamilyINet || t.Family == nftables.TableFamilyIPv4 && is4 || t.Family == nftables.TableFamilyIPv6 && !is4
}

func (r *ruleset) rulesOf(c *nftables.Chain) []*nftables.Rule {
	key := fmt.Sprint(c.Table.Family, c.Table.Name, "/", c.Name)
	if list, ok := r.rules[key]; ok {
		return list
	}
	list, err := r.conn.GetRules(c.Table, c)
	if err != nil {
		r.failed = append(r.failed, fmt.Sprintf("chain %s of table %s (%v)", c.Name, c.Table.Name, err))
	}
	r.rules[key] = list
	return list
}

func (r *ruleset) elements(t *nftables.Table, name string) (*nftables.Set, []nftables.SetElement, bool) {
	set, err := r.conn.GetSetByName(t, name)
	if err != nil {
		return nil, nil, false
	}
	key := fmt.Sprint(t.Family, t.Name, "/", name)
	list, ok := r.sets[key]
	if !ok {
		if list, err = r.conn.GetSetElements(set); err != nil {
			return nil, nil, false
		}
		r.sets[key] = list
	}
	return set, list, true
}

func (r *ruleset) chainNamed(t *nftables.Table, name string) *nftables.Chain {
	for _, c := range r.chains {
		if c.Name == name && c.Table.Name == t.Name && c.Table.Family == t.Family {
			return c
		}
	}
	return nil
}

// native is a number in the machine's byte order, as the kernel holds marks and states.
func native(n uint32) []byte { return binary.NativeEndian.AppendUint32(nil, n) }

// ctNew is the state of a packet that begins a connection (NF_CT_STATE_BIT(IP_CT_NEW)).
const ctNew = 1 << 3

// load is what an expression puts into a register for a flow; nil where that depends on the packet. special marks a device that is not loopback.
func (f *flow) load(e expr.Any) (register uint32, value []byte, device, named bool) {
	switch e := e.(type) {
	case *expr.Meta:
		value, device = f.meta(e.Key)
		return e.Register, value, device, e.Key == expr.MetaKeyL4PROTO && f.proto != unix.IPPROTO_UDP
	case *expr.Payload:
		value, named = f.payload(e)
		return e.DestRegister, value, false, named
	case *expr.Ct:
		if e.Key == expr.CtKeySTATE {
			value = native(ctNew)
		}
		return e.Register, value, false, false
	}
	return 0, nil, false, false
}

func (f *flow) meta(key expr.MetaKey) (value []byte, device bool) {
	switch key {
	case expr.MetaKeyNFPROTO:
		return []byte{map[bool]byte{true: unix.NFPROTO_IPV4, false: unix.NFPROTO_IPV6}[f.is4]}, false
	case expr.MetaKeyPROTOCOL:
		return map[bool][]byte{true: {8, 0}, false: {0x86, 0xdd}}[f.is4], false
	case expr.MetaKeyL4PROTO:
		return []byte{f.proto}, false
	case expr.MetaKeyMARK:
		return native(f.mark), false
	case expr.MetaKeyIIFNAME, expr.MetaKeyOIFNAME:
		return nil, f.out == (key == expr.MetaKeyOIFNAME)
	}
	return nil, false
}

// payload knows the protocol and the ports; addresses are the peer's.
func (f *flow) payload(e *expr.Payload) (value []byte, named bool) {
	ours := binary.BigEndian.AppendUint16(nil, f.port)
	at := uint32(2)
	if f.out {
		at = 0
	}
	switch {
	case e.OperationType == expr.PayloadWrite:
	case e.Base == expr.PayloadBaseNetworkHeader && f.is4 && e.Offset == 9 && e.Len == 1, e.Base == expr.PayloadBaseNetworkHeader && !f.is4 && e.Offset == 6 && e.Len == 1:
		return []byte{f.proto}, f.proto != unix.IPPROTO_UDP
	case e.Base == expr.PayloadBaseTransportHeader && f.proto == unix.IPPROTO_UDP && e.Len == 2 && (e.Offset == at || f.port == ikePort && e.Offset < 4):
		return ours, e.Offset == at // IKE peers use port 500 at both ends
	}
	return nil, false
}
