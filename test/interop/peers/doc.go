// Package peers gets the programs that the interoperability tests talk to: strongSwan, user-mode Linux, tshark, iperf3 and
// the small tools beside them.
//
// Nothing is installed on the host. What Debian has and the host lacks is downloaded with apt-get (which checks the signatures),
// unpacked into a tree in the user's cache and laid over /usr inside a mount namespace of the test's own (see package lab). No
// maintainer script runs, so no daemon starts, no user is added and no file of the host changes.
//
// Life of a Set: Ensure takes the cache's lock, finds a complete tree or makes one beside it and renames it into place, and
// returns. A tree that is in place is never written again, so that any number of test processes may share it. Ensure is safe
// to call from several processes at once; a Set is immutable.
package peers
