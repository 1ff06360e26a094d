// Package live reads from the system's files which servers the live keywords dns and dhcp of a policy stand for: name servers, and
// the servers of DHCP leases that are in use. (Gateways stand in the routing table: see package route.)
//
// # Where it looks
//
// Name servers are those of etc/resolv.conf and, where that points to a resolver on the host itself, as with systemd-resolved and
// NetworkManager, those that these keep in run. Leases are those that dhclient, dhcpcd, systemd-networkd and NetworkManager have
// written down. A lease counts as long as the host has its address: nothing here needs to know the time. A file that is not there,
// or cannot be understood, says nothing; a file that is too long is read from its end, where clients write.
//
// # Life and concurrency
//
// [Files] is a value without state; every call reads anew, and any number may run at once. The files belong to root, and still a parser here
// takes any content: what it finds is an address or nothing. Nothing is written.
package live
