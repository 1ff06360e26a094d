// Package esp is the Encapsulating Security Payload of RFC 4303: it protects payloads in place (Sealer) and opens them in place (Opener).
//
//	 0                               8
//	+-------+-------+---------------+-------------------+---------+-----+----+-----+
//	|  SPI  |  seq  | IV            | payload           | padding | len | NH | ICV |
//	+-------+-------+---------------+-------------------+---------+-----+----+-----+
//	                                |<------------- encrypted -------------->|
//	|<------------------------- authenticated ------------------------------>|
//
// With extended sequence numbers the high half takes part in the ICV without being sent: as additional data between SPI and
// low half in combined modes, appended at the end for a separate MAC.
//
// The IV of every counter mode (GCM, CCM, CTR, ChaCha20-Poly1305, GMAC) is the 64-bit sequence number, which is unique under a key because
// package sa never resets it, and which a Sealer refuses to see fall. The IV of CBC is random, and so cannot be predicted.
//
// # The life of an object
//
// NewSealer and NewOpener take an algorithm pair and its keys and refuse every pair that does not authenticate, unless the caller says
// that an AH outside covers it. They keep the keys to themselves: no verb of fmt prints them and nothing marshals them.
//
// # Concurrency
//
// A Sealer or Opener holds nonce and MAC scratch, so it serves one goroutine at a time; package sa locks around it. Neither
// allocates on the packet path with the algorithms of the standard library.
package esp
