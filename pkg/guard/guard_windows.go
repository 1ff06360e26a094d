package guard

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/tailscale/wf"
	"go4.org/netipx"
	"golang.org/x/sys/windows"
)

const system = "wfp"

// provider owns everything of ours; the sublayers of instances are named "goipsec INSTANCE 1" and, for every other guard, "… 2".
var provider = wf.ProviderID(idOf("provider"))

// idOf derives a GUID from a name, so that what a killed process left is found again.
func idOf(name string) windows.GUID {
	h := sha256.Sum256([]byte("goipsec " + name))
	g := windows.GUID{Data1: binary.BigEndian.Uint32(h[:]), Data2: binary.BigEndian.Uint16(h[4:]), Data3: binary.BigEndian.Uint16(h[6:])&0x0fff | 0x8000}
	copy(g.Data4[:], h[8:16])
	g.Data4[0] = g.Data4[0]&0x3f | 0x80
	return g
}

func sublayerOf(instance string, turn int) wf.SublayerID {
	return wf.SublayerID(idOf(fmt.Sprintf("sublayer %s %d", instance, turn)))
}

const sublayerName = "goipsec "

// open opens a session whose objects stay when it ends: the guard fails closed until Clear, or a restart of the system.
func open() (*wf.Session, error) {
	s, err := wf.New(&wf.Options{Name: "goipsec guard"})
	if err != nil {
		return nil, fmt.Errorf("%w (Windows Filtering Platform: %w)", ErrUnavailable, err)
	}
	return s, nil
}

// install adds a second sublayer before it removes the first: while both are there a packet must pass both, so that nothing passes that either forbids.
func install(cfg Config) (err error) {
	if err := check(&cfg); err != nil {
		return err
	}
	luid, err := luidOf(cfg.Device)
	if err != nil {
		return err
	}
	s, err := open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	old, err := turnOf(s, cfg.Instance)
	if err != nil {
		return err
	}
	fresh := 3 - max(old, 1)
	if old == 0 {
		fresh = 1
	}
	if err := s.AddProvider(&wf.Provider{ID: provider, Name: "goipsec"}); err != nil && !errors.Is(err, windows.Errno(windows.FWP_E_ALREADY_EXISTS)) {
		return unavailable(err)
	}
	id := sublayerOf(cfg.Instance, fresh)
	if err := removeSublayer(s, id); err != nil && !errors.Is(err, windows.Errno(windows.FWP_E_SUBLAYER_NOT_FOUND)) { // that of one who was killed while it was half made; the old one still holds
		return err
	}
	if err := s.AddSublayer(&wf.Sublayer{ID: id, Name: sublayerName + cfg.Instance, Provider: provider, Weight: 0xfff0}); err != nil {
		return unavailable(err)
	}
	for i, f := range wfpFilters(&cfg, luid) {
		if err := s.AddRule(ruleOf(&f, id, i)); err != nil {
			return errors.Join(unavailable(err), removeSublayer(s, id))
		}
	}
	if old == 0 {
		return nil
	}
	return removeSublayer(s, sublayerOf(cfg.Instance, old))
}

func unavailable(err error) error {
	return fmt.Errorf("%w (Windows Filtering Platform: %w; administrator's rights are needed)", ErrUnavailable, err)
}

// turnOf returns which of its two sublayers an instance has, 0 for none.
func turnOf(s *wf.Session, instance string) (int, error) {
	layers, err := s.Sublayers(provider)
	if err != nil {
		return 0, unavailable(err)
	}
	for turn := 1; turn <= 2; turn++ {
		if slices.ContainsFunc(layers, func(l *wf.Sublayer) bool { return l.ID == sublayerOf(instance, turn) }) {
			return turn, nil
		}
	}
	return 0, nil
}

var wfpLayers = map[string]wf.LayerID{"inbound4": wf.LayerInboundTransportV4, "inbound6": wf.LayerInboundTransportV6, "outbound4": wf.LayerOutboundTransportV4,
	"outbound6": wf.LayerOutboundTransportV6, "forward4": wf.LayerIPForwardV4, "forward6": wf.LayerIPForwardV6}

var wfpFields = map[string]wf.FieldID{"local": wf.FieldIPLocalAddress, "remote": wf.FieldIPRemoteAddress, "source": wf.FieldIPSourceAddress,
	"destination": wf.FieldIPDestinationAddress, "protocol": wf.FieldIPProtocol, "local-port": wf.FieldIPLocalPort, "remote-port": wf.FieldIPRemotePort,
	"interface": wf.FieldIPLocalInterface, "arrival": wf.FieldIPArrivalInterface, "next": wf.FieldIPForwardInterface, "loopback": wf.FieldFlags}

