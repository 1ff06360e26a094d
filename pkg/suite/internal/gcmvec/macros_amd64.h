// What the routines of this package share. doc.go says how the blocks lie in the vectors and what the names mean.
//
// Z0 – Z3    counter blocks, then key stream      Z14       the number of the stride with nonce and round key 0, in every lane
// Z4 – Z7    text to be hashed                    Z15       reverses the bytes of each lane
// Z8 Z9 Z10  product: low, middle, high           Z16 – Z25 round keys 0 to 9, in every lane
// Z11 Z12 Z31  for the moment                     Z26       last round key
// Z13        hash so far, in lane 0               Z27       what Z14 will be made of, in little endian
// Z28        the polynomial                       Z29       swaps the bytes of each counter
// Z30        E(K, J0), in lane 0
//
// Z14 Z27 Z31 become the product of the length block when the last counters are made.
//
// R8 the key: powers, then round keys             R14 the powers for the vectors in work
// R13 16 times the number of rounds

// A key is its number of rounds, 17 powers of H, the highest first, and the round keys. With t blocks to come and the length block, the first needs H^(t+1).
#define POWER16 24
#define POWER1  264
#define ROUNDKEYS 280

// LOADKEYS fills Z16 to Z26. The rounds between the ninth and the last, which only longer keys have, are loaded where they are used.
#define LOADKEYS \
	VBROADCASTI32X4 (ROUNDKEYS+0)(R8), Z16;   \
	VBROADCASTI32X4 (ROUNDKEYS+16)(R8), Z17;  \
	VBROADCASTI32X4 (ROUNDKEYS+32)(R8), Z18;  \
	VBROADCASTI32X4 (ROUNDKEYS+48)(R8), Z19;  \
	VBROADCASTI32X4 (ROUNDKEYS+64)(R8), Z20;  \
	VBROADCASTI32X4 (ROUNDKEYS+80)(R8), Z21;  \
	VBROADCASTI32X4 (ROUNDKEYS+96)(R8), Z22;  \
	VBROADCASTI32X4 (ROUNDKEYS+112)(R8), Z23; \
	VBROADCASTI32X4 (ROUNDKEYS+128)(R8), Z24; \
	VBROADCASTI32X4 (ROUNDKEYS+144)(R8), Z25; \
	VBROADCASTI32X4 ROUNDKEYS(R8)(R13*1), Z26

#define ROUND2(k) \
	VAESENC k, Z0, Z0; \
	VAESENC k, Z1, Z1

#define ROUND4(k) \
	VAESENC k, Z0, Z0; \
	VAESENC k, Z1, Z1; \
	VAESENC k, Z2, Z2; \
	VAESENC k, Z3, Z3

// LONGER does rounds 10 and 11 for 24 and 32 bytes of key, and 12 and 13 for 32, and goes to the label or falls through to it.
#define LONGER(ROUND, label) \
	CMPQ R13, $160; \
	JBE label;      \
	VBROADCASTI32X4 (ROUNDKEYS+160)(R8), Z31; \
	ROUND(Z31);     \
	VBROADCASTI32X4 (ROUNDKEYS+176)(R8), Z31; \
	ROUND(Z31);     \
	CMPQ R13, $192; \
	JBE label;      \
	VBROADCASTI32X4 (ROUNDKEYS+192)(R8), Z31; \
	ROUND(Z31);     \
	VBROADCASTI32X4 (ROUNDKEYS+208)(R8), Z31; \
	ROUND(Z31)

// The product of vectors and powers has 256 bits a lane: Z8 and Z10 and, across their middle, Z9. What is needed first is computed
// first: low, middle, reduction of the low half, high, reduction of the middle. The first vector is Z13, which waits for the stride before.
// ADD adds a last term, and the length block's if there is one. 0x96 is the XOR of three.
#define ADD(term, length, sum) \
	VPXORQ term, sum, sum

#define ADDLENGTH(term, length, sum) \
	VPTERNLOGQ $0x96, term, length, sum

#define LOW4(ADD) \
	VPXORQ     Z4, Z13, Z13;              \
	VPCLMULQDQ $0x00, 64(R14), Z5, Z8;    \
	VPCLMULQDQ $0x00, 128(R14), Z6, Z11;  \
	VPCLMULQDQ $0x00, 192(R14), Z7, Z12;  \
	VPTERNLOGQ $0x96, Z11, Z12, Z8;       \
	VPCLMULQDQ $0x00, (R14), Z13, Z11;    \
	ADD(Z11, Z14, Z8)

