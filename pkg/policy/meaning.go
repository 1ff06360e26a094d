package policy

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"net/netip"
	"slices"

	"github.com/goipsec/goipsec/pkg/classifier"
)

// digestKey keys every digest of a meaning. Digests stand in logs and in status; without the key one could guess a pre-shared
// key against them. They need to be stable within one process only: SAs do not outlive it.
var digestKey = func() []byte {
	b := make([]byte, 32)
	rand.Read(b)
	return b
}()

// Meaning returns a digest of what the rule does with its traffic: action, methods, authentication, tunnel, manual keys and
// peer options; not its name, its place or its filters. Two rules with equal digests are interchangeable. The digest is
// comparable within one run of the program only.
func (r *Rule) Meaning() string {
	h := hmac.New(sha256.New, digestKey)
	fmt.Fprintf(h, "action %d pfs %d\n", r.Action.Kind, r.Action.PFS)
	fmt.Fprintf(h, "passthrough %t\n", r.Action.InboundPassthrough)
	if f := r.Action.Fallback; f != nil {
		fmt.Fprintf(h, "fallback %v %v\n", f.Wait(), f.Live())
	}
	for _, m := range r.Action.Methods {
		writeMethod(h, m)
	}
	writeAuth(h, r.Auth)
	if r.Aggressive {
		fmt.Fprintf(h, "aggressive\n")
	}
	if r.Tunnel != nil {
		fmt.Fprintf(h, "tunnel %v %v %v %v %t %v\n", r.Tunnel.Local, r.Tunnel.Remote, r.Tunnel.Endpoint, r.Tunnel.Inner, r.Tunnel.AskAddress, r.Tunnel.Pool)
	}
	if k := r.Manual; k != nil {
		fmt.Fprintf(h, "manual %d %d %d %d %t\n", k.SPIIn, k.SPIOut, k.AHSPIIn, k.AHSPIOut, k.TestOnly)
		writeSecrets(h, k.EncrIn, k.EncrOut, k.IntegIn, k.IntegOut, k.AHIn, k.AHOut)
	}
	fmt.Fprintf(h, "peer %+v\n", r.Peer)
	return digest(h)
}

// mainModeMeaning is a digest of all that main mode takes from a rule and its policy.
func mainModeMeaning(p *Policy, r *Rule) string {
	h := hmac.New(sha256.New, digestKey)
	fmt.Fprintf(h, "ke %+v\n", p.KeyExchange)
	writeAuth(h, r.Auth)
	if usesCertificates(r.Auth) {
		fmt.Fprintf(h, "certificates %+v\n", p.Certificates)
	}
	fmt.Fprintf(h, "port %d dpd %v %v fragments %d\n", r.Peer.Port, r.Peer.DPDInterval, r.Peer.DPDTimeout, r.Peer.FragmentSize)
	if r.Aggressive {
		fmt.Fprintf(h, "aggressive\n")
	}
	if t := r.Tunnel; t != nil && (t.AskAddress || t.Pool.IsValid()) {
		fmt.Fprintf(h, "config %t %v %v %t\n", t.AskAddress, t.Pool, t.DNS, t.Push)
	}
	return digest(h)
}

func writeMethod(h hash.Hash, m Method) {
	if m.AH != nil {
		fmt.Fprintf(h, "ah %d ", m.AH.Integ)
	}
	if m.ESP != nil {
		fmt.Fprintf(h, "esp %d %d %d ", m.ESP.Encr, m.ESP.KeyBits, m.ESP.Integ)
	}
	l := m.EffectiveLifetime()
	fmt.Fprintf(h, "life %d %d esn %t\n", l.Seconds, l.Kilobytes, m.ESN)
}

func writeAuth(h hash.Hash, auth []AuthMethod) {
	for _, a := range auth {
		fmt.Fprintf(h, "auth %d %q %q ", a.Kind, a.LocalID, a.RemoteID)
		writeSecrets(h, a.PSK)
		writeXAuth(h, a.XAuth)
		if a.Cert != nil {
			writeCertAuth(h, a.Cert)
		}
	}
}

// writeCertAuth writes who is accepted and from which files this host's own certificate comes. What is in those files is left out: a renewed certificate
// changes nothing of what the policy says.
func writeCertAuth(h hash.Hash, c *CertAuth) {
	fmt.Fprintf(h, "certificate %q ", c.Credentials.Files())
	for _, ca := range c.CAs {
		fmt.Fprintf(h, "ca %x ", sha256.Sum256(ca.Raw))
	}
}

func usesCertificates(auth []AuthMethod) bool {
	return slices.ContainsFunc(auth, func(a AuthMethod) bool { return a.Kind == Certificate })
}

// writeXAuth leaves out the users of a server: a new one changes nothing for the others, and those who are gone are found by name.
func writeXAuth(h hash.Hash, x *XAuth) {
	if x != nil {
		fmt.Fprintf(h, "xauth %t %q ", x.Server(), x.User)
		writeSecrets(h, x.Password)
	}
}

// writeSecrets prefixes each secret with its length, so that no two lists give the same bytes.
func writeSecrets(h hash.Hash, secrets ...Secret) {
	var n [4]byte
	for _, s := range secrets {
		binary.BigEndian.PutUint32(n[:], uint32(s.Len()))
		h.Write(n[:])
		h.Write(s.Bytes())
	}
}

func digest(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)[:12]) }

// filterID is the ID of a quick-mode filter. The rule's meaning is keyed already, so a plain hash will do here.
func filterID(meaning string, inbound bool, f *classifier.Filter) string {
	var room [160]byte
	b := append(room[:0], meaning...)
	b = appendFilter(b, f)
	if inbound {
		b = append(b, 1)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:12])
}

// appendFilter appends a form of f that is different for different filters. Its length depends on the family only.
func appendFilter(b []byte, f *classifier.Filter) []byte {
	for _, a := range [...]netip.Addr{f.Src.From, f.Src.To, f.Dst.From, f.Dst.To} {
		b = append(b, a.AsSlice()...)
	}
	b = append(b, f.Proto)
	for _, p := range [...]classifier.Ports{f.SrcPorts, f.DstPorts} {
		var given byte
		if p.Given {
			given = 1
		}
		b = append(b, given, byte(p.From>>8), byte(p.From), byte(p.To>>8), byte(p.To))
	}
	return b
}
