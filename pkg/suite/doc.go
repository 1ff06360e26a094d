// Package suite is the only place that names cryptographic algorithms. It turns the numbers that IANA gave them, and the names that
// people write, into ciphers, MACs, pseudo-random functions and key exchanges.
//
// An algorithm is a number: an [Encr], [Integ], [Hash] or [Group]. Its Info says how long keys, salts, IVs, blocks and ICVs are, why it
// is weak if it is, and how much data one key should protect; [Encrs], [Integs], [Hashes] and [Groups] list what may be
// proposed to a peer. The constructors make:
//
//   - [NewAEAD]: a combined mode (GCM, CCM, ChaCha20-Poly1305, GMAC) whose nonce is salt and IV;
//   - [NewCipher]: an ESP cipher without integrity (CBC, CTR, NULL) whose IV is the packet's;
//   - [NewMAC]: a keyed MAC with a truncated value, the ICV of ESP and AH;
//   - [Hash.PRF]: the HMAC of IKEv1; the derivations made of it are IKE's;
//   - [NewKeyExchange]: one side of a Diffie-Hellman exchange. It lives for one exchange: make a new one for the next.
//
// Keys come in as bytes and are not kept beyond what the algorithm needs; nothing here prints them. All comparisons of secrets, and all
// arithmetic with them, take constant time, with two exceptions that are the standard library's: DES uses tables, and so does AES on
// processors without instructions for it.
//
// [SelfTest] is to be called once at the start of a program: it compares every algorithm with known answers. One that answers
// wrongly is disabled; its constructor fails, its Info is not ok, and the lists leave it out.
//
// AES-GCM and AES-GMAC with whole ICVs or ICVs of 12 bytes, AES-CBC and ChaCha20-Poly1305 are of Go's libraries, or our own on vectors of 512 bits where
// the processor can; [UseVectors] chooses and [VectorsInUse] tells. If the self-test finds vectors wrong, the library is used instead and SelfTest says so.
//
// # Concurrency
//
// The functions of the package, the AEADs and the key exchanges are safe for concurrent use. A [Cipher] and a MAC hold state: each
// belongs to one goroutine at a time.
package suite