#define MIDDLE4A \
	VPCLMULQDQ $0x01, 64(R14), Z5, Z9;    \
	VPCLMULQDQ $0x10, 64(R14), Z5, Z11;   \
	VPCLMULQDQ $0x01, 128(R14), Z6, Z12;  \
	VPTERNLOGQ $0x96, Z11, Z12, Z9

#define MIDDLE4B \
	VPCLMULQDQ $0x10, 128(R14), Z6, Z11;  \
	VPCLMULQDQ $0x01, 192(R14), Z7, Z12;  \
	VPTERNLOGQ $0x96, Z11, Z12, Z9

#define MIDDLE4C(ADD) \
	VPCLMULQDQ $0x10, 192(R14), Z7, Z11;  \
	VPCLMULQDQ $0x01, (R14), Z13, Z12;    \
	VPTERNLOGQ $0x96, Z11, Z12, Z9;       \
	VPCLMULQDQ $0x10, (R14), Z13, Z11;    \
	ADD(Z11, Z27, Z9)

#define HIGH4(ADD) \
	VPCLMULQDQ $0x11, 64(R14), Z5, Z10;   \
	VPCLMULQDQ $0x11, 128(R14), Z6, Z11;  \
	VPCLMULQDQ $0x11, 192(R14), Z7, Z8;   \
	VPTERNLOGQ $0x96, Z11, Z8, Z10;       \
	VPCLMULQDQ $0x11, (R14), Z13, Z11;    \
	ADD(Z11, Z31, Z10)

// The same for two vectors, of which one has the length block beside it.
#define LOW2 \
	VPXORQ     Z4, Z13, Z13;              \
	VPCLMULQDQ $0x00, 64(R14), Z5, Z8;    \
	VPCLMULQDQ $0x00, (R14), Z13, Z11;    \
	ADDLENGTH(Z11, Z14, Z8)

#define MIDDLE2 \
	VPCLMULQDQ $0x01, 64(R14), Z5, Z9;    \
	VPCLMULQDQ $0x10, 64(R14), Z5, Z11;   \
	VPCLMULQDQ $0x01, (R14), Z13, Z12;    \
	VPTERNLOGQ $0x96, Z11, Z12, Z9;       \
	VPCLMULQDQ $0x10, (R14), Z13, Z11;    \
	ADDLENGTH(Z11, Z27, Z9)

#define HIGH2 \
	VPCLMULQDQ $0x11, 64(R14), Z5, Z10;   \
	VPCLMULQDQ $0x11, (R14), Z13, Z11;    \
	ADDLENGTH(Z11, Z31, Z10)

// LENGTHPRODUCT multiplies the length block, of R11 and R9 bits, by H: it is the last block.
#define LENGTHPRODUCT \
	VMOVQ      R9, X11;                   \
	VPINSRQ    $1, R11, X11, X11;         \
	VMOVDQU    POWER1(R8), X12;           \
	VPCLMULQDQ $0x00, X12, X11, X14;      \
	VPCLMULQDQ $0x01, X12, X11, X27;      \
	VPCLMULQDQ $0x10, X12, X11, X31;      \
	VPXORQ     X31, X27, X27;             \
	VPCLMULQDQ $0x11, X12, X11, X31

// REDUCELOW and REDUCEMIDDLE bring a product back to 128 bits a lane, in Z10: each takes the lowest 64 bits away by adding a multiple of
// the polynomial, and carries the other half up.
#define REDUCELOW \
	VPCLMULQDQ $0x00, Z28, Z8, Z11;       \
	VPSHUFD    $0x4E, Z8, Z8;             \
	VPTERNLOGQ $0x96, Z11, Z8, Z9

#define REDUCEMIDDLE \
	VPCLMULQDQ $0x00, Z28, Z9, Z11;       \
	VPSHUFD    $0x4E, Z9, Z9;             \
	VPTERNLOGQ $0x96, Z11, Z9, Z10

// FOLD adds up the four lanes: the hash of all blocks so far, in lane 0 of Z13.
#define FOLD \
	VEXTRACTI64X4 $1, Z10, Y11;           \
	VPXOR         Y11, Y10, Y10;          \
	VEXTRACTI128  $1, Y10, X11;           \
	VPXOR         X11, X10, X13

#define HASH4(ADD) \
	LOW4(ADD);     \
	MIDDLE4A;      \
	MIDDLE4B;      \
	MIDDLE4C(ADD); \
	REDUCELOW;     \
	HIGH4(ADD);    \
	REDUCEMIDDLE;  \
	FOLD
