package classifier

import "math/bits"

// A sieve is a set of 64 bits beside a reference to a few rules. It looks at one dimension, without some low bits, modulo 64: where the bit of a packet's
// value is not set, no rule below takes the packet. With rules that are narrow in some dimension, most bits stay clear.

// sieved is how many rules are sieved at most; more would fill the sieves.
const sieved = 64

// by names a dimension and half the number of low bits that are left out.
func by(dim, shift int) uint8 { return uint8(dim<<5 | shift>>1) }

// bin is the bit of a packet.
func (p *point) bin(by uint8) uint64 { return p[by>>5] >> (by & 31 << 1) & 63 }

// passes reports whether both sieves let a packet through.
func (k *kid) passes(p *point) bool {
	return k.sieves[0]>>p.bin(k.by[0])&(k.sieves[1]>>p.bin(k.by[1]))&1 != 0
}

// bins are the bits of an interval.
func bins(from, to uint64, shift uint) uint64 {
	from, to = from>>shift, to>>shift
	if to-from >= 63 {
		return ^uint64(0)
	}
	return bits.RotateLeft64(1<<(to-from+1)-1, int(from&63))
}

// open lets everything through.
func (k *kid) open() { k.sieves = [2]uint64{^uint64(0), ^uint64(0)} }

// widen lets a rule through that was added.
func widen[R any, P rule[R]](k *kid, r *R) {
	for i := range k.sieves {
		from, to := P(r).interval(int(k.by[i] >> 5))
		k.sieves[i] |= bins(from, to, uint(k.by[i]&31<<1))
	}
}

// A region is what the planes above have left of each dimension.
type region [dims][2]uint64

// everywhere is the region above all planes.
func everywhere() (r region) {
	for dim := range dims {
		r[dim][1] = ^uint64(0)
	}
	r[dimProto][1], r[dimSrcPort][1], r[dimDstPort][1] = noProto-1, noPort-1, noPort-1
	return r
}

// sieve gives k, which refers to these rules, two sieves of two dimensions that hold back the most of the packets in a region.
func sieve[R any, P rule[R]](k *kid, rules []R, in *region) {
	if k.open(); len(rules) > sieved {
		return
	}
	let := [2]float64{1, 1} // what share each sieve lets through, ascending
	for dim := range dims {
		share, set, how := sift[R, P](rules, dim, in[dim])
		switch {
		case share < let[0]:
			let[1], k.sieves[1], k.by[1] = let[0], k.sieves[0], k.by[0]
			let[0], k.sieves[0], k.by[0] = share, set, how
		case share < let[1]:
			let[1], k.sieves[1], k.by[1] = share, set, how
		}
	}
}

// sift tries how many low bits of a dimension to leave out, and says what share of the packets the best sieve lets through.
func sift[R any, P rule[R]](rules []R, dim int, in [2]uint64) (share float64, set uint64, how uint8) {
	var from, to [sieved]uint64
	spread, narrow := uint64(0), ^uint64(0)
	for i := range rules {
		from[i], to[i] = P(&rules[i]).interval(dim)
		spread |= from[0] ^ from[i] | from[i] ^ to[i]
		narrow = min(narrow, to[i]-from[i])
	}
	share = 1
	// With fewer bits left out even the narrowest rule fills the sieve; with more, all rules fall into a few bins.
	for shift := bits.Len64(narrow>>6) &^ 1; shift == 0 || shift < bits.Len64(spread)-3; shift += 2 {
		s := uint64(0)
		for i := range rules {
			s |= bins(from[i], to[i], uint(shift))
		}
		all := bits.OnesCount64(bins(in[0], in[1], uint(shift)))
		if c := float64(bits.OnesCount64(s)) / float64(all); c < share {
			share, set, how = c, s, by(dim, shift)
		}
	}
	return share, set, how
}
