package monitor

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goipsec/goipsec/pkg/endpoint"
)

func mainModeStatisticsTable(p *endpoint.Page, t *Table) {
	if p.Status != nil {
		figures(t, p.Status.Statistics.MainMode.Figures())
	}
}

func quickModeStatisticsTable(p *endpoint.Page, t *Table) {
	if p.Status != nil {
		figures(t, p.Status.Statistics.QuickMode.Figures())
	}
}

func figures(t *Table, list []endpoint.Figure) {
	t.Columns = []Column{{Title: "Statistic", Whole: true}, {Title: "Value", Number: true}, {Title: "Of", Rank: 1}}
	for _, f := range list {
		of := "since the start"
		if f.Moment {
			of = "now"
		}
		r := t.add(f.Name, []string{f.Name, strconv.FormatUint(f.Value, 10), of})
		r.Alarm = f.Value > 0 && strings.Contains(f.Name, "Failures")
	}
}

func trafficTable(p *endpoint.Page, t *Table) {
	t.Columns = []Column{{Title: "What"}, {Title: "Packets", Number: true}, {Title: "Meaning", Rank: 1}}
	if p.Status == nil {
		return
	}
	x := &p.Status.Traffic
	for _, f := range []struct {
		name    string
		n       uint64
		meaning string
	}{{"from the TUN", x.FromTUN, "what this host wants to send where the policy says something"}, {"sealed", x.Sealed, "protected and sent"},
		{"permitted", x.Permitted, "sent in clear, as the policy says"}, {"soft", x.Soft, "sent in clear under soft SAs: the peer gave no reply"}, {"waiting", x.Waiting, "for a negotiation, now"}, {"received", x.Received, "ESP and AH"},
		{"opened", x.Opened, "proved, decrypted and fit for their SA"}, {"delivered", x.Delivered, "given to this host"}, {"IKE", x.IKEDatagramsIn, "datagrams of the key exchange"}} {
		t.add(f.name, []string{f.name, strconv.FormatUint(f.n, 10), f.meaning})
	}
	reasons(t, "dropped: ", "packets that went no further", p.Status.Drops)
	reasons(t, "IKE refused: ", "datagrams that the key exchange did not take", p.Status.IKE.Refused)
}

// reasons adds a row for each reason that has counted something.
func reasons(t *Table, prefix, meaning string, counts map[string]uint64) {
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		if counts[k] > 0 {
			t.add(prefix+k, []string{prefix + k, strconv.FormatUint(counts[k], 10), meaning})
		}
	}
}

func peersTable(p *endpoint.Page, t *Table) {
	t.Columns = []Column{{Title: "ID", Number: true, Rank: 4}, {Title: "Me", Rank: 2}, {Title: "Peer", Whole: true}, {Title: "State", Rank: 1}, {Title: "Authentication", Rank: 7}, {Title: "Identity", Rank: 3},
		{Title: "Encryption", Rank: 8}, {Title: "Integrity", Rank: 9}, {Title: "Group", Rank: 10}, {Title: "Age", Number: true, Rank: 5}, {Title: "Left", Number: true, Rank: 6}}
	for _, x := range p.Peers {
		id := strconv.FormatUint(x.ID, 10)
		r := t.add(id, []string{id, x.Local.String(), x.Remote.String(), x.State, x.Auth, x.RemoteID, sized(x.Encr, x.KeyBits), x.Hash, x.Group, elapsed(x.AgeSeconds), elapsed(x.SecondsLeft)},
			Field{"Rule", x.Rule}, Field{"This host was", role(x.Initiator)}, Field{"Cookies", x.InitiatorCookie + " " + x.ResponderCookie},
			Field{"NAT", nat(x)}, Field{"Dead peer detection", yes(x.DPD)}, Field{"Weak", x.Weak})
		r.SA, r.Alarm = id, x.Weak != ""
	}
}

