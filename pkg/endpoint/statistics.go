package endpoint

import (
	"time"

	"github.com/goipsec/goipsec/pkg/dataplane"
	"github.com/goipsec/goipsec/pkg/ike"
	"github.com/goipsec/goipsec/pkg/sa"
)

// Statistics are the figures of both modes, under the names by which administrators know them from the IP Security Monitor. They count since
// the endpoint was started, but for those that the names call active, pending or a size, which are of the moment. docs/statistics.md tells what is
// behind each, and which names have no meaning here and are left out.
type Statistics struct {
	MainMode  MainModeStatistics  `json:"main_mode"`
	QuickMode QuickModeStatistics `json:"quick_mode"`
}

// MainModeStatistics are the figures of the key exchange.
type MainModeStatistics struct {
	ActiveAcquire          uint64 `json:"active_acquire"`
	ActiveReceive          uint64 `json:"active_receive"`
	AcquireFailures        uint64 `json:"acquire_failures"`
	ReceiveFailures        uint64 `json:"receive_failures"`
	SendFailures           uint64 `json:"send_failures"`
	AuthenticationFailures uint64 `json:"authentication_failures"`
	NegotiationFailures    uint64 `json:"negotiation_failures"`
	InvalidCookiesReceived uint64 `json:"invalid_cookies_received"`
	TotalAcquire           uint64 `json:"total_acquire"`
	TotalGetSPI            uint64 `json:"total_get_spi"`
	KeyAdditions           uint64 `json:"key_additions"`
	KeyUpdates             uint64 `json:"key_updates"`
	GetSPIFailures         uint64 `json:"get_spi_failures"`
	KeyAdditionFailures    uint64 `json:"key_addition_failures"`
	KeyUpdateFailures      uint64 `json:"key_update_failures"`
	ISADBListSize          uint64 `json:"isadb_list_size"`
	ConnectionListSize     uint64 `json:"connection_list_size"`
	IKEMainMode            uint64 `json:"ike_main_mode"`
	IKEQuickMode           uint64 `json:"ike_quick_mode"`
	SoftAssociations       uint64 `json:"soft_associations"`
	InvalidPacketsReceived uint64 `json:"invalid_packets_received"`
}

// QuickModeStatistics are the figures of the IPsec SAs. Bytes are those of the protected payload.
type QuickModeStatistics struct {
	ActiveSecurityAssociations uint64 `json:"active_security_associations"`
	PendingKeyOperations       uint64 `json:"pending_key_operations"`
	KeyAdditions               uint64 `json:"key_additions"`
	KeyDeletions               uint64 `json:"key_deletions"`
	Rekeys                     uint64 `json:"rekeys"`
	ActiveTunnels              uint64 `json:"active_tunnels"`
	BadSPIPackets              uint64 `json:"bad_spi_packets"`
	PacketsNotDecrypted        uint64 `json:"packets_not_decrypted"`
	PacketsNotAuthenticated    uint64 `json:"packets_not_authenticated"`
	PacketsWithReplayDetection uint64 `json:"packets_with_replay_detection"`
	ConfidentialBytesSent      uint64 `json:"confidential_bytes_sent"`
	ConfidentialBytesReceived  uint64 `json:"confidential_bytes_received"`
	AuthenticatedBytesSent     uint64 `json:"authenticated_bytes_sent"`
	AuthenticatedBytesReceived uint64 `json:"authenticated_bytes_received"`
	TransportBytesSent         uint64 `json:"transport_bytes_sent"`
	TransportBytesReceived     uint64 `json:"transport_bytes_received"`
	BytesSentInTunnels         uint64 `json:"bytes_sent_in_tunnels"`
	BytesReceivedInTunnels     uint64 `json:"bytes_received_in_tunnels"`
}

// Figure is one statistic as it is shown.
type Figure struct {
	Name  string // as the IP Security Monitor has it
	Value uint64
	// Moment is set for what there is now; the others count since the start.
	Moment bool
}

