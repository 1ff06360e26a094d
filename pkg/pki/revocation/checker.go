package revocation

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goipsec/goipsec/pkg/pki"
)

// Bounds of one check.
const (
	MaxTime  = 5 * time.Second
	MaxBytes = 4 << 20
	MaxURLs  = 8
)

// Options are what a Checker needs of its surroundings. The zero value works.
type Options struct {
	// Dial connects to a host of an URL. nil: the system's way. An endpoint gives sockets that its own TUN does not catch.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	Log  *slog.Logger // of what went wrong and did no harm; nil: nowhere
	Dir  string       // of the cache where the policy names none; "": DefaultDir
}

// Checker finds out whether certificates were revoked.
type Checker struct {
	fetcher fetcher
	log     *slog.Logger
	dir     string
	files   listFiles

	mu     sync.Mutex
	caches map[string]*cache // by directory
	told   map[string]time.Time
}

const (
	// tellAgain is how long nothing more is said about a certificate, however often its peer calls.
	tellAgain = 10 * time.Minute
	maxTold   = 256
)

// tell reports whether it is time to say something about a certificate.
func (c *Checker) tell(about *x509.Certificate, now time.Time) bool {
	id := string(identify(about.Raw))
	c.mu.Lock()
	defer c.mu.Unlock()
	if last, ok := c.told[id]; ok && !now.Before(last) && now.Sub(last) < tellAgain {
		return false
	}
	if len(c.told) >= maxTold {
		clear(c.told)
	}
	c.told[id] = now
	return true
}

// New makes a Checker.
func New(o Options) *Checker {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Dir == "" {
		o.Dir = DefaultDir()
	}
	return &Checker{fetcher: newFetcher(o.Dial), log: o.Log, dir: o.Dir, caches: map[string]*cache{}, told: map[string]time.Time{}}
}

// Check finds out whether a certificate of a chain was revoked, but for the last one, which is the authority that the policy trusts. The chain is one that pki.Verify returned. The error is a
// [*pki.Error]: Revoked, or, at level 2, RevocationUnknown. It may take MaxTime, or until ctx ends.
func (c *Checker) Check(ctx context.Context, now time.Time, chain []*x509.Certificate, r pki.Rules) error {
	if r.CRLCheck == pki.CRLOff {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, MaxTime)
	defer cancel()
	k := &check{Checker: c, ctx: ctx, now: now, rules: r, cache: c.cacheOf(r.Cache), budget: &budget{bytes: MaxBytes, urls: MaxURLs}}
	// From the top: what a revoked authority says of others is worth nothing.
	for i := len(chain) - 2; i >= 0; i-- {
		k.share = k.shareFor(chain[i], i, len(chain)-1)
		if err := k.one(chain[i], chain[i+1]); err != nil {
			return err
		}
	}
	return nil
}

