package route

// Trace is what stands in the kernel's routing under the table of one instance, running or not.
type Trace struct {
	Table uint32
	// Rules, Captures and BlackHoles count what leads there, the routes into a TUN device, and the black holes beside them. The routes into the device go
	// with the process that made it; the black holes stay.
	Rules, Captures, BlackHoles int
	// Foreign are routes in the table that are not ours, in words.
	Foreign []string
}

// Orphaned reports whether the process is gone whose traces these are: nothing leads into a device any more.
func (t *Trace) Orphaned() bool { return t.Captures == 0 && (t.BlackHoles > 0 || t.Rules > 0) }

// Contender is a policy-routing rule that the kernel asks before that of an instance.
type Contender struct {
	// Rule says what it is, in words.
	Rule string
	// Always is set if it is for every packet; otherwise it has conditions of its own.
	Always bool
	// Routes are those of its table that cover some of the prefixes that were asked about, in words; a rule that refuses packets itself is among them.
	Routes []string
}