func childrenTable(p *endpoint.Page, t *Table) {
	t.Columns = []Column{{Title: "ID", Number: true, Rank: 3}, {Title: "Rule", Rank: 4}, {Title: "Peer", Whole: true}, {Title: "Protects", Rank: 7}, {Title: "Mode", Rank: 5},
		{Title: "State", Rank: 2}, {Title: "In", Number: true, Rank: 1}, {Title: "Out", Number: true, Rank: 1}, {Title: "Age", Number: true, Rank: 9}, {Title: "Left", Number: true, Rank: 10},
		{Title: "Methods", Rank: 8}, {Title: "Me", Rank: 6}}
	for _, x := range p.Children {
		id := strconv.FormatUint(x.ID, 10)
		methods, spis, weak := protocols(x.Protocols)
		r := t.add(id, []string{id, x.Rule, address(x.Remote.String()), x.Selector.String(), x.Mode, x.State, bytes(x.BytesIn), bytes(x.BytesOut), elapsed(x.AgeSeconds), left(x), methods,
			address(x.Local.String())},
			Field{"SPIs", spis}, Field{"Packets", fmt.Sprintf("%d in, %d out", x.PacketsIn, x.PacketsOut)}, Field{"Bytes", fmt.Sprintf("%d in, %d out", x.BytesIn, x.BytesOut)},
			Field{"Idle", elapsed(x.IdleSeconds)}, Field{"Encapsulation", x.Encap}, Field{"Extended sequence numbers", yes(x.ESN)}, Field{"This host was", role(x.Initiator)},
			Field{"Main-mode SA", orEmpty(x.PeerID)}, Field{"Largest inner packet", orEmpty(uint64(max(x.MTU, 0)))}, Field{"Weak", weak})
		r.SA, r.Alarm = id, weak != ""
		if x.Manual {
			r.SA = ""
		}
	}
}

func protocols(list []endpoint.ChildKeys) (methods, spis, weak string) {
	var ms, ss, ws []string
	for _, k := range list {
		ms = append(ms, strings.TrimSpace(strings.Join([]string{k.Protocol, sized(k.Encr, k.KeyBits), k.Integ}, " ")))
		ss = append(ss, fmt.Sprintf("%s %08x in, %08x out", k.Protocol, k.SPIIn, k.SPIOut))
		if k.Weak != "" {
			ws = append(ws, k.Weak)
		}
	}
	return strings.Join(ms, " + "), strings.Join(ss, "; "), strings.Join(ws, "; ")
}

func softTable(p *endpoint.Page, t *Table) {
	t.Columns = []Column{{Title: "Rule", Rank: 1}, {Title: "In clear", Min: 30}, {Title: "Age", Number: true, Rank: 4}, {Title: "Left", Number: true, Rank: 2}, {Title: "Packets out", Number: true, Rank: 3},
		{Title: "Out", Number: true, Rank: 5}}
	for i, x := range p.Soft {
		r := t.add(strconv.Itoa(p.Offset+i), []string{x.Rule, x.Selector.String(), elapsed(x.AgeSeconds), elapsed(x.SecondsLeft), strconv.FormatUint(x.PacketsOut, 10), bytes(x.BytesOut)},
			Field{"Filter", x.Filter})
		r.Alarm = true
	}
}

func dynamicTable(p *endpoint.Page, t *Table) {
	t.Columns = []Column{{Title: "Filter", Min: 30}, {Title: "SAs", Number: true, Rank: 1}, {Title: "Age", Number: true, Rank: 2}, {Title: "Left", Number: true, Rank: 3}}
	for _, x := range p.Dynamic {
		left := ""
		if x.SecondsLeft != nil {
			left = elapsed(*x.SecondsLeft)
		}
		t.add(x.FilterID, []string{x.Selector.String(), strconv.Itoa(x.SAs), elapsed(x.AgeSeconds), left})
	}
}

func eventsTable(p *endpoint.Page, t *Table) {
	t.Columns = []Column{{Title: "Time", Whole: true}, {Title: "Event", Rank: 2}, {Title: "Peer", Rank: 3}, {Title: "What happened", Min: 44}}
	for _, e := range p.Events {
		peer := ""
		if e.Remote.IsValid() {
			peer = e.Remote.String()
		}
		what := e.What + times(e.Count)
		if e.Why != "" {
			what += ": " + e.Why
		}
		r := t.add(strconv.FormatUint(e.Seq, 10), []string{clock(e.Time), string(e.Kind), peer, what},
			Field{"Date", e.Time.Format(time.DateTime)}, Field{"Rule", e.Rule}, Field{"Likely cause", e.Why}, Field{"Next step", e.Next}, Field{"Proposals", e.Detail})
		r.Alarm = e.Kind == endpoint.EventFailure || e.Kind == endpoint.EventReloadRefused || e.Kind == endpoint.EventSoft
	}
}

func failuresTable(p *endpoint.Page, t *Table) {
	t.Columns = []Column{{Title: "Time", Whole: true}, {Title: "Rule", Rank: 2}, {Title: "Peer", Rank: 1}, {Title: "What happened", Min: 44}, {Title: "Likely cause", Rank: 3}, {Title: "Next step", Rank: 4}}
	for i, f := range p.Failures {
		r := t.add(strconv.Itoa(p.Offset+i)+f.Time.String(), []string{clock(f.Time), f.Rule, f.Remote.String(), f.What + times(f.Count), f.Why, f.Next},
			Field{"Date", f.Time.Format(time.DateTime)}, Field{"Proposals", f.Detail})
		r.Alarm = true
	}
}
