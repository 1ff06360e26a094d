package ikev1

import (
	"fmt"
	"slices"

	"github.com/goipsec/goipsec/pkg/ike/auth"
	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/pki"
	"github.com/goipsec/goipsec/pkg/policy"
)

// signatureScript is main mode with signatures (RFC 2409 §5.1). Each side names the CAs that it accepts beside its key, and shows its certificate with
// the chain to its CA beside its proof (RFC 4945 §3.2, §3.3):
//
//	Initiator                                  Responder
//	----------                                 -----------
//	 HDR, SA, VID                       -->
//	                                    <--    HDR, SA, VID
//	 HDR, KE, Ni, NAT-D, …, CERT_REQ …  -->
//	                                    <--    HDR, KE, Nr, NAT-D, …, CERT_REQ …
//	 HDR*, IDii, CERT …, SIG_I          -->
//	                                    <--    HDR*, IDir, CERT …, SIG_R
var signatureScript = append(mainModeScript[:stepProofI:stepProofI],
	isakmp.Step[*mainMode]{From: isakmp.Initiator, Need: signaturePayloads, May: signatureExtras, Build: (*mainMode).sendSignature, Accept: (*mainMode).takeSignature},
	isakmp.Step[*mainMode]{From: isakmp.Responder, Need: signaturePayloads, May: signatureExtras, Build: (*mainMode).sendSignature, Accept: (*mainMode).takeSignature},
)

var (
	signaturePayloads = isakmp.Set(isakmp.PayloadID, isakmp.PayloadSignature)
	signatureExtras   = isakmp.Set(isakmp.PayloadCert, isakmp.PayloadCertRequest, isakmp.PayloadNotify, isakmp.PayloadVendor)
)

const (
	// maxRequests bounds the certificate requests of a message, sent or taken, maxName the name in each, in bytes.
	maxRequests = 32
	maxName     = 1024
	// maxChain bounds the certificates that a peer may send.
	maxChain = 10
)

// claim is what a peer has signed, and nobody has vouched for yet.
type claim struct {
	id           isakmp.Identification
	certificates [][]byte // its own first, in DER
	asked        bool
}

// made reports whether there is something to ask about.
func (c *claim) made() bool { return len(c.certificates) > 0 && !c.asked }

// signs reports whether the two sides prove themselves by signatures.
func (s *mainMode) signs() bool { return s.suite.auth != 0 && s.suite.auth != authPSK }

// script is the one that main mode goes on with after its first two messages.
func (s *mainMode) script() isakmp.Script[*mainMode] {
	if s.aggressive() {
		return aggressiveScript
	}
	if s.signs() {
		return signatureScript
	}
	return mainModeScript
}

// certRequests name the CAs that the rule accepts, in its order. With more of them than a message should hold, any certificate is asked for.
func (s *mainMode) certRequests() []isakmp.Payload {
	if !s.signs() {
		return nil
	}
	var names [][]byte
	for i := range s.rule.Auth {
		if a := &s.rule.Auth[i]; a.Kind == policy.Certificate {
			for _, ca := range a.Cert.CAs {
				if !slices.ContainsFunc(names, func(n []byte) bool { return string(n) == string(ca.RawSubject) }) {
					names = append(names, ca.RawSubject)
				}
			}
		}
	}
	if len(names) > maxRequests {
		names = [][]byte{nil}
	}
	var ps []isakmp.Payload
	for _, n := range names {
		ps = append(ps, isakmp.Payload{Type: isakmp.PayloadCertRequest, Body: isakmp.CertPayload(n)})
	}
	return ps
}

// takeRequests keeps the names of the CAs that the peer accepts. Requests for other kinds of certificates are passed over.
func (s *mainMode) takeRequests(msg *isakmp.Message) {
	for _, b := range msg.All(isakmp.PayloadCertRequest) {
		e, name, err := isakmp.ParseCert(b)
		if err == nil && e == isakmp.CertX509Signature && len(name) <= maxName && len(s.requests) < maxRequests {
			s.requests = append(s.requests, name)
		}
	}
}

// credential chooses the machine certificate: the first whose key fits the agreed method and whose chain ends in a CA that the peer accepts. A peer that
// asks for none in particular gets the first that fits the method.
func (s *mainMode) credential() (*policy.AuthMethod, *pki.Credential, error) {
	for i := range s.rule.Auth {
		a := &s.rule.Auth[i]
		if a.Kind != policy.Certificate {
			continue
		}
		for _, c := range a.Cert.Current() {
			if _, err := a.Cert.Local.Identity(c.Leaf()); err == nil && auth.Method(c.Signer.Public()) == s.suite.auth && s.wanted(&c) {
				return a, &c, nil
			}
		}
	}
	return nil, nil, &isakmp.Refusal{Notify: isakmp.CertificateUnavailable, Failure: isakmp.Failure{
		What: "this host has no certificate that the peer accepts", Why: "the peer asks for one that is issued by " + dnList(s.requests),
		Next: "give the rule a machine certificate of such a CA, with the CA certificates between in its file, or add this host's CA at the peer", Answered: true}}
}

