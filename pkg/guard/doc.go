// Package guard asks the host's firewall to drop clear traffic that the policy says must be protected or blocked. It closes the way
// that a TUN cannot watch: clear packets that arrive on a physical interface, and clear packets that leave by one although they
// should have gone through the TUN.
//
// On Linux it is one nftables table of the family inet for each instance, written through netlink in one transaction: the old rules
// hold until the new ones do. The table outlives a process that is killed (the guard fails closed) until Clear. No connection is
// tracked. Elsewhere, and where the kernel has no nftables, Install returns ErrUnavailable.
//
// What passes in any case: loopback, the TUN, the endpoint's own marked packets, IKE on the ports given, ESP and AH, IPv6 neighbour
// discovery (ICMPv6 types 133 to 137 with hop limit 255), multicast listener discovery, and "too big" messages that quote IKE, ESP or
// AH. Everything else is decided by the
// rules, heaviest first; what no rule matches passes.
//
// Rules that name ports cannot be decided on fragments after the first. If such a rule would drop, a later fragment between its
// addresses is dropped even if a lighter rule would let it pass (security row D10).
//
// All functions are safe for concurrent use; two Installs of one instance at once leave one of the two.
package guard
