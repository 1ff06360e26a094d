package sa

import "github.com/goipsec/goipsec/pkg/prefetch"

// Who has packets of many SAs in hand asks for the memory of them all before it seals or opens the first. That needs no lock.

// A Resident is a Sealer or an Opener that tells where it keeps what every packet needs.
type Resident interface {
	// Part is itself in step 0, its state in step 1, its keys in step 2, or nothing. Each step reads what the one before is.
	Part(step int) prefetch.Part
}

// PrefetchSteps is how many steps it takes to ask for all memory of an SA: itself, then what it points to, and so on. Each reads what the one before it has
// asked for, so that steps are best taken for many SAs in turn.
const PrefetchSteps = 4

func partOf(x any, step int) prefetch.Part {
	if r, ok := x.(Resident); ok {
		return r.Part(step)
	}
	return 0
}

// Prefetch takes a step. There may be nothing to ask for: o may be nil.
func (o *Outbound) Prefetch(step int) {
	switch {
	case o == nil:
	case step == 0:
		prefetch.Of(o).Ask()
	default:
		partOf(o.config.Sealer, step-1).Ask()
	}
}

func (i *Inbound) prefetch(step int) {
	switch {
	case i == nil:
	case step == 0:
		prefetch.Of(i).Ask()
	case step == 1:
		prefetch.Slice(i.window.bits).Ask()
		fallthrough
	default:
		partOf(i.config.Opener, step-1).Ask()
	}
}

// Prefetch takes all steps for the SAs that have these SPIs, after that to their slots.
func (d *DB) Prefetch(spis []uint32) {
	for _, spi := range spis {
		prefetch.Of(&d.slots[spi&d.index]).Ask()
	}
	for step := range PrefetchSteps {
		for _, spi := range spis {
			d.slots[spi&d.index].Load().prefetch(step)
		}
	}
}
