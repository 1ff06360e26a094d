// Package chachavec is ChaCha20-Poly1305 (RFC 8439) in assembly for processors that multiply by 52 bits on vectors of 512 bits (AVX-512
// with IFMA on amd64): for packets between 1.2 and 1.7 times as fast as golang.org/x/crypto, the more the longer they are. [Available]
// says whether it can be used; where it cannot, nothing here can be made, and x/crypto does the same. [New] makes the cipher; a value
// lives as long as its key, is never changed, and is safe for concurrent use.
//
// Everything takes a time that depends on lengths only: there are no branches on secrets and no tables. As with x/crypto, buffers overlap
// exactly or not at all, and nothing is allocated unless dst is too short. Open hashes the ciphertext and decrypts it in one call, but
// clears what it wrote if the tag is wrong. No byte outside of the buffers is read or written: what is less than a vector is done with
// masks. Keys stay in the memory of the value and, as always in Go, in registers and stacks that were used.
//
// # The cipher
//
// A message is done in turns. A turn makes 4, 8, 12, 16 or 24 blocks of key stream, as many as are still needed; the first block of the first
// turn is not for text, but the key of Poly1305. Four blocks are four vectors, one for each row of the four states, and the rows are
// turned between a round of columns and one of diagonals. With 8 or 16 blocks a vector has one word of each state and nothing is turned;
// 12 are eight beside four, 24 are 16 beside eight in all 32 registers, because either alone leaves the processor waiting. When the words are turned
// into blocks at the end, neighbours come from the same place of different lanes: the counters at the start are in that order.
//
// # The hash
//
// Poly1305 is a polynomial in r modulo 2^130 - 5. The additional data, and so many blocks of the text that the rest with the lengths are
// whole vectors of eight blocks, are added one after the other, as numbers of two words and two bits; this is done while the powers of r
// are computed. If that leaves an odd number of vectors, the first is multiplied by r^8. Then come pairs, m being the first and n the
// second vector,
//
//	sum = (sum + m)·r^16 + n·r^8
//
// in eight lanes, and for the last pair, with a power of its own for each lane,
//
//	sum = (sum + m)·(r^16 … r^9) + n·(r^8 … r^1)
//
// and the lanes are added. Below 225 bytes that does not pay, and all blocks are added one after the other.
//
// A lane is three limbs, of 44, 44 and 42 bits or a little more. A product's low 52 bits and what is above them are summed apart: six
// products at most, of limbs below 2^46 and of powers of which the largest, 20 times a limb of 44 bits, is below 2^49, so that a sum of
// low halves is below 2^55, one of high halves below 2^46, and every limb below 2^64 until it is carried.
//
// Seal hashes what a turn wrote when it is written. Open hashes up to the end of a turn, or a little further, before it writes there.
package chachavec
