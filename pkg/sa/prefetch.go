package sa

import "github.com/goipsec/goipsec/pkg/prefetch"

// Who has packets of many SAs in hand asks for the memory of them all before it seals or opens the first. That needs no lock.

// A Resident is a Sealer or an Opener that tells where it keeps what every packet needs: itself, its state, its keys.
type Resident interface {
	Parts() [3]prefetch.Part
}

func partsOf(x any) (parts [3]prefetch.Part) {
	if r, ok := x.(Resident); ok {
		parts = r.Parts()
	}
	return parts
}

// Prefetch asks for the memory of the SA itself. There may be none: o may be nil.
func (o *Outbound) Prefetch() {
	if o != nil {
		prefetch.Of(o).Ask()
	}
}

// PrefetchKeys asks for that of its Sealer. That reads the SA: Prefetch should lie some time back.
func (o *Outbound) PrefetchKeys() {
	if o != nil {
		for i := range o.parts {
			o.parts[i].Ask()
		}
	}
}

// Prefetch asks for the memory of the SAs that have these SPIs: their slots, the SAs, then their windows and keys.
func (d *DB) Prefetch(spis []uint32) {
	for _, spi := range spis {
		prefetch.Of(&d.slots[spi&d.index]).Ask()
	}
	for _, spi := range spis {
		if i := d.slots[spi&d.index].Load(); i != nil {
			prefetch.Of(i).Ask()
		}
	}
	for _, spi := range spis {
		if i := d.slots[spi&d.index].Load(); i != nil {
			for n := range i.parts {
				i.parts[n].Ask()
			}
		}
	}
}
