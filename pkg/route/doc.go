// Package route leads the host's traffic into the TUN device and the endpoint's own datagrams around it, and takes all of it back.
// Linux only so far: elsewhere every call returns ErrUnavailable.
//
// # What stands in the kernel
//
// One policy-routing rule for each family, "not fwmark M lookup T": every packet without the endpoint's mark asks table T first.
// T holds, for each captured prefix, a route into the TUN and beside it a black hole of worse metric. If the process dies, the TUN
// and its routes vanish with it and the black hole remains: protected traffic stops, it does not leave in clear. The table "local"
// is asked before (priority 0), so delivery to the host itself is not affected. Forwarded packets carry no mark and are captured
// as the host's own are, which is what a gateway wants; packets that come out of the TUN and are for a network behind this gateway
// go by the main table even if a captured prefix (0.0.0.0/0, say) covers them.
//
// The mark is one bit pattern for all instances on a machine in its upper half (MarkBase with MarkMask) and the instance in its
// lower half: sockets of one instance go around the tunnels of every instance, so two of them cannot feed each other.
//
// Everything carries the protocol number Protocol, so that leftovers of a process that was killed are found (Clean), whoever made
// them. What is not a route or a rule, the rp_filter settings that were loosened, is in a state file of mode 0600 under StateDir.
//
// # The life of a Host
//
// Open, Setup (with the TUN device there), Apply as often as the policy or the addresses change, Close. Apply adds before it deletes,
// so that a prefix in both the old and the new set is captured at every moment.
//
// A Host is safe for concurrent use; its calls are serialised.
package route
