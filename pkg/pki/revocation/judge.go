package revocation

import (
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/goipsec/goipsec/pkg/pki"
)

var reasonNames = map[int]string{1: "its key was compromised", 2: "its authority was compromised", 3: "its holder's affiliation changed", 4: "it was superseded",
	5: "it is no longer needed", 6: "it is on hold", 9: "a privilege was withdrawn", 10: "its attribute authority was compromised"}

// judge says what a list, and the delta list over it, says of a certificate (RFC 5280 §6.3.3).
func (k *check) judge(c, issuer *x509.Certificate, base *list, where string) verdict {
	if err := base.usable(issuer, k.rules); err != nil {
		return notKnown(fmt.Sprintf("%s: %v", where, err))
	}
	if err := base.covers(c); err != nil {
		return notKnown(fmt.Sprintf("%s: %v", where, err))
	}
	if base.delta {
		return notKnown(where + " is a delta list: what it goes over is missing")
	}
	reason, listed := base.entry(c.SerialNumber)
	stale := base.current(k.now)
	delta, noDelta := k.deltaOver(c, issuer, base)
	if delta != nil {
		if r, in := delta.entry(c.SerialNumber); in {
			reason, listed = r, r != reasonRemove
		}
	}
	if !listed && delta == nil {
		reason, listed = k.onOldDelta(c, issuer, base)
	}
	switch {
	case listed && stale != nil && reason == reasonHold:
		return notKnown(fmt.Sprintf("%s had it on hold, and %v", where, stale))
	case listed:
		why := fmt.Sprintf("it was revoked, says %s", where)
		if text := reasonNames[reason]; text != "" {
			why += ": " + text
		}
		return verdict{revoked, why}
	case stale != nil:
		return notKnown(fmt.Sprintf("%s: %v", where, stale))
	case base.point != nil && base.point.partial:
		return notKnown(where + " is about some reasons only")
	case noDelta != nil && k.rules.CRLCheck == pki.CRLStrong:
		return notKnown(fmt.Sprintf("%s is not the latest, and its delta list cannot be used: %v", where, noDelta))
	}
	if noDelta != nil && k.tell(c, k.now) {
		k.log.Warn("certificate checked without the delta list", "certificate", pki.Describe(c), "why", harmless(noDelta.Error()))
	}
	return verdict{state: good}
}

// deltaOver returns the delta list that goes over a list, nil if there is none, and an error if there should be one.
func (k *check) deltaOver(c, issuer *x509.Certificate, base *list) (*list, error) {
	for _, name := range k.rules.CRLs {
		lists, _ := k.files.load(name)
		for _, l := range lists {
			if l.delta && l.isFrom(issuer) && k.fits(l, issuer, base) == nil {
				return l, nil
			}
		}
	}
	var problems []error
	for _, url := range deltaURLs(c, base) {
		if k.rules.NoFetch {
			// Nobody is to ask; what was fetched before counts as long as it holds.
			if l := k.cache.list(url, k.now); l != nil && k.fits(l, issuer, base) == nil {
				return l, nil
			}
			continue
		}
		l, err := k.list(url, issuer)
		if err == nil {
			err = k.fits(l, issuer, base)
		}
		if err == nil {
			return l, nil
		}
		problems = append(problems, err)
	}
	return nil, errors.Join(problems...)
}

// deltaURLs are where the delta lists of a list are, as it says itself or as the certificate does.
func deltaURLs(c *x509.Certificate, base *list) []string {
	urls := base.freshest
	for _, x := range c.Extensions {
		if x.Id.Equal(oidFreshest) && len(urls) == 0 {
			urls = distributionURLs(x.Value)
		}
	}
	return fetchable(urls)
}

// onOldDelta looks for a certificate on delta lists that do not go over the list any more, because they have expired or are for another. What they say is
// revoked for good still is.
func (k *check) onOldDelta(c, issuer *x509.Certificate, base *list) (reason int, listed bool) {
	var old []*list
	for _, name := range k.rules.CRLs {
		lists, _ := k.files.load(name)
		old = append(old, lists...)
	}
	for _, url := range deltaURLs(c, base) {
		old = append(old, k.cache.list(url, k.now))
	}
	for _, l := range old {
		if l == nil || !l.delta {
			continue
		}
		reason, listed = l.entry(c.SerialNumber)
		if listed && reason != reasonHold && reason != reasonRemove && l.usable(issuer, k.rules) == nil {
			return reason, true
		}
	}
	return 0, false
}

// fits says whether a delta list goes over a list (RFC 5280 §5.2.4, §6.3.3 (c)): same authority, same part, not for a newer list than that, and newer than it.
func (k *check) fits(delta *list, issuer *x509.Certificate, base *list) error {
	if err := delta.usable(issuer, k.rules); err != nil {
		return err
	}
	if err := delta.current(k.now); err != nil {
		return fmt.Errorf("the delta list: %v", err)
	}
	switch {
	case !delta.delta || delta.number == nil || base.number == nil:
		return errors.New("it is no delta list, or has no number")
	case !samePart(delta.point, base.point):
		return errors.New("the delta list is about another part of the authority's certificates")
	case base.number.Cmp(delta.base) < 0:
		return errors.New("the delta list is for a newer list than this")
	case delta.number.Cmp(base.number) < 0:
		return errors.New("the delta list is older than the list")
	}
	return nil
}

func samePart(a, b *issuingPoint) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.users == b.users && a.cas == b.cas && a.partial == b.partial && a.named == b.named && fmt.Sprint(a.urls) == fmt.Sprint(b.urls)
}