func (s *mainMode) wanted(c *pki.Credential) bool {
	if len(s.requests) == 0 {
		return true
	}
	return slices.ContainsFunc(s.requests, func(name []byte) bool { return len(name) == 0 || c.IssuedUnder(name) })
}

func dnList(names [][]byte) string {
	text := ""
	for i, n := range names {
		switch {
		case i == 4:
			return fmt.Sprintf("%s, or %d others", text, len(names)-i)
		case i > 0:
			text += ", or "
		}
		text += isakmp.Escape(pki.FormatDN(n))
	}
	return text
}

// sendSignature makes message 5 or 6 with signatures.
func (s *mainMode) sendSignature() ([]isakmp.Payload, error) {
	a, c, err := s.credential()
	if err != nil {
		return nil, err
	}
	s.auth = *a
	show, err := a.Cert.Local.Identity(c.Leaf())
	if err != nil {
		return nil, err
	}
	return s.identify(isakmp.Identification{Type: isakmp.IDType(show.Type), Data: show.Data}, func() ([]isakmp.Payload, error) {
		sig, err := auth.Sign(s.m.cfg.Rand, c.Signer, s.proof(s.role()))
		if err != nil {
			return nil, err
		}
		var ps []isakmp.Payload
		for i, x := range c.Chain {
			// The peer has the root, or does not trust it.
			if i == 0 || string(x.RawSubject) != string(x.RawIssuer) {
				ps = append(ps, isakmp.Payload{Type: isakmp.PayloadCert, Body: isakmp.CertPayload(x.Raw)})
			}
		}
		return append(ps, isakmp.Payload{Type: isakmp.PayloadSignature, Body: sig}), nil
	})
}

// takeSignature checks that the peer holds the private key of the certificate that it shows. Whether that certificate is to be trusted, and says
// what the peer says, is a question that the exchange then waits for (see Machine.ask).
func (s *mainMode) takeSignature(msg *isakmp.Message) error {
	id, body, other := s.takeIdentity(msg)
	if id.Type == 0 || len(body) > maxIdentity {
		return unproven(isakmp.InvalidIDInformation, "an identity that cannot be read", "")
	}
	certificates, err := certificatesOf(msg)
	if err != nil {
		return err
	}
	own, err := pki.ParseCertificate(certificates[0])
	if err != nil {
		return unproven(isakmp.InvalidCertEncoding, isakmp.Escape(err.Error()), "")
	}
	if auth.Method(own.PublicKey) != s.suite.auth {
		return unproven(isakmp.InvalidCertificate, "a certificate with another kind of key than "+authName(s.suite.auth)+" needs",
			"give the peer a certificate whose key fits the authentication method, or name another certificate here")
	}
	if err := auth.VerifySignature(own.PublicKey, s.proof(other), msg.First(isakmp.PayloadSignature)); err != nil {
		return unproven(isakmp.InvalidSignature, err.Error(), "")
	}
	s.takeRequests(msg)
	s.takeNotices(msg)
	s.claim = claim{id: id, certificates: certificates}
	return nil
}

// certificatesOf are the X.509 certificates of a message, the peer's own first (RFC 4945 §3.3.9). CRLs are passed over: they are fetched where the
// CA says. PKCS #7 is not read (security.md P24).
func certificatesOf(msg *isakmp.Message) ([][]byte, error) {
	var list [][]byte
	for _, b := range msg.All(isakmp.PayloadCert) {
		e, der, err := isakmp.ParseCert(b)
		switch {
		case err != nil:
			return nil, err
		case e == isakmp.CertX509Signature:
			list = append(list, der)
		}
	}
	switch {
	case len(list) == 0:
		return nil, unproven(isakmp.CertificateUnavailable, "no certificate",
			"have the peer send its certificate (strongSwan: send_cert = always), in X.509 form, not wrapped in PKCS #7")
	case len(list) > maxChain:
		return nil, unproven(isakmp.InvalidCertificate, fmt.Sprintf("%d certificates, and %d are the most that are looked at", len(list), maxChain), "")
	}
	return list, nil
}

func unproven(n isakmp.NotifyType, what, next string) error {
	if next == "" {
		next = "look at the peer's certificate and its log"
	}
	return &unprovenError{isakmp.Refusal{Notify: n, Failure: isakmp.Failure{What: "the peer's proof of identity does not count: " + what,
		Why: "the peer's certificate or private key is not the right one, or the message was damaged", Next: next, Answered: true}}}
}

// certificateRefused explains an initiator's message 5 that got no good answer.
func (s *mainMode) certificateRefused() isakmp.Failure {
	if s.suspicion != nil {
		return *s.suspicion
	}
	what := "the peer did not answer to this host's certificate"
	if s.refusal != 0 {
		what = "the peer refused this host's certificate or identity (" + s.refusal.String() + ")"
	}
	return isakmp.Failure{What: what + ", with " + s.remote.String(),
		Why: "the peer does not trust the certificate's CA, it is expired or revoked, or the identity in it is not the one that the peer expects; " +
			"or a long message was lost on the way",
		Next: "look at the peer's log; compare its CA and the identity that it expects with this host's certificate; check that fragmented UDP passes", Answered: true}
}
