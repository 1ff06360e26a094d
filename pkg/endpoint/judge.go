package endpoint

import (
	"context"
	"crypto/x509"
	"errors"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/pki"
	"github.com/goipsec/goipsec/pkg/policy"
)

// revocationCheck says whether a certificate was revoked. Its chain ends in an authority of the policy.
type revocationCheck interface {
	Check(ctx context.Context, now time.Time, chain []*x509.Certificate, r pki.Rules) error
}

// verdict is the answer to a question of the key exchange.
type verdict struct {
	id uint64
	isakmp.Verdict
}

const (
	// judgeTime is how long a peer's certificate may take, waiting for others included. The key exchange waits a little longer.
	judgeTime = 8 * time.Second
	// maxJudged bounds the certificates that are looked at at once; others wait.
	maxJudged = 16
)

// judge finds the answer to a question of the key exchange, beside the loop: what tells of revocation may have to be fetched.
func (e *Endpoint) judge(ask isakmp.Ask) {
	rules := e.policy.Certificates
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), judgeTime)
		defer cancel()
		v := verdict{id: ask.ID}
		select {
		case e.judging <- struct{}{}:
			v.Refusal = e.judgeWithin(ctx, &ask, rules)
			<-e.judging
		case <-ctx.Done():
			v.Refusal = refusalOf(&pki.Error{Cause: pki.RevocationUnknown, Detail: "too many certificates are being checked at once"})
		}
		select {
		case e.verdicts <- v:
		case <-e.done:
		}
	}()
}

// judgeWithin is judgePeer within the boundary: a fault refuses the peer.
func (e *Endpoint) judgeWithin(ctx context.Context, ask *isakmp.Ask, rules pki.Rules) (r *isakmp.Refusal) {
	defer e.boundary("a peer's certificate", func() {
		r = &isakmp.Refusal{Notify: isakmp.InvalidCertificate, Failure: isakmp.Failure{What: "the peer's certificate is refused: it could not be checked",
			Why: "a fault of this program", Next: "report it, with what the log says of it", Answered: true}}
	})
	return judgePeer(ctx, e.opts.wall(), ask, rules, e.revocation)
}

// judgePeer decides as decide does. A refusal says whom its text may name.
func judgePeer(ctx context.Context, now time.Time, ask *isakmp.Ask, rules pki.Rules, revoked revocationCheck) *isakmp.Refusal {
	sent, err := pki.ParseChain(ask.Certificates)
	if err != nil {
		return refusalOf(err)
	}
	r := decide(ctx, now, ask, sent, rules, revoked)
	if r == nil {
		return nil
	}
	list := append([]string{ask.Identity.String()}, pki.Named(sent)...)
	for i := range ask.Rule.Auth {
		if a := &ask.Rule.Auth[i]; a.Kind == policy.Certificate && !a.Cert.Remote.IsZero() {
			list = append(list, a.Cert.Remote.String())
		}
	}
	r.Failure.Identities = list[:min(len(list), maxNamed)]
	return r
}

// maxNamed bounds the identities that are kept with a failure: a certificate may hold hundreds.
const maxNamed = 32

// decide decides whether a peer is who it says it is: its certificate's path must end in an authority of one of the rule's certificate methods, hold
// the identity that the peer shows and that the method wants, and not be revoked. Of several reasons to refuse, that of the path that came furthest is told.
func decide(ctx context.Context, now time.Time, ask *isakmp.Ask, sent []*x509.Certificate, rules pki.Rules, revoked revocationCheck) *isakmp.Refusal {
	id, err := pki.ParseIdentity(uint8(ask.Identity.Type), ask.Identity.Data)
	if err != nil {
		return refusalOf(err)
	}
	var first error
	for i := range ask.Rule.Auth {
		a := &ask.Rule.Auth[i]
		if a.Kind != policy.Certificate {
			continue
		}
		chain, err := pki.Verify(now, sent, a.Cert.CAs, rules)
		if err == nil {
			err = a.Cert.Remote.Accept(chain[0], id)
		}
		if err == nil {
			return refusalOf(revoked.Check(ctx, now, chain, rules))
		}
		if first == nil || causeOf(first) == pki.UnknownCA {
			first = err
		}
	}
	if first == nil {
		first = &pki.Error{Cause: pki.UnknownCA, Detail: "the rule has no certificate method any more"}
	}
	return refusalOf(first)
}

func causeOf(err error) pki.Cause {
	var e *pki.Error
	if errors.As(err, &e) {
		return e.Cause
	}
	return 0
}

// refusalOf explains why a certificate is refused; nil for no error.
func refusalOf(err error) *isakmp.Refusal {
	if err == nil {
		return nil
	}
	r := &isakmp.Refusal{Notify: isakmp.InvalidCertificate, Failure: isakmp.Failure{What: "the peer's certificate is refused: " + err.Error(),
		Why: "the certificate is not what this host's policy asks for", Next: "have the peer's certificate issued anew", Answered: true}}
	f := &r.Failure
	switch causeOf(err) {
	case pki.UnknownCA, pki.BadSignature, pki.NotCA, pki.PathTooLong, pki.NameConstraint:
		r.Notify = isakmp.InvalidCertAuthority
		f.Why = "its path does not lead to a CA that the rule accepts"
		f.Next = "add the CA's certificate to ca in the rule, if it is to be trusted, or have the peer send the CA certificates between"
	case pki.Expired, pki.NotYetValid:
		f.Why = "it is used outside its time, or this host's clock is wrong"
		f.Next = "renew the peer's certificate, or set the clock"
	case pki.WeakKey, pki.WeakSignature:
		f.Why = "its key or signature is too weak for this policy"
		f.Next = "have a stronger certificate issued; only if that cannot be, lower certificates: min_rsa_bits or allow_sha1"
	case pki.Identity:
		r.Notify = isakmp.InvalidIDInformation
		f.Why = "the certificate does not hold the identity that the peer shows, or not the one of the rule"
		f.Next = "set remote_id to what the certificate holds if that is the right peer, or correct the peer's identity"
	case pki.Revoked:
		f.Why = "its CA has revoked it"
		f.Next = "have a new certificate issued to the peer, if it is still to be trusted"
	case pki.RevocationUnknown:
		f.Why = "crl_check is 2, and nobody could say whether the certificate is revoked"
		f.Next = "see that the servers named in the certificate can be reached, give the lists as files (certificates: crls), or lower crl_check to 1"
	}
	return r
}
