package revocation

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/ocsp"

	"github.com/goipsec/goipsec/pkg/pki"
)

// fresh is how long a response without nextUpdate is believed (RFC 6960 §4.2.2.1: newer ones are there all the time).
const fresh = time.Hour

// maxResponse bounds a response in bytes.
const maxResponse = 64 << 10

// fromOCSP asks the responders that the certificate names.
func (k *check) fromOCSP(c, issuer *x509.Certificate) verdict {
	if k.rules.NoOCSP {
		return verdict{}
	}
	var why []string
	for _, url := range fetchable(c.OCSPServer) {
		v, err := k.responder(url, c, issuer)
		switch {
		case err != nil:
			why = append(why, fmt.Sprintf("the responder %v", err))
		case v.state != unknown:
			return v
		default:
			why = append(why, v.why)
		}
	}
	return notKnown(strings.Join(why, "; "))
}

// responder asks one responder, or what it answered before.
func (k *check) responder(url string, c, issuer *x509.Certificate) (verdict, error) {
	question, err := ocsp.CreateRequest(c, issuer, nil)
	if err != nil {
		return verdict{}, problem("%s: %v", url, err)
	}
	id := "ocsp " + url + " " + fmt.Sprintf("%x", identify(question))
	if der := k.cache.get(id, k.now); der != nil {
		if r, err := parseResponse(der, c, issuer, k.now, k.rules); err == nil && !r.stale(k.now) {
			return r.verdict(url), nil
		}
	}
	der, err := k.fetch(url, question)
	if err != nil {
		return verdict{}, err
	}
	r, err := parseResponse(der, c, issuer, k.now, k.rules)
	if err != nil {
		return verdict{}, problem("%s: %v", url, err)
	}
	if r.stale(k.now) && !r.revoked() {
		return verdict{}, problem("%s: its answer is no longer valid", url)
	}
	if !r.NextUpdate.IsZero() && !r.stale(k.now) && r.Status != ocsp.Unknown {
		k.cache.put(id, der, r.NextUpdate, k.now)
	}
	return r.verdict(url), nil
}

// response is an answer that was signed by who may.
type response struct{ *ocsp.Response }

// revoked reports whether the answer is that the certificate was revoked, and not only put on hold.
func (r response) revoked() bool {
	return r.Status == ocsp.Revoked && r.RevocationReason != reasonHold
}

func (r response) stale(now time.Time) bool {
	if r.NextUpdate.IsZero() {
		return now.After(r.ThisUpdate.Add(fresh))
	}
	return now.After(r.NextUpdate)
}

func (r response) verdict(url string) verdict {
	switch r.Status {
	case ocsp.Good:
		return verdict{state: good}
	case ocsp.Revoked:
		why := fmt.Sprintf("it was revoked, says the responder %s", url)
		if text := reasonNames[r.RevocationReason]; text != "" {
			why += ": " + text
		}
		return verdict{revoked, why}
	}
	return notKnown(fmt.Sprintf("the responder %s does not know it", url))
}

// parseResponse reads an answer about a certificate and checks who signed it: the certificate's issuer, or somebody whom that issuer made a responder (RFC 6960 §4.2.2.2).
func parseResponse(der []byte, c, issuer *x509.Certificate, now time.Time, rules pki.Rules) (response, error) {
	if err := pki.Bounded(der, maxResponse); err != nil {
		return response{}, fmt.Errorf("its answer is malformed: %v", err)
	}
	r, err := ocsp.ParseResponseForCert(der, c, nil) // nil: who signed it is looked at below
	if err != nil {
		return response{}, err
	}
	if !isAbout(der, c, issuer) {
		return response{}, errors.New("its answer is about another certificate")
	}
	if err := signedFor(r, issuer, now, rules); err != nil {
		return response{}, err
	}
	if now.Add(skew).Before(r.ThisUpdate) {
		return response{}, errors.New("its answer is of the future")
	}
	return response{r}, nil
}

// signedFor checks the signature and the right to make it.
func signedFor(r *ocsp.Response, issuer *x509.Certificate, now time.Time, rules pki.Rules) error {
	signer := issuer
	if d := r.Certificate; d != nil && !d.Equal(issuer) {
		if err := delegated(d, issuer, now, rules); err != nil {
			return err
		}
		signer = d
	}
	if !pki.VerifySignature(signer, r.SignatureAlgorithm, r.TBSResponseData, r.Signature, rules) {
		return errors.New("the signature of its answer is wrong")
	}
	return nil
}

