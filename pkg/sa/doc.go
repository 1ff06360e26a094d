// Package sa holds security associations: simplex, so an Outbound owns a sequence counter and an Inbound owns a replay
// window, and DB finds the Inbound of a packet that arrived.
//
// # The life of an SA
//
// The inbound half begins with a number: DB.Reserve hands out an SPI that no living SA has and that none had lately. When the
// keys are there, NewInbound and NewOutbound join them, in the form of an Opener and a Sealer, with selectors and lifetimes;
// DB.Install makes the inbound half visible to the data plane, and the outbound half hangs on its policy entry. Check says when
// the soft limit is passed (time to negotiate a successor) and when the hard one is (the SA refuses to work). DB.Remove ends it.
//
// A sequence number is never used twice under one key. It counts up from one, stops before it would wrap, is not part
// of any saved state, and with it the IVs of counter modes, which esp and ah derive from it.
//
// # Concurrency
//
// Outbound: Lock, then any number of Next and Seal, then Unlock; everything else may be called at any time by anyone. Inbound:
// every method may be called at any time; Open takes the SA's own lock. DB: Lookup, All and Len never wait; the methods that
// change it exclude each other. Time is always an argument.
package sa
