package ah

import (
	"encoding/binary"
	"errors"
)

var (
	// ErrHeader is an IP header that cannot be the one in front of an AH: of the wrong family, cut off, with malformed options or
	// extension headers, or with a routing header whose final form is not known.
	ErrHeader = errors.New("ah: malformed IP header")
	// ErrFragment is a fragment: AH is applied to whole datagrams only (RFC 4302 §3.3.4, §3.4.1).
	ErrFragment = errors.New("ah: fragment")
)

const (
	protocol     = 51
	headerLen4   = 20
	headerLen6   = 40
	fixedLen     = 12 // AH without its ICV
	protoFrag    = 44
	maxExtension = 16 // IPv6 extension headers before the AH
)

// mask appends to dst the IP header ip, with everything in front of the AH, as the ICV sees it (RFC 4302 §3.3.3.1).
func mask(dst, ip []byte) ([]byte, error) {
	if len(ip) == 0 {
		return dst, ErrHeader
	}
	start := len(dst)
	dst = append(dst, ip...)
	switch ip[0] >> 4 {
	case 4:
		return dst, mask4(dst[start:])
	case 6:
		return dst, mask6(dst[start:])
	}
	return dst, ErrHeader
}

// mask4 masks an IPv4 header in place (RFC 4302 §3.3.3.1.1): TOS, flags, fragment offset, TTL and checksum become zero.
func mask4(ip []byte) error {
	if len(ip) < headerLen4 || int(ip[0]&15)*4 != len(ip) || ip[9] != protocol {
		return ErrHeader
	}
	if binary.BigEndian.Uint16(ip[6:])&0x3fff != 0 {
		return ErrFragment
	}
	ip[1] = 0
	ip[6], ip[7], ip[8] = 0, 0, 0
	ip[10], ip[11] = 0, 0
	return maskOptions4(ip)
}

// IPv4 options (RFC 4302 appendix A1). All that are not immutable are zeroed whole, type and length too.
const (
	optEnd        = 0
	optNop        = 1
	optSecurity   = 130
	optLSRR       = 131
	optExtended   = 133
	optCommercial = 134
	optSSRR       = 137
	optRouterAlrt = 148
	optMultiDest  = 149
)

func maskOptions4(ip []byte) error {
	for opts := ip[headerLen4:]; len(opts) > 0; {
		size := 1
		switch opts[0] {
		case optEnd, optNop:
		default:
			if len(opts) < 2 || int(opts[1]) < 2 || int(opts[1]) > len(opts) {
				return ErrHeader
			}
			size = int(opts[1])
		}
		if opts[0] == optEnd { // what follows is padding, and taken as it stands
			return nil
		}
		if err := maskOption4(ip, opts[:size]); err != nil {
			return err
		}
		opts = opts[size:]
	}
	return nil
}

func maskOption4(ip, opt []byte) error {
	switch opt[0] {
	case optNop, optSecurity, optExtended, optCommercial, optRouterAlrt, optMultiDest:
		return nil
	case optLSRR, optSSRR:
		// "the destination address is mutable but predictable": it will be the last of the route. Once the pointer is past
		// the end it is there already (RFC 791 §3.1).
		if len(opt) < 3 || (len(opt)-3)%4 != 0 {
			return ErrHeader
		}
		if pointer := int(opt[2]); pointer <= len(opt) && len(opt) >= 7 {
			copy(ip[16:20], opt[len(opt)-4:])
		}
	}
	clear(opt)
	return nil
}
