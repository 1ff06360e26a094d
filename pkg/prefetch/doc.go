// Package prefetch asks the processor for memory before it is needed.
//
// A look-up that follows pointers through more memory than the caches hold waits for each of them in turn. Who has several look-ups to do can ask
// for the next memory of each, and go on with one when that of the others is on its way:
//
//	for each of a batch: Line(what it needs next)
//	for each of a batch: use it
//
// These are the instructions PREFETCHT0 of amd64 and PRFM of arm64; elsewhere nothing is done. They never fail, whatever the address, and change
// nothing but how long later loads take. A call costs about two nanoseconds: it pays where the memory is in no near cache, and only there.
//
// There are no objects; any number of goroutines may call at once.
package prefetch
