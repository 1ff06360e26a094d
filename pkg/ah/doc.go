// Package ah is the Authentication Header of RFC 4302: it authenticates a whole IP datagram, header included, but for what routers
// on the way may change.
//
//	+-----------+-------------+---+-----+-------------+-----+-----+-----+---------+---------+
//	| IP header | next header | L |  0  |     SPI     | seq | ICV, padded   | payload       |
//	+-----------+-------------+---+-----+-------------+-----+-----+-----+---------+---------+
//	|<--hlen--->|<--------------------- Head() -------------------->|<------- n ------->|
//
// The ICV covers the IP header with its mutable fields at zero or, where their last value can be told, at that value; the AH with
// its ICV at zero; the payload; and the high half of an extended sequence number. Only the headers are copied to be masked; the
// payload goes to the MAC where it lies. A GMAC (RFC 4543), which wants its input in one piece, is the exception.
//
// # The life of an object
//
// NewSealer and NewOpener take an integrity algorithm with its key and, for the sealer, the family of the outer IP header, which decides how the ICV
// is padded. Their keys are printed by no verb and marshalled by nothing. Fragments are refused on both sides: AH is for whole datagrams.
//
// Deviation: the home address option of mobile IPv6 (RFC 6275 §11.3.2) is authenticated as it stands, not swapped with the source address.
//
// # Concurrency
//
// A Sealer or Opener holds scratch, so it serves one goroutine at a time; package sa locks around it.
package ah
