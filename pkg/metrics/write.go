package metrics

import (
	"io"
	"maps"
	"slices"

	"github.com/goipsec/goipsec/pkg/endpoint"
)

// ContentType is the media type of what Write writes.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// Write writes the metrics of an endpoint. Its SAs and failures need not be filled in, but for the last failure. The error is that of w.
func Write(w io.Writer, s *endpoint.Status) error {
	m := &writer{w: w}
	m.instance(s)
	m.lastError(s)
	m.negotiations(s)
	m.associations(s)
	m.traffic(s)
	m.process(s)
	return m.err
}

// Unreachable writes what can be said where no endpoint answers: that it is down.
func Unreachable(w io.Writer) error {
	m := &writer{w: w}
	m.metric("goipsec_up", gauge, "Whether the endpoint answers.").count(0)
	return m.err
}

func (m *writer) instance(s *endpoint.Status) {
	m.metric("goipsec_up", gauge, "Whether the endpoint answers.").count(1)
	m.metric("goipsec_build_info", gauge, "The build and the instance.").count(1, "version", s.Version, "instance", s.Instance)
	m.metric("goipsec_start_time_seconds", gauge, "When the instance started, in Unix time.").set(float64(s.Started.UnixMilli()) / 1000)
	m.metric("goipsec_uptime_seconds", gauge, "For how long the instance has run.").set(s.Now.Sub(s.Started).Seconds())
	configured := uint64(1)
	if s.Policy.Unassigned {
		configured = 0
	}
	m.metric("goipsec_configured", gauge, "Whether a policy is applied.").count(configured, "policy", s.Policy.Name)
	m.metric("goipsec_policy_age_seconds", gauge, "Since when the policy is applied.").set(s.Now.Sub(s.Policy.Applied).Seconds())
	m.metric("goipsec_policy_rules", gauge, "Rules of the policy.").count(uint64(s.Policy.Rules))
	filters := m.metric("goipsec_policy_filters", gauge, "Specific filters of the policy.")
	filters.count(uint64(s.Policy.MainModeFilters), "list", "main-mode")
	filters.count(uint64(s.Policy.OutboundFilters), "list", "outbound")
	filters.count(uint64(s.Policy.InboundFilters), "list", "inbound")
	m.metric("goipsec_warnings", gauge, "Warnings that goipsec status shows.").count(uint64(len(s.Warnings)))
}

// lastError tells of the newest failure; there is at most one series of it.
func (m *writer) lastError(s *endpoint.Status) {
	at := m.metric("goipsec_last_error_timestamp_seconds", gauge, "When a negotiation failed last, in Unix time; 0 if none has.")
	if len(s.Failures) == 0 {
		at.count(0)
		return
	}
	f := &s.Failures[0]
	at.set(float64(f.Time.UnixMilli()) / 1000)
	m.metric("goipsec_last_error_info", gauge, "The last failed negotiation.").count(1, "rule", f.Rule, "remote", f.Remote.Addr().String(), "what", f.What, "why", f.Why)
}

func (m *writer) negotiations(s *endpoint.Status) {
	n := &s.Negotiated
	ended := m.metric("goipsec_negotiations_total", counter, "Negotiations by result; role is this host's, any where it is not counted apart.")
	ended.count(n.MainModesInitiated, "mode", "main", "result", "established", "role", "initiator")
	ended.count(n.MainModesAnswered, "mode", "main", "result", "established", "role", "responder")
	ended.count(n.MainModesFailed, "mode", "main", "result", "failed", "role", "any")
	ended.count(n.QuickModesInitiated, "mode", "quick", "result", "established", "role", "initiator")
	ended.count(n.QuickModesAnswered, "mode", "quick", "result", "established", "role", "responder")
	ended.count(n.QuickModesFailed, "mode", "quick", "result", "failed", "role", "any")
	under := m.metric("goipsec_negotiations_under_way", gauge, "Negotiations that this host wants and that have not ended.")
	under.count(n.MainModesUnderWay, "mode", "main")
	under.count(n.QuickModesUnderWay, "mode", "quick")
	m.metric("goipsec_authentication_failures_total", counter, "Main modes that failed at the proof of identity.").count(s.Statistics.MainMode.AuthenticationFailures)
	m.metric("goipsec_rekeys_total", counter, "Quick-mode SAs that took over from another.").count(s.Statistics.QuickMode.Rekeys)
	m.metric("goipsec_half_open", gauge, "Negotiations of peers that have proved nothing yet.").count(s.IKE.HalfOpen)
	m.metric("goipsec_ike_datagrams_total", counter, "IKE datagrams received.").count(s.Traffic.IKEDatagramsIn)
	m.byReason("goipsec_ike_refused_total", "IKE datagrams that the key exchange refused, by reason.", s.IKE.Refused)
	m.metric("goipsec_ike_faults_total", counter, "Faults of the program that ended one exchange. Report them.").count(s.IKE.Panics)
}

