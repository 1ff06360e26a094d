package esp

import "github.com/goipsec/goipsec/pkg/prefetch"

// keyBytes is about what the keys of an AEAD take: those of AES-GCM with the powers of its hash.
const keyBytes = 512

// Part tells where the sealer keeps what every packet needs; see sa.Resident.
func (s *Sealer) Part(step int) prefetch.Part {
	if step == 0 {
		return prefetch.Of(s)
	}
	return part(s.transform, step)
}

// Part tells where the opener keeps what every packet needs; see sa.Resident.
func (o *Opener) Part(step int) prefetch.Part {
	if step == 0 {
		return prefetch.Of(o)
	}
	return part(o.transform, step)
}

func part(t transform, step int) prefetch.Part {
	combined, _ := t.(*combined)
	if gmac, ok := t.(*gmac); ok {
		combined = &gmac.combined
	}
	switch {
	case step == 1 && combined == nil:
		return prefetch.Value(t, keyBytes)
	case step == 1:
		return prefetch.Of(combined)
	case step == 2 && combined != nil:
		return prefetch.Value(combined.aead, keyBytes)
	}
	return 0
}
