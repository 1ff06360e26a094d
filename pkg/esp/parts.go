package esp

import "github.com/goipsec/goipsec/pkg/prefetch"

// keyBytes is about what the keys of an AEAD take: those of AES-GCM with the powers of its hash.
const keyBytes = 512

// Parts tells where the sealer keeps what every packet needs; see sa.Resident.
func (s *Sealer) Parts() [3]prefetch.Part { return parts(prefetch.Of(s), s.transform) }

// Parts tells where the opener keeps what every packet needs.
func (o *Opener) Parts() [3]prefetch.Part { return parts(prefetch.Of(o), o.transform) }

func parts(own prefetch.Part, t transform) [3]prefetch.Part {
	switch t := t.(type) {
	case *combined:
		return [3]prefetch.Part{own, prefetch.Of(t), prefetch.Value(t.aead, keyBytes)}
	case *gmac:
		return [3]prefetch.Part{own, prefetch.Of(t), prefetch.Value(t.aead, keyBytes)}
	}
	return [3]prefetch.Part{own, prefetch.Value(t, keyBytes)}
}