// Figures lists the figures in the order in which administrators know them.
func (m *MainModeStatistics) Figures() []Figure {
	return []Figure{{"Active Acquire", m.ActiveAcquire, true}, {"Active Receive", m.ActiveReceive, true}, {"Acquire Failures", m.AcquireFailures, false},
		{"Receive Failures", m.ReceiveFailures, false}, {"Send Failures", m.SendFailures, false}, {"Authentication Failures", m.AuthenticationFailures, false},
		{"Negotiation Failures", m.NegotiationFailures, false}, {"Invalid Cookies Received", m.InvalidCookiesReceived, false},
		{"Total Acquire", m.TotalAcquire, false}, {"Total Get SPI", m.TotalGetSPI, false}, {"Key Additions", m.KeyAdditions, false},
		{"Key Updates", m.KeyUpdates, false}, {"Get SPI Failures", m.GetSPIFailures, false}, {"Key Addition Failures", m.KeyAdditionFailures, false},
		{"Key Update Failures", m.KeyUpdateFailures, false}, {"ISADB List Size", m.ISADBListSize, true}, {"Connection List Size", m.ConnectionListSize, true},
		{"IKE Main Mode", m.IKEMainMode, false}, {"IKE Quick Mode", m.IKEQuickMode, false}, {"Soft Associations", m.SoftAssociations, false},
		{"Invalid Packets Received", m.InvalidPacketsReceived, false}}
}

// Figures lists the figures in the order in which administrators know them.
func (q *QuickModeStatistics) Figures() []Figure {
	return []Figure{{"Active Security Associations", q.ActiveSecurityAssociations, true}, {"Pending Key Operations", q.PendingKeyOperations, true},
		{"Key Additions", q.KeyAdditions, false}, {"Key Deletions", q.KeyDeletions, false}, {"Rekeys", q.Rekeys, false}, {"Active Tunnels", q.ActiveTunnels, true},
		{"Bad SPI Packets", q.BadSPIPackets, false}, {"Packets Not Decrypted", q.PacketsNotDecrypted, false},
		{"Packets Not Authenticated", q.PacketsNotAuthenticated, false}, {"Packets With Replay Detection", q.PacketsWithReplayDetection, false},
		{"Confidential Bytes Sent", q.ConfidentialBytesSent, false}, {"Confidential Bytes Received", q.ConfidentialBytesReceived, false},
		{"Authenticated Bytes Sent", q.AuthenticatedBytesSent, false}, {"Authenticated Bytes Received", q.AuthenticatedBytesReceived, false},
		{"Transport Bytes Sent", q.TransportBytesSent, false}, {"Transport Bytes Received", q.TransportBytesReceived, false},
		{"Bytes Sent In Tunnels", q.BytesSentInTunnels, false}, {"Bytes Received In Tunnels", q.BytesReceivedInTunnels, false}}
}

// Negotiations counts negotiations by how they ended: "established" or "failed", and by who began them where that is known.
type Negotiations struct {
	MainModesInitiated  uint64 `json:"main_modes_initiated"` // established, begun here
	MainModesAnswered   uint64 `json:"main_modes_answered"`  // established, begun by the peer
	MainModesFailed     uint64 `json:"main_modes_failed"`
	QuickModesInitiated uint64 `json:"quick_modes_initiated"`
	QuickModesAnswered  uint64 `json:"quick_modes_answered"`
	QuickModesFailed    uint64 `json:"quick_modes_failed"`
	// UnderWay are the main modes and quick modes that this host wants at the moment.
	MainModesUnderWay  uint64 `json:"main_modes_under_way"`
	QuickModesUnderWay uint64 `json:"quick_modes_under_way"`
}

