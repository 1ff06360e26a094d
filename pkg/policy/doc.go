// Package policy is the policy model of Windows IPsec: a policy holds rules; a rule joins filters, a filter action,
// authentication methods and, for a tunnel, its ends. The order of rules and filters never matters.
//
// # Life of a policy
//
// A [Policy] is what an administrator wrote: generic filters between sides such as me, any, a subnet or a DNS name.
// [Policy.Resolve] gives names their addresses. [Compile] expands everything for the addresses of one host into a [Compiled]:
// specific quick-mode filters, which the data plane enforces and quick mode negotiates, and main-mode filters, by which IKE finds
// how to speak to a peer. When the host's addresses or the file change, Compile runs again; a filter with the same
// [QuickModeFilter.ID] means the same as before, so its SAs stay.
//
// # Which filter decides
//
// Each specific filter has a weight ([classifier.Filter.Compare]): how many sides are one address, then how many are a subnet or
// range, then prefix lengths, range sizes, a protocol, ports. The heaviest match decides, alone. A filter whose packets are a proper
// subset of another's always weighs more. On equal weight a rule with a connection type goes before one without, then block before negotiate before permit, then a fixed order
// of addresses. Equal filters that do different things are an error.
//
// # Directions
//
// A filter from an address of this host stands in the outbound list, one to such an address in the inbound list, any other in
// both. A mirrored filter becomes two. The filters of a tunnel are for what leaves; each gets an inbound twin.
//
// # Concurrency
//
// Everything here is immutable once made and may be shared. Nothing here reads a clock, a file or the network.
package policy
