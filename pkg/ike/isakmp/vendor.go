package isakmp

import "bytes"

// Vendor IDs that say what a peer can do.
var (
	// VendorNATT is RFC 3947 §3.1: MD5("RFC 3947").
	VendorNATT = []byte{0x4a, 0x13, 0x1c, 0x81, 0x07, 0x03, 0x58, 0x45, 0x5c, 0x57, 0x28, 0xf2, 0x0e, 0x95, 0x45, 0x2f}
	// VendorDPD is RFC 3706 §5.1, version 1.0.
	VendorDPD = []byte{0xaf, 0xca, 0xd7, 0x13, 0x68, 0xa1, 0xf1, 0xc9, 0x6b, 0x86, 0x96, 0xfc, 0x77, 0x57, 0x01, 0x00}
	// VendorXAuth is that of draft-beaulieu-ike-xauth-02.
	VendorXAuth = []byte{0x09, 0x00, 0x26, 0x89, 0xdf, 0xd6, 0xb7, 0x12}
	// VendorQueues is ours, MD5("goipsec: a child SA for each queue"): the peer works in several queues and takes a Queue notification.
	VendorQueues = []byte{0x92, 0x38, 0x73, 0x6c, 0x19, 0x42, 0x69, 0x2e, 0x2d, 0xff, 0x0c, 0x81, 0xc9, 0x13, 0x19, 0x83}
	// VendorFragmentation is MD5("FRAGMENTATION") and the exchanges that it is for: main mode, and what follows.
	VendorFragmentation = append(fragmentationHash[:len(fragmentationHash):len(fragmentationHash)], 0x80, 0, 0, 0)

	fragmentationHash = []byte{0x40, 0x48, 0xb7, 0xd5, 0x6e, 0xbc, 0xe8, 0x85, 0x25, 0xe7, 0xde, 0x7f, 0x00, 0xd6, 0xc2, 0xd3}
)

// KnowsFragments reports whether a vendor ID says that the peer joins fragments of messages. Some peers send the hash alone; where the exchanges are named,
// any of them will do, because none of the peers that name them means it.
func KnowsFragments(vendor []byte) bool {
	rest, ok := bytes.CutPrefix(vendor, fragmentationHash)
	return ok && (len(rest) == 0 || len(rest) == 4 && string(rest) != "\x00\x00\x00\x00")
}
