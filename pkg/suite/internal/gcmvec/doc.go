// Package gcmvec is AES-GCM (NIST SP 800-38D) in assembly for processors that do AES and carry-less multiplication on vectors of 512 bits
// (VAES, VPCLMULQDQ and AVX-512 on amd64), four blocks at a time: between two and five times as fast as the standard library for packets.
// [Available] says whether it can be used; where it cannot, nothing here can be made, and crypto/cipher does the same. [New] makes the
// cipher; a value lives as long as its key, is never changed, and is safe for concurrent use.
//
// Everything takes a time that depends on lengths only: there are no branches on secrets and no tables. As with the standard library,
// buffers overlap exactly or not at all, Open decrypts and hashes at once but clears what it wrote if the tag is wrong, and nothing is
// allocated unless dst is too short. Keys stay in the memory of the value and, as always in Go, in registers and stacks that were used.
//
// # How the blocks lie
//
// A message is a row of blocks: first the additional data, at most 16 bytes of it (what is longer is hashed down to that first), then the
// text, then the lengths. Block i is hashed, and enciphered with counter i+1. What falls on the first block under the cipher is J0 of the
// specification, so E(K, J0), which hides the hash in the tag, comes out where the additional data goes in, at no cost. For text the
// counters are 2 and on: they would come to an end with 64 GiB in one message, which Seal refuses.
//
// Four blocks are a vector and 16 are a stride. A row of n blocks before the lengths becomes whole strides and a last one of 1 to 16
// blocks, which is done with masks: no byte outside of the buffers is read or written, though one that is masked may cost some hundred
// nanoseconds if it lies in a page that is not there. The first vector has 48 bytes of text: they move up a lane.
//
// # The hash
//
// GHASH is a polynomial in H over GF(2^128): a stride multiplies its 16 blocks by H^16 to H^1, the last one its t blocks and the lengths
// by H^(t+1) to H^1, adds the products as they are, 256 bits each, and reduces the sum once. The powers stand in memory in falling order,
// so that any t consecutive ones are four unaligned vectors. Numbers are reversed by bytes only: with the bits of each byte as GCM has
// them, the product of two reversed numbers is the reversed product shifted by one bit (Gueron and Kounavis, "Intel Carry-Less
// Multiplication Instruction and its Usage for Computing the GCM Mode"), which the powers anticipate by being multiplied by x. The
// reduction is Montgomery's: twice, the lowest 64 bits are made zero by adding a multiple of the polynomial x^128 + x^127 + x^126 + x^121
// + 1, which is the reversed one of GCM.
//
// Seal enciphers the counters of one stride while it hashes the text of the one before; Open hashes a stride while it enciphers its
// counters.
package gcmvec
