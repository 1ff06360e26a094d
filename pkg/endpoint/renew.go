package endpoint

import (
	"time"

	"github.com/goipsec/goipsec/pkg/policy"
)

// renewEvery is how often the files of this host's certificates are looked at.
const renewEvery = 10 * time.Second

// renewCertificates takes up certificates of this host that have been renewed in their files, beside the loop. SAs stay; the next main mode shows
// the new one.
func (e *Endpoint) renewCertificates(now time.Time) {
	if now.Sub(e.renewed) < renewEvery {
		return
	}
	e.renewed = now
	var list []ownCertificate
	for r := range e.policy.EveryRule {
		for _, a := range r.Auth {
			if a.Kind == policy.Certificate {
				list = append(list, ownCertificate{r.Name, a.Cert})
			}
		}
	}
	if len(list) == 0 {
		return
	}
	select {
	case e.renewing <- struct{}{}:
		go func() {
			defer func() { <-e.renewing }()
			e.renew(list)
		}()
	default: // slow files: the last look at them has not ended
	}
}

// ownCertificate is what a rule shows of this host.
type ownCertificate struct {
	rule string
	*policy.CertAuth
}

func (e *Endpoint) renew(list []ownCertificate) {
	for _, c := range list {
		switch changed, err := c.Refresh(); {
		case err != nil:
			e.log.Warn("a certificate of this host was changed and cannot be used; the one from before stays", "rule", c.rule, "error", err)
		case changed:
			e.log.Info("a certificate of this host was renewed", "rule", c.rule)
		}
	}
}