// SACounts says how many SAs there are and how old the oldest is.
type SACounts struct {
	MainMode               uint64 `json:"main_mode"`
	QuickMode              uint64 `json:"quick_mode"` // pairs
	Tunnels                uint64 `json:"tunnels"`    // of them in tunnel mode
	Soft                   uint64 `json:"soft"`       // traffic that fell back to clear
	OldestMainModeSeconds  uint64 `json:"oldest_main_mode_seconds"`
	OldestQuickModeSeconds uint64 `json:"oldest_quick_mode_seconds"`
}

// counts looks at every SA once.
func (e *Endpoint) counts(now time.Time) SACounts {
	c := SACounts{Soft: uint64(len(e.soft.list))}
	for _, p := range e.engine.Peers(now) {
		if p.State == "established" || p.State == "retiring" {
			c.MainMode++
			c.OldestMainModeSeconds = max(c.OldestMainModeSeconds, seconds(now.Sub(p.Established)))
		}
	}
	for _, child := range e.children {
		if !child.up {
			continue
		}
		c.QuickMode++
		if child.tunnel() {
			c.Tunnels++
		}
		c.OldestQuickModeSeconds = max(c.OldestQuickModeSeconds, seconds(now.Sub(child.since)))
	}
	return c
}

func negotiations(st *ike.Stats) Negotiations {
	return Negotiations{MainModesInitiated: st.MainModesInitiated, MainModesAnswered: st.MainModesAnswered, MainModesFailed: st.MainModesFailed,
		QuickModesInitiated: st.QuickModesInitiated, QuickModesAnswered: st.QuickModesAnswered, QuickModesFailed: st.QuickModesFailed,
		MainModesUnderWay: uint64(st.Attempts), QuickModesUnderWay: uint64(st.Wants)}
}

// statistics collects the figures from where they are counted.
func (e *Endpoint) statistics(now time.Time) Statistics {
	st, t, c := e.engine.Stats(), &e.tally, e.plane.Counters()
	s := Statistics{
		MainMode: MainModeStatistics{ActiveAcquire: uint64(st.Wants), ActiveReceive: uint64(len(e.control)), AcquireFailures: st.AcquiresFailed + st.AcquiresDropped,
			ReceiveFailures: c.Count(dataplane.ReadError) + c.Count(dataplane.ControlBusy), SendFailures: t.sendFailures,
			AuthenticationFailures: st.AuthenticationFailed, NegotiationFailures: st.MainModesFailed + st.QuickModesFailed, InvalidCookiesReceived: st.Unknown,
			TotalAcquire: st.Acquires, TotalGetSPI: t.getSPI, KeyAdditions: t.additions, KeyUpdates: t.updates, GetSPIFailures: t.getSPIFailures,
			KeyAdditionFailures: t.additionFailures, KeyUpdateFailures: t.updateFailures, ISADBListSize: uint64(st.MainModes + st.HalfOpen),
			ConnectionListSize: uint64(st.Children + st.Wants), SoftAssociations: e.soft.begun, IKEMainMode: st.MainModesInitiated + st.MainModesAnswered,
			IKEQuickMode: st.QuickModesInitiated + st.QuickModesAnswered, InvalidPacketsReceived: st.Malformed + st.Unsupported + st.Version2},
		QuickMode: QuickModeStatistics{PendingKeyOperations: uint64(st.Wants), KeyAdditions: t.additions, KeyDeletions: t.deletions, Rekeys: t.rekeys,
			BadSPIPackets: c.Count(dataplane.UnknownSPI), PacketsNotDecrypted: c.Refused(sa.Malformed) + c.Refused(sa.HardLimit),
			PacketsNotAuthenticated: c.Refused(sa.Authentication)}}
	total := t.gone
	for _, child := range e.children {
		if child.up {
			s.QuickMode.ActiveSecurityAssociations++
		}
		if child.up && child.tunnel() {
			s.QuickMode.ActiveTunnels++
		}
		total.add(now, child)
	}
	total.report(&s.QuickMode)
	return s
}
