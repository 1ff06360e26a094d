package policy

import "time"

// Fallback lets traffic flow in clear where a peer gives no reply at all to a negotiation. Whoever can drop this host's IKE messages can
// make it do so: it is for the time in which not all peers speak IPsec yet.
type Fallback struct {
	Timeout  time.Duration // how long there must be no reply; 0: DefaultFallbackTimeout
	Lifetime time.Duration // how long traffic then flows in clear before it is protected again or asks again; 0: DefaultFallbackLifetime
}

// Defaults and bounds of a Fallback.
const (
	DefaultFallbackTimeout  = 3 * time.Second
	DefaultFallbackLifetime = 5 * time.Minute
	// MaxFallbackTimeout is under the time that an unanswered negotiation lasts.
	MaxFallbackTimeout = 30 * time.Second
	// MinFallbackLifetime and MaxFallbackLifetime bound what an attacker who drops one negotiation gains, and how often hosts without IPsec wait.
	MinFallbackLifetime = 10 * time.Second
	MaxFallbackLifetime = 24 * time.Hour
)

// Wait is how long there must be no reply.
func (f *Fallback) Wait() time.Duration {
	if f.Timeout == 0 {
		return DefaultFallbackTimeout
	}
	return f.Timeout
}

// Live is how long a soft SA lives.
func (f *Fallback) Live() time.Duration {
	if f.Lifetime == 0 {
		return DefaultFallbackLifetime
	}
	return f.Lifetime
}
