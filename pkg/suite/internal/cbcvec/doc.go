// Package cbcvec is AES in CBC mode (NIST SP 800-38A §6.2, RFC 3602) in assembly for processors that do AES on vectors of 512 bits (VAES and
// AVX-512 on amd64): for packets it decrypts between three times (64 bytes) and ten times (1420 bytes) as fast as the standard library, and
// encrypts one and a half times as fast. [Available] says whether it can be used; where it cannot, nothing here can be made, and
// crypto/cipher does the same. [NewEncrypter] and [NewDecrypter] make the two directions, of which an SA needs one; a value lives as long as
// its key, is never changed, and is safe for concurrent use.
//
// Everything takes a time that depends on lengths only: there are no branches on secrets and no tables. As with the standard library,
// buffers overlap exactly or not at all, and nothing is allocated. No byte outside of the buffers is read or written: what is less than a
// vector is done with masks. Keys stay in the memory of the value and, as always in Go, in registers and stacks that were used.
//
// # Decryption
//
// A block of plaintext is a block of ciphertext, deciphered, plus the block of ciphertext before it. Everything that this needs is there at
// the start, so that blocks are deciphered four in a vector and 16 in a stride, and the processor begins a stride while it finishes the one
// before. The blocks before come from registers, not from memory, where in place they are overwritten: a vector of them is the vector of
// blocks moved up by a lane, with the last lane of the vector before. They are added to the last round key, which the last round adds.
//
// # Encryption
//
// A block cannot begin until the one before is done, and takes the time of its rounds, one after the other: 10, 12 or 14. Nothing comes on
// top of that. All round keys are in registers, and the last round of a block is done twice: once with its own key, for the ciphertext, and
// once with that key plus the next block of plaintext plus the first round key, which is where the next block begins.
package cbcvec