func (m *writer) associations(s *endpoint.Status) {
	sas := m.metric("goipsec_sas", gauge, "Security associations in use; quick counts pairs, tunnel those of them in tunnel mode.")
	sas.count(s.Counts.MainMode, "kind", "main")
	sas.count(s.Counts.QuickMode, "kind", "quick")
	sas.count(s.Counts.Tunnels, "kind", "tunnel")
	sas.count(s.Counts.Soft, "kind", "soft")
	m.metric("goipsec_soft_associations_total", counter, "Fall-backs to clear.").count(s.Statistics.MainMode.SoftAssociations)
	age := m.metric("goipsec_oldest_sa_age_seconds", gauge, "The age of the oldest security association; 0 if there is none.")
	age.count(s.Counts.OldestMainModeSeconds, "kind", "main")
	age.count(s.Counts.OldestQuickModeSeconds, "kind", "quick")
}

func (m *writer) traffic(s *endpoint.Status) {
	q, t := &s.Statistics.QuickMode, &s.Traffic
	bytes := m.metric("goipsec_bytes_total", counter, "Bytes of protected payload, by mode and direction.")
	bytes.count(q.TransportBytesSent, "mode", "transport", "direction", "out")
	bytes.count(q.TransportBytesReceived, "mode", "transport", "direction", "in")
	bytes.count(q.BytesSentInTunnels, "mode", "tunnel", "direction", "out")
	bytes.count(q.BytesReceivedInTunnels, "mode", "tunnel", "direction", "in")
	secret := m.metric("goipsec_confidential_bytes_total", counter, "Bytes of payload under a cipher that hides, by direction.")
	secret.count(q.ConfidentialBytesSent, "direction", "out")
	secret.count(q.ConfidentialBytesReceived, "direction", "in")
	packets := m.metric("goipsec_packets_total", counter, "Packets by what was done with them.")
	for _, p := range []struct {
		name string
		n    uint64
	}{{"from-tun", t.FromTUN}, {"sealed", t.Sealed}, {"permitted", t.Permitted}, {"soft", t.Soft}, {"received", t.Received}, {"opened", t.Opened}, {"delivered", t.Delivered},
		{"fragments", t.Fragments}, {"joined", t.Joined}, {"whole", t.Whole}, {"split", t.Split}} {
		packets.count(p.n, "stage", p.name)
	}
	m.metric("goipsec_packets_waiting", gauge, "Packets that wait for a negotiation.").count(t.Waiting)
	m.byReason("goipsec_drops_total", "Packets that went no further, by reason; a reason appears with its first packet.", s.Drops)
}

func (m *writer) process(s *endpoint.Status) {
	m.metric("goipsec_heap_bytes", gauge, "Heap memory in use after the last collection of garbage.").count(s.Process.HeapBytes)
	m.metric("goipsec_collections_total", counter, "Collections of garbage.").count(s.Process.Collections)
	m.metric("goipsec_goroutines", gauge, "Goroutines of the program.").count(s.Process.Goroutines)
}

// byReason writes a counter for each reason, in the order of their names.
func (m *writer) byReason(name, help string, counts map[string]uint64) {
	if len(counts) == 0 {
		return
	}
	c := m.metric(name, counter, help)
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		c.count(counts[reason], "reason", reason)
	}
}
