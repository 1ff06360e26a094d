package diagnose

import "io"

// The layers between this host and a peer, in the order in which Ping tries them.
const (
	LayerResolution     = "resolution"     // the target is known, its name has an address
	LayerRoute          = "route"          // this host has a way to the peer
	LayerIKE            = "udp-500"        // the peer's IKE port can be reached
	LayerNAT            = "udp-4500"       // and its port for what passes a NAT
	LayerMainMode       = "main-mode"      // the ends agree on methods and keys
	LayerAuthentication = "authentication" // each has proved who it is
	LayerQuickMode      = "selectors"      // quick mode: the ends agree on traffic and its protection
	LayerESP            = "esp"            // protected packets go and come
	LayerEcho           = "inner-echo"     // an echo inside the SA is answered
	LayerPath           = "path-mtu"       // large packets pass, or their senders are told
)

// Layers lists them. The exit code of `goipsec ping` is FirstExitCode plus the place of the first layer that failed.
var Layers = [...]string{LayerResolution, LayerRoute, LayerIKE, LayerNAT, LayerMainMode, LayerAuthentication, LayerQuickMode, LayerESP, LayerEcho, LayerPath}

// FirstExitCode is that of the first layer.
const FirstExitCode = 10

// Trace is the answer of Ping: every layer once, in order.
type Trace struct {
	SchemaVersion int       `json:"schema_version"`
	Target        string    `json:"target"`
	Rule          string    `json:"rule,omitempty"`
	Peer          string    `json:"peer,omitempty"`  // the address that IKE is spoken to
	Inner         string    `json:"inner,omitempty"` // the address that echoes are sent to
	Layers        []Finding `json:"layers"`
	ExitCode      int       `json:"exit_code"` // 0: no layer failed
}

// set adds a layer, unless it is there.
func (t *Trace) set(f Finding) {
	for i := range t.Layers {
		if t.Layers[i].Name == f.Name {
			return
		}
	}
	t.Layers = append(t.Layers, f)
}

func (t *Trace) ok(layer, what string) { t.set(Finding{Name: layer, State: OK, What: what}) }

func (t *Trace) failed(layer, what, why, next string) {
	t.set(Finding{Name: layer, State: Failed, What: what, Why: why, Next: next})
}

func (t *Trace) skipped(layer, what string) { t.set(Finding{Name: layer, State: Skipped, What: what}) }

// skipRest gives every layer that has not been tried the reason why.
func (t *Trace) skipRest(why string) {
	for _, name := range Layers {
		t.skipped(name, why)
	}
}

// finish puts the layers in order and computes the exit code.
func (t *Trace) finish() {
	byName := map[string]Finding{}
	for _, f := range t.Layers {
		byName[f.Name] = f
	}
	t.Layers = t.Layers[:0]
	for i, name := range Layers {
		t.Layers = append(t.Layers, byName[name])
		if byName[name].State == Failed && t.ExitCode == 0 {
			t.ExitCode = FirstExitCode + i
		}
	}
}

// FirstFailure is the first layer that failed, nil if none did.
func (t *Trace) FirstFailure() *Finding {
	for i := range t.Layers {
		if t.Layers[i].State == Failed {
			return &t.Layers[i]
		}
	}
	return nil
}

// WriteText writes the trace for a person.
func (t Trace) WriteText(w io.Writer) error {
	p := &printer{w: w}
	line := t.Target
	for _, more := range [][2]string{{", rule ", t.Rule}, {", peer ", t.Peer}, {", inside ", t.Inner}} {
		if more[1] != "" && more[1] != t.Target {
			line += more[0] + more[1]
		}
	}
	p.line("%s", line)
	for i := range t.Layers {
		p.finding(&t.Layers[i])
	}
	if f := t.FirstFailure(); f != nil {
		p.line("the first layer that fails: %s", f.Name)
		return p.err
	}
	for i := range t.Layers {
		if t.Layers[i].State == Skipped {
			p.line("no layer that was tried fails")
			return p.err
		}
	}
	p.line("every layer works")
	return p.err
}