func (c *Checker) cacheOf(dir string) *cache {
	if dir == "" {
		dir = c.dir
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.caches[dir] == nil {
		c.caches[dir] = newCache(dir, c.log)
	}
	return c.caches[dir]
}

// check is one call of Check.
type check struct {
	*Checker
	ctx    context.Context
	now    time.Time
	rules  pki.Rules
	cache  *cache
	budget *budget
	share  share // of the certificate that is being checked
}

// state is what is known of a certificate.
type state uint8

const (
	unknown state = iota
	good
	revoked
)

// verdict is what one source says of a certificate.
type verdict struct {
	state state
	why   string // of a revocation, or what keeps it from being known
}

func notKnown(why string) verdict { return verdict{unknown, why} }

// one checks one certificate.
func (k *check) one(c, issuer *x509.Certificate) error {
	var reasons []string
	for _, source := range []func(c, issuer *x509.Certificate) verdict{k.fromFiles, k.fromCache, k.fromOCSP, k.fromNetwork} {
		switch v := source(c, issuer); {
		case v.state == good:
			return nil
		case v.state == revoked:
			return &pki.Error{Cause: pki.Revoked, Subject: pki.Describe(c), Detail: harmless(v.why)}
		case v.why != "":
			reasons = append(reasons, v.why)
		}
	}
	if len(reasons) == 0 {
		reasons = []string{"it names no place where that could be asked, and no file of the policy is about it"}
	}
	why := harmless("whether it was revoked is not known: " + strings.Join(reasons, "; "))
	if k.rules.CRLCheck == pki.CRLStrong {
		return &pki.Error{Cause: pki.RevocationUnknown, Subject: pki.Describe(c), Detail: why + " (crl_check 2 wants to know)"}
	}
	if k.tell(c, k.now) {
		k.log.Warn("certificate accepted unchecked", "certificate", pki.Describe(c), "why", why)
	}
	return nil
}

// fromFiles asks the lists that the policy names.
func (k *check) fromFiles(c, issuer *x509.Certificate) verdict {
	type written struct {
		*list
		file string
	}
	var why []string
	var lists []written
	for _, name := range k.rules.CRLs {
		in, err := k.files.load(name)
		if err != nil {
			why = append(why, err.Error())
		}
		for _, l := range in {
			if !l.delta && l.isFrom(issuer) {
				lists = append(lists, written{l, name})
			}
		}
	}
	slices.SortStableFunc(lists, func(a, b written) int { return b.thisUpdate.Compare(a.thisUpdate) }) // the newest knows best
	for _, l := range lists {
		v := k.judge(c, issuer, l.list, "the list in "+l.file)
		if v.state != unknown {
			return v
		}
		why = append(why, v.why)
	}
	return notKnown(strings.Join(why, "; "))
}

// fromCache asks the lists that were fetched before, expired ones too.
func (k *check) fromCache(c, issuer *x509.Certificate) verdict {
	for _, url := range fetchable(c.CRLDistributionPoints) {
		if l := k.cache.list(url, k.now); l != nil {
			if v := k.judge(c, issuer, l, "the list of "+url); v.state != unknown {
				return v
			}
		}
	}
	return verdict{}
}

// fromNetwork fetches the lists that the certificate names. They are all of its authority, and each may cover another part.
func (k *check) fromNetwork(c, issuer *x509.Certificate) verdict {
	urls := fetchable(c.CRLDistributionPoints)
	if len(urls) == 0 && len(c.CRLDistributionPoints) > 0 {
		return notKnown("it names lists, but none by http://")
	}
	var why []string
	for _, url := range urls {
		l, err := k.list(url, issuer)
		if err != nil {
			why = append(why, err.Error())
			continue
		}
		v := k.judge(c, issuer, l, "the list of "+url)
		if v.state != unknown {
			return v
		}
		why = append(why, v.why)
	}
	return notKnown(strings.Join(why, "; "))
}

// list returns a list that has not expired, from the cache or over the network.
func (k *check) list(url string, issuer *x509.Certificate) (*list, error) {
	old := k.cache.list(url, k.now)
	if old != nil && old.usable(issuer, k.rules) != nil {
		old = nil // damaged, or another authority's
	}
	if old != nil && old.current(k.now) == nil {
		return old, nil
	}
	der, err := k.fetch(url, nil)
	if err != nil {
		return nil, err
	}
	l, err := parseList(der, MaxBytes)
	if err != nil {
		return nil, problem("the list of %s: %v", url, err)
	}
	// Only what is proved is kept, and nothing older than what is there: who stands between could play an old list.
	if err := l.usable(issuer, k.rules); err != nil {
		return nil, problem("the list of %s: %v", url, err)
	}
	if old != nil && l.thisUpdate.Before(old.thisUpdate) {
		return nil, problem("the list of %s is older than the one that was fetched before", url)
	}
	k.cache.put(url, l.raw, l.nextUpdate, k.now)
	return l, nil
}
