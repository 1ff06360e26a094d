package ah

// mask6 masks an IPv6 header and the extension headers before the AH in place (RFC 4302 §3.3.3.1.2): traffic class, flow label and hop limit become
// zero, and so does the data of options that may change on the way; a routing header takes its final form.
func mask6(ip []byte) error {
	if len(ip) < headerLen6 {
		return ErrHeader
	}
	ip[0], ip[1], ip[2], ip[3] = 6<<4, 0, 0, 0
	ip[7] = 0
	next, rest := ip[6], ip[headerLen6:]
	for range maxExtension {
		if next == protocol || len(rest) == 0 {
			break
		}
		if next == protoFrag {
			return ErrFragment
		}
		if len(rest) < 8 || (int(rest[1])+1)*8 > len(rest) {
			return ErrHeader
		}
		ext := rest[:(int(rest[1])+1)*8]
		if err := maskExtension(ip, ext, next); err != nil {
			return err
		}
		next, rest = ext[0], rest[len(ext):]
	}
	if next != protocol || len(rest) != 0 {
		return ErrHeader
	}
	return nil
}

// maskExtension masks one extension header; kind is the protocol number that announced it.
func maskExtension(ip, ext []byte, kind uint8) error {
	const hopByHop, routing, destination = 0, 43, 60
	switch kind {
	case hopByHop, destination:
		return maskOptions6(ext[2:])
	case routing:
		return maskRouting(ip, ext)
	}
	return ErrHeader
}

// maskOptions6 zeroes the data of every option whose type says that it may change on the way (RFC 8200 §4.2: the third-highest bit). Type and
// length stay.
func maskOptions6(opts []byte) error {
	const pad1, enRoute = 0, 0x20
	for len(opts) > 0 {
		if opts[0] == pad1 {
			opts = opts[1:]
			continue
		}
		if len(opts) < 2 || 2+int(opts[1]) > len(opts) {
			return ErrHeader
		}
		size := 2 + int(opts[1])
		if opts[0]&enRoute != 0 {
			clear(opts[2:size])
		}
		opts = opts[size:]
	}
	return nil
}

// maskRouting brings a routing header and the destination address into the form in which they arrive (RFC 4302 §3.3.3.1.2.3). Each hop that is still to
// come swaps the destination with the next address of the list (RFC 2460 §4.4); so the destination becomes the last address, and the others move
// up by one. Types 0 and 2 (RFC 6275 §6.4) are known; of others only those that have arrived.
func maskRouting(ip, ext []byte) error {
	left := int(ext[3])
	if left == 0 {
		return nil
	}
	const source, mobile = 0, 2
	addresses := ext[8:]
	n := len(addresses) / 16
	if ext[2] != source && ext[2] != mobile || len(addresses)%16 != 0 || left > n {
		return ErrHeader
	}
	destination := ip[24:40]
	var last [16]byte
	copy(last[:], addresses[(n-1)*16:])
	coming := addresses[(n-left)*16:]
	copy(coming[16:], coming[:len(coming)-16])
	copy(coming, destination)
	copy(destination, last[:])
	ext[3] = 0
	return nil
}