// delegated checks the certificate of a responder that is not the issuer itself.
//
// Deviation: RFC 6960 §4.2.2.2.1 lets an authority say how to find out whether the responder's own certificate was revoked. It is not asked: such certificates are
// short-lived, and the question would lead to the same authority.
func delegated(d, issuer *x509.Certificate, now time.Time, rules pki.Rules) error {
	switch {
	case !slices.Contains(d.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning):
		return errors.New("its answer is signed by somebody whom the authority did not make a responder (extended key usage OCSPSigning)")
	case !bytes.Equal(d.RawIssuer, issuer.RawSubject) || !pki.VerifySignature(issuer, d.SignatureAlgorithm, d.RawTBSCertificate, d.Signature, rules):
		return errors.New("its answer is signed by somebody whom another authority made a responder")
	case now.Before(d.NotBefore) || now.After(d.NotAfter):
		return errors.New("the certificate of the responder is not valid now")
	case d.KeyUsage != 0 && d.KeyUsage&(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) == 0:
		return errors.New("the responder's key may not sign")
	case len(d.UnhandledCriticalExtensions) > 0:
		return errors.New("the certificate of the responder has a critical extension that is not understood")
	}
	return nil
}

// certID names a certificate in questions and answers (RFC 6960 §4.1.1).
type certID struct {
	Hash   pkix.AlgorithmIdentifier
	Name   []byte
	Key    []byte
	Serial *big.Int
}

// isAbout reports whether the first answer with the certificate's number, which is the one that package ocsp takes, is about a certificate of this issuer. That package
// compares numbers only, and two authorities that share a responder may both use a number.
func isAbout(der []byte, c, issuer *x509.Certificate) bool {
	for _, id := range answers(der) {
		if id.Serial.Cmp(c.SerialNumber) == 0 {
			return id.names(issuer)
		}
	}
	return false
}

// answers lists what the answers of a response are about.
func answers(der []byte) (list []certID) {
	var outer struct {
		Status   asn1.Enumerated
		Response struct {
			Type asn1.ObjectIdentifier
			Data []byte
		} `asn1:"explicit,tag:0,optional"`
	}
	if _, err := asn1.Unmarshal(der, &outer); err != nil {
		return nil
	}
	input := cryptobyte.String(outer.Response.Data)
	var basic, data, responses cryptobyte.String
	if !input.ReadASN1(&basic, casn1.SEQUENCE) || !basic.ReadASN1(&data, casn1.SEQUENCE) ||
		!data.SkipOptionalASN1(casn1.Tag(0).ContextSpecific().Constructed()) {
		return nil
	}
	var responder cryptobyte.String
	var tag casn1.Tag
	if !data.ReadAnyASN1(&responder, &tag) || !data.SkipASN1(casn1.GeneralizedTime) || !data.ReadASN1(&responses, casn1.SEQUENCE) {
		return nil
	}
	for !responses.Empty() {
		var one, element cryptobyte.String
		var id certID
		if !responses.ReadASN1(&one, casn1.SEQUENCE) || !one.ReadASN1Element(&element, casn1.SEQUENCE) {
			return nil
		}
		if rest, err := asn1.Unmarshal(element, &id); err != nil || len(rest) != 0 || id.Serial == nil {
			return nil
		}
		list = append(list, id)
	}
	return list
}

var hashes = map[string]crypto.Hash{"1.3.14.3.2.26": crypto.SHA1, "2.16.840.1.101.3.4.2.1": crypto.SHA256, "2.16.840.1.101.3.4.2.2": crypto.SHA384, "2.16.840.1.101.3.4.2.3": crypto.SHA512}

// names reports whether an answer is about certificates of an issuer.
func (id certID) names(issuer *x509.Certificate) bool {
	h, ok := hashes[id.Hash.Algorithm.String()]
	if !ok || !h.Available() {
		return false
	}
	sum := func(b []byte) []byte {
		w := h.New()
		w.Write(b)
		return w.Sum(nil)
	}
	var key struct {
		Algorithm pkix.AlgorithmIdentifier
		Bits      asn1.BitString
	}
	if _, err := asn1.Unmarshal(issuer.RawSubjectPublicKeyInfo, &key); err != nil {
		return false
	}
	return bytes.Equal(id.Name, sum(issuer.RawSubject)) && bytes.Equal(id.Key, sum(key.Bits.RightAlign()))
}
