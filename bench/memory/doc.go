// Package memory measures what SAs cost in memory: bytes of live heap for each, at a hundred thousand.
//
// [Run] counts the heap in use after a collection (runtime.MemStats.HeapAlloc), makes so many SAs, and counts again. For an SA pair these are the two
// transforms, the two SAs with counters and replay window, the table that finds the inbound one, and the bundle on its filter of a
// dataplane.Plane, made as an endpoint makes them; a filter for each is there before, since the policy pays for it. One packet goes out and comes in
// through every pair, so that what is allocated at the first packet counts, and so that the SAs are known to work. Beside it stands what the bare
// ciphers of the standard library take, which nothing above them can save.
//
// For an IKE SA two engines negotiate main mode and quick mode with a peer each; what the engine of each role then holds, keys and the
// record of its SA pair included, is counted a minute later, when finished exchanges are forgotten, and right away, when they are not.
//
// Concurrency: one Run at a time, and nothing else in the process that allocates.
package memory
