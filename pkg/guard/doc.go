// Package guard asks the host's firewall to drop clear traffic that the policy says must be protected or blocked. It closes the way
// that a TUN cannot watch: clear packets that arrive on a physical interface, and clear packets that leave by one although they
// should have gone through the TUN.
//
// On Linux it is one nftables table of the family inet for each instance, written through netlink: the old rules
// hold until the new ones do, and change at one moment. The table outlives a process that is killed (the guard fails closed) until Clear. No connection is
// tracked. On macOS it is an anchor of pf and on Windows a sublayer of the Windows Filtering Platform; what these are told is written by code that is the same
// on every system (pf.go, wfp.go) and tested there, but has not been tried on a real one. Elsewhere, and where the kernel has no nftables, Install returns
// ErrUnavailable.
//
// What passes in any case: loopback, the TUN, the endpoint's own marked packets, what the policy exempts, and, to and from this host only, IKE on the
// ports given, ESP and AH, IPv6 neighbour discovery (ICMPv6 types 133 to 137 with hop limit 255), multicast listener discovery, and "too big" messages that quote
// IKE, ESP or AH. Everything else is decided by the rules, heaviest first; what no rule matches passes. A side of a rule may be "me": the host's addresses
// as they are when the packet passes, so that a new address is covered before anybody has heard of it.
//
// IPv6 datagrams in fragments are judged by the first one. Where rules name ports or protocols, a first fragment that has not all that they compare is
// dropped, and so is a packet whose upper-layer protocol cannot be found: neither could be told from one that a rule drops.
//
// Rules that name ports cannot be decided on fragments after the first. If such a rule would drop, a later fragment between its
// addresses is dropped even if a lighter rule would let it pass (security row D10).
//
// All functions are safe for concurrent use; two Installs of one instance at once leave one of the two.
package guard