func ruleOf(f *wfpFilter, sublayer wf.SublayerID, index int) *wf.Rule {
	r := &wf.Rule{ID: wf.RuleID(idOf(fmt.Sprintf("rule %v %d", sublayer, index))), Name: f.Name, Layer: wfpLayers[f.Layer], Sublayer: sublayer, Weight: f.Weight,
		Provider: provider, Action: wf.ActionPermit}
	if f.Block {
		r.Action = wf.ActionBlock
	}
	for _, c := range f.Conditions {
		m := &wf.Match{Field: wfpFields[c.Field], Op: wf.MatchTypeEqual, Value: c.Value}
		switch v := c.Value.(type) {
		case bool:
			m.Op, m.Value = wf.MatchTypeFlagsAllSet, wf.ConditionFlagIsLoopback
		case netip.Prefix:
			m.Value = v
		case classifier.Range:
			m.Op, m.Value = wf.MatchTypeRange, netipx.IPRangeFrom(v.From, v.To)
			if p, ok := v.Prefix(); ok {
				m.Op, m.Value = wf.MatchTypeEqual, p
			}
		case classifier.Ports:
			m.Op, m.Value = wf.MatchTypeRange, wf.Range{From: v.From, To: v.To}
			if v.From == v.To {
				m.Op, m.Value = wf.MatchTypeEqual, v.From
			}
		}
		r.Conditions = append(r.Conditions, m)
	}
	return r
}

func removeSublayer(s *wf.Session, id wf.SublayerID) error {
	rules, err := s.Rules()
	if err != nil {
		return unavailable(err)
	}
	var errs []error
	// What permits goes first, so that nothing is open in between.
	for _, action := range [...]wf.Action{wf.ActionPermit, wf.ActionBlock} {
		for _, r := range rules {
			if r.Sublayer == id && r.Action == action {
				errs = append(errs, s.DeleteRule(r.ID))
			}
		}
	}
	return errors.Join(append(errs, s.DeleteSublayer(id))...)
}

func clearTable(instance string) (removed bool, err error) {
	if err := checkInstance(instance); err != nil {
		return false, err
	}
	s, err := open()
	if err != nil {
		return false, nil // where the platform cannot be asked there is nothing of ours
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	for {
		turn, err := turnOf(s, instance)
		if err != nil || turn == 0 {
			return removed, err
		}
		if err := removeSublayer(s, sublayerOf(instance, turn)); err != nil {
			return removed, fmt.Errorf("the guard of instance %s could not be removed; a restart of the system removes it: %w", instance, err)
		}
		removed = true
	}
}

func list() (names []string, err error) {
	s, err := open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	layers, err := s.Sublayers(provider)
	if err != nil {
		return nil, unavailable(err)
	}
	for _, l := range layers {
		if name, ok := strings.CutPrefix(l.Name, sublayerName); ok && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// show lists the filters of an instance. The platform does not count what each drops.
func show(instance string) (l *Listing, err error) {
	if err := checkInstance(instance); err != nil {
		return nil, err
	}
	s, err := open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	turn, err := turnOf(s, instance)
	if err != nil {
		return nil, err
	}
	if turn == 0 {
		return nil, fmt.Errorf("%w %s", ErrNone, instance)
	}
	rules, err := s.Rules()
	if err != nil {
		return nil, unavailable(err)
	}
	rules = slices.DeleteFunc(rules, func(r *wf.Rule) bool { return r.Sublayer != sublayerOf(instance, turn) })
	slices.SortFunc(rules, func(a, b *wf.Rule) int { return int(min(max(int64(b.Weight-a.Weight), -1), 1)) })
	l = &Listing{SchemaVersion: SchemaVersion, Instance: instance, System: System}
	for _, r := range rules {
		x := Line{Direction: forwarded, What: r.Name, Verdict: accept}
		for name, id := range wfpLayers {
			if id == r.Layer && !strings.HasPrefix(name, "forward") {
				x.Direction = strings.TrimRight(name, "46")
			}
		}
		if r.Action == wf.ActionBlock {
			x.Verdict = drop
		}
		if number, text, ok := strings.Cut(r.Name, " "); ok {
			if n, err := strconv.Atoi(number); err == nil {
				x.Rule, x.What = n, text
			}
		}
		l.Lines = append(l.Lines, x)
	}
	l.sort()
	return l, nil
}

func dropped(instance string) (Dropped, error) {
	_, err := show(instance)
	return Dropped{}, err
}

var indexToLUID = windows.NewLazySystemDLL("iphlpapi.dll").NewProc("ConvertInterfaceIndexToLuid")

// luidOf returns the number by which the platform knows a device.
func luidOf(device string) (luid uint64, err error) {
	i, err := net.InterfaceByName(device)
	if err != nil {
		return 0, fmt.Errorf("the guard does not find the device %s: %w", device, err)
	}
	if r, _, _ := indexToLUID.Call(uintptr(i.Index), uintptr(unsafe.Pointer(&luid))); r != 0 {
		return 0, fmt.Errorf("the guard does not find the number of the device %s: %w", device, windows.Errno(r))
	}
	return luid, nil
}
