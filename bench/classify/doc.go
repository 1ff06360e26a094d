// Package classify measures packet classification: how long a look-up takes, how long an index takes to build, and how large it is.
//
// [Run] takes filters (a ClassBench file, in which the line number is the priority; ready-made entries, such as those of a policy; generated
// host pairs; or any number that [Grow] makes in the likeness of given sets), takes or makes a trace of packets, and reports a [Result] that encodes as JSON. Every answer can be held to the
// linear truth, classifier.Filter.Match on one entry after the other.
//
// The trace is made before the clock starts, and each round looks up all of it twice: packet by packet, and in batches of [Batch], as the data plane does. Made traces draw filters at random and a packet in a corner of each, one in
// sixteen a fragment without ports, so that large sets touch memory as real traffic would at its worst: no flow cache helps.
//
// If it is asked to, Run also inserts and deletes filters, one at a time, while other goroutines look up, and says what one change takes.
//
// Run reads the clock and files; all goroutines that it starts have ended when it returns, and several runs at once only disturb each other's figures.
package classify
