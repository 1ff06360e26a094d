// What the routines of this package share. doc.go says how the blocks lie in the vectors.
//
// Z0 – Z3    counter blocks, then key stream      Z14       the number of the stride with nonce and round key 0, in every lane
// Z4 – Z7    text to be hashed                    Z15       reverses the bytes of each lane
// Z8 Z9 Z10  product: low, middle, high           Z16 – Z25 round keys 0 to 9, in every lane
// Z11 Z12    for the moment, and Z31              Z26       last round key
// Z13        hash so far, in lane 0               Z27       what Z14 is made of: the number in little endian, no key
// Z28        the polynomial                       Z29       swaps the bytes of each counter
// Z30        E(K, J0), in lane 0                  Z14 Z27 Z31 at the end: the product of the length block
//
// R8 the key       R13 16 times the number of rounds     CX bytes that are left, with those of J0's place in the first stride
// R12 the tag      R14 the powers for what is hashed     SI, DI where they are and go to, less these 16
// DX -1            R9 and R11 lengths in bits            R10, BX, K1, K5, K6 what is special about the first vector: see BEGIN
//
// A key is its number of rounds, 17 powers of H, the highest first, and the round keys. Where t blocks and the length block are to come, the
// first needs H^(t+1).
#define POWER16   24
#define POWER1    264
#define ROUNDKEYS 280

// LOADKEYS fills Z16 to Z26. The rounds between the ninth and the last, which only longer keys have, are loaded where they are used.
#define LOADKEYS \
	VBROADCASTI32X4 (ROUNDKEYS+0)(R8), Z16;      \
	VBROADCASTI32X4 (ROUNDKEYS+16)(R8), Z17;     \
	VBROADCASTI32X4 (ROUNDKEYS+32)(R8), Z18;     \
	VBROADCASTI32X4 (ROUNDKEYS+48)(R8), Z19;     \
	VBROADCASTI32X4 (ROUNDKEYS+64)(R8), Z20;     \
	VBROADCASTI32X4 (ROUNDKEYS+80)(R8), Z21;     \
	VBROADCASTI32X4 (ROUNDKEYS+96)(R8), Z22;     \
	VBROADCASTI32X4 (ROUNDKEYS+112)(R8), Z23;    \
	VBROADCASTI32X4 (ROUNDKEYS+128)(R8), Z24;    \
	VBROADCASTI32X4 (ROUNDKEYS+144)(R8), Z25;    \
	VBROADCASTI32X4 ROUNDKEYS(R8)(R13*1), Z26

#define ROUND2(k) \
	VAESENC k, Z0, Z0;                           \
	VAESENC k, Z1, Z1

#define ROUND3(k) \
	VAESENC k, Z0, Z0;                           \
	VAESENC k, Z1, Z1;                           \
	VAESENC k, Z2, Z2

#define ROUND4(k) \
	VAESENC k, Z0, Z0;                           \
	VAESENC k, Z1, Z1;                           \
	VAESENC k, Z2, Z2;                           \
	VAESENC k, Z3, Z3

// LONGER does rounds 10 and 11 for 24 and 32 bytes of key, and 12 and 13 for 32, and goes to the label or falls through to it.
#define LONGER(ROUND, label) \
	CMPQ R13, $160;                              \
	JBE label;                                   \
	VBROADCASTI32X4 (ROUNDKEYS+160)(R8), Z31;    \
	ROUND(Z31);                                  \
	VBROADCASTI32X4 (ROUNDKEYS+176)(R8), Z31;    \
	ROUND(Z31);                                  \
	CMPQ R13, $192;                              \
	JBE label;                                   \
	VBROADCASTI32X4 (ROUNDKEYS+192)(R8), Z31;    \
	ROUND(Z31);                                  \
	VBROADCASTI32X4 (ROUNDKEYS+208)(R8), Z31;    \
	ROUND(Z31)

// The product of vectors and powers has 256 bits a lane: Z8 and Z10 and, across their middle, Z9. What is needed first is computed
// first: low, middle, reduction of the low half, high, reduction of the middle. The first vector is Z13, which waits for the stride before.
// ADD adds a last term, and the length block's if there is one. 0x96 is the XOR of three.
#define ADD(term, length, sum) \
	VPXORQ term, sum, sum

#define ADDLENGTH(term, length, sum) \
	VPTERNLOGQ $0x96, term, length, sum

#define LOW4(ADD) \
	VPXORQ     Z4, Z13, Z13;                     \
	VPCLMULQDQ $0x00, 64(R14), Z5, Z8;           \
	VPCLMULQDQ $0x00, 128(R14), Z6, Z11;         \
	VPCLMULQDQ $0x00, 192(R14), Z7, Z12;         \
	VPTERNLOGQ $0x96, Z11, Z12, Z8;              \
	VPCLMULQDQ $0x00, (R14), Z13, Z11;           \
	ADD(Z11, Z14, Z8)

#define MIDDLE4A \
	VPCLMULQDQ $0x01, 64(R14), Z5, Z9;           \
	VPCLMULQDQ $0x10, 64(R14), Z5, Z11;          \
	VPCLMULQDQ $0x01, 128(R14), Z6, Z12;         \
	VPTERNLOGQ $0x96, Z11, Z12, Z9

#define MIDDLE4B \
	VPCLMULQDQ $0x10, 128(R14), Z6, Z11;         \
	VPCLMULQDQ $0x01, 192(R14), Z7, Z12;         \
	VPTERNLOGQ $0x96, Z11, Z12, Z9

#define MIDDLE4C(ADD) \
	VPCLMULQDQ $0x10, 192(R14), Z7, Z11;         \
	VPCLMULQDQ $0x01, (R14), Z13, Z12;           \
	VPTERNLOGQ $0x96, Z11, Z12, Z9;              \
	VPCLMULQDQ $0x10, (R14), Z13, Z11;           \
	ADD(Z11, Z27, Z9)

#define HIGH4(ADD) \
	VPCLMULQDQ $0x11, 64(R14), Z5, Z10;          \
	VPCLMULQDQ $0x11, 128(R14), Z6, Z11;         \
	VPCLMULQDQ $0x11, 192(R14), Z7, Z8;          \
	VPTERNLOGQ $0x96, Z11, Z8, Z10;              \
	VPCLMULQDQ $0x11, (R14), Z13, Z11;           \
	ADD(Z11, Z31, Z10)

#define LOW3 \
	VPXORQ     Z4, Z13, Z13;                     \
	VPCLMULQDQ $0x00, 64(R14), Z5, Z8;           \
	VPCLMULQDQ $0x00, 128(R14), Z6, Z11;         \
	VPCLMULQDQ $0x00, (R14), Z13, Z12;           \
	VPTERNLOGQ $0x96, Z11, Z12, Z8;              \
	VPXORQ     Z14, Z8, Z8

#define MIDDLE3 \
	VPCLMULQDQ $0x01, 64(R14), Z5, Z9;           \
	VPCLMULQDQ $0x10, 64(R14), Z5, Z11;          \
	VPCLMULQDQ $0x01, 128(R14), Z6, Z12;         \
	VPTERNLOGQ $0x96, Z11, Z12, Z9;              \
	VPCLMULQDQ $0x10, 128(R14), Z6, Z11;         \
	VPCLMULQDQ $0x01, (R14), Z13, Z12;           \
	VPTERNLOGQ $0x96, Z11, Z12, Z9;              \
	VPCLMULQDQ $0x10, (R14), Z13, Z11;           \
	ADDLENGTH(Z11, Z27, Z9)

#define HIGH3 \
	VPCLMULQDQ $0x11, 64(R14), Z5, Z10;          \
	VPCLMULQDQ $0x11, 128(R14), Z6, Z11;         \
	VPCLMULQDQ $0x11, (R14), Z13, Z8;            \
	VPTERNLOGQ $0x96, Z11, Z8, Z10;              \
	VPXORQ     Z31, Z10, Z10

// The same for two vectors, of which one has the length block beside it.
#define LOW2 \
	VPXORQ     Z4, Z13, Z13;                     \
	VPCLMULQDQ $0x00, 64(R14), Z5, Z8;           \
	VPCLMULQDQ $0x00, (R14), Z13, Z11;           \
	ADDLENGTH(Z11, Z14, Z8)

#define MIDDLE2 \
	VPCLMULQDQ $0x01, 64(R14), Z5, Z9;           \
	VPCLMULQDQ $0x10, 64(R14), Z5, Z11;          \
	VPCLMULQDQ $0x01, (R14), Z13, Z12;           \
	VPTERNLOGQ $0x96, Z11, Z12, Z9;              \
	VPCLMULQDQ $0x10, (R14), Z13, Z11;           \
	ADDLENGTH(Z11, Z27, Z9)

#define HIGH2 \
	VPCLMULQDQ $0x11, 64(R14), Z5, Z10;          \
	VPCLMULQDQ $0x11, (R14), Z13, Z11;           \
	ADDLENGTH(Z11, Z31, Z10)

// LENGTHPRODUCT multiplies the length block, of R11 and R9 bits, by H: it is the last block.
#define LENGTHPRODUCT \
	VMOVQ      R9, X11;                          \
	VPINSRQ    $1, R11, X11, X11;                \
	VMOVDQU    POWER1(R8), X12;                  \
	VPCLMULQDQ $0x00, X12, X11, X14;             \
	VPCLMULQDQ $0x01, X12, X11, X27;             \
	VPCLMULQDQ $0x10, X12, X11, X31;             \
	VPXORQ     X31, X27, X27;                    \
	VPCLMULQDQ $0x11, X12, X11, X31

// REDUCELOW and REDUCEMIDDLE bring a product back to 128 bits a lane, in Z10: each takes the lowest 64 bits away by adding a multiple of
// the polynomial, and carries the other half up.
#define REDUCELOW \
	VPCLMULQDQ $0x00, Z28, Z8, Z11;              \
	VPSHUFD    $0x4E, Z8, Z8;                    \
	VPTERNLOGQ $0x96, Z11, Z8, Z9

#define REDUCEMIDDLE \
	VPCLMULQDQ $0x00, Z28, Z9, Z11;              \
	VPSHUFD    $0x4E, Z9, Z9;                    \
	VPTERNLOGQ $0x96, Z11, Z9, Z10

// FOLD adds up the four lanes: the hash of all blocks so far, in lane 0 of Z13.
#define FOLD \
	VEXTRACTI64X4 $1, Z10, Y11;                  \
	VPXOR         Y11, Y10, Y10;                 \
	VEXTRACTI128  $1, Y10, X11;                  \
	VPXOR         X11, X10, X13

#define HASH4(ADD) \
	LOW4(ADD);                                   \
	MIDDLE4A;                                    \
	MIDDLE4B;                                    \
	MIDDLE4C(ADD);                               \
	REDUCELOW;                                   \
	HIGH4(ADD);                                  \
	REDUCEMIDDLE;                                \
	FOLD

// BEGIN loads constants and keys, makes the first 16 counter blocks, J0 the first of them, and puts the additional data into lane 0 of
// Z13. The text is then one of CX bytes whose first block is not there. Its first vector, or what there is of it, begins R10 bytes further;
// K1 has its bytes in memory, BX tells how to move the lanes, K6 where they come to lie and K5 where J0 does. Where there is no text at
// all, it is looked for in a place that can be read. The nonce is read in the pieces in which ESP writes it, 4 bytes of salt and 8 of IV:
// others would wait for the store.
#define BEGIN(noaad) \
	MOVL (R8), R13;                              \
	SHLQ $4, R13;                                \
	LOADKEYS;                                    \
	MOVL (R9), AX;                               \
	MOVQ 4(R9), BX;                              \
	MOVQ BX, DX;                                 \
	SHLQ $32, BX;                                \
	ORQ  BX, AX;                                 \
	SHRQ $32, DX;                                \
	VPBROADCASTQ AX, Z27;                        \
	VPBROADCASTQ DX, Z31;                        \
	VPUNPCKLQDQ Z31, Z27, Z27;                   \
	VPXORQ Z16, Z27, Z31;                        \
	VPXORQ ·counters(SB), Z31, Z0;               \
	VPXORQ ·counters+64(SB), Z31, Z1;            \
	VPXORQ ·counters+128(SB), Z31, Z2;           \
	VPXORQ ·counters+192(SB), Z31, Z3;           \
	VBROADCASTI32X4 ·reverse(SB), Z15;           \
	VBROADCASTI32X4 ·swap(SB), Z29;              \
	VPBROADCASTQ ·polynomial+8(SB), Z28;         \
	VPXOR X13, X13, X13;                         \
	MOVQ  $-1, DX;                               \
	TESTQ R11, R11;                              \
	JZ    noaad;                                 \
	MOVQ  $16, AX;                               \
	CMPQ  R11, AX;                               \
	CMOVQLT R11, AX;                             \
	BZHIQ AX, DX, AX;                            \
	KMOVQ AX, K1;                                \
	VMOVDQU8.Z (R10), K1, X13;                   \
	VPSHUFB X15, X13, X13;                       \
noaad: \
	MOVQ CX, R9;                                 \
	SHLQ $3, R9;                                 \
	SHLQ $3, R11;                                \
	TESTQ CX, CX;                                \
	CMOVQEQ R12, SI;                             \
	CMOVQEQ R12, DI;                             \
	MOVQ $16, R10;                               \
	LEAQ ·lanes(SB), BX;                         \
	ADDQ R10, CX;                                \
	SUBQ R10, SI;                                \
	SUBQ R10, DI;                                \
	SHRXQ R10, DX, AX;                           \
	KMOVQ AX, K1;                                \
	SHLXQ R10, DX, AX;                           \
	KMOVQ AX, K6;                                \
	KNOTQ K6, K5;                                \
	MOVQ $0xC0, AX;                              \
	KMOVQ AX, K7

// SECOND is when the first stride is over.
#define SECOND \
	XORL   R10, R10;                             \
	KXNORQ K1, K1, K1;                           \
	KXNORQ K6, K6, K6;                           \
	KXORQ  K5, K5, K5;                           \
	LEAQ   ·lanes+128(SB), BX

// LASTPOWERS points R14 at the powers for the CX bytes that are left, 256 at most.
#define LASTPOWERS \
	LEAQ 15(CX), AX;                             \
	ANDQ $-16, AX;                               \
	MOVQ R8, R14;                                \
	SUBQ AX, R14;                                \
	ADDQ $POWER1, R14

// MASKS makes K1 and K2 for the last CX bytes, 128 at most: those that are there of two vectors, which begin at R10 and R11. K6 is K1
// after the lanes were moved. An empty vector is looked for beside the other: even masked bytes cost time where there is no memory.
#define MASKS \
	MOVQ    $64, R11;                            \
	MOVQ    R11, AX;                             \
	CMPQ    CX, AX;                              \
	CMOVQLT CX, AX;                              \
	SUBQ    R10, AX;                             \
	BZHIQ   AX, DX, AX;                          \
	KMOVQ   AX, K1;                              \
	SHLXQ   R10, AX, AX;                         \
	KMOVQ   AX, K6;                              \
	XORL    AX, AX;                              \
	SUBQ    R11, CX;                             \
	CMOVQLE AX, CX;                              \
	CMOVQLE R10, R11;                            \
	BZHIQ   CX, DX, CX;                          \
	KMOVQ   CX, K2

// LASTMASK makes K2 for the last vector of CX bytes, where it begins after a number of them that leaves it 1 to 64.
#define LASTMASK(before) \
	SUBQ    $before, CX;                         \
	BZHIQ   CX, DX, AX;                          \
	KMOVQ   AX, K2

// TAG writes bytes(hash) + E(K, J0).
#define TAG \
	VPSHUFB X15, X13, X13;                       \
	VPXORQ  X30, X13, X13;                       \
	VMOVDQU X13, (R12);                          \
	VZEROUPPER

// NEXTSTRIDE makes Z14 for the second stride and all that follow.
#define NEXTSTRIDE \
	VPADDD  ·sixteen(SB), Z27, Z27;              \
	VPSHUFB Z29, Z27, Z14;                       \
	VPXORQ  Z16, Z14, Z14

// COUNTERS4 makes the next 16 counter blocks and adds round key 0. 16 times the stride, and 1 to 15, have no bit in common; the last
// counter is 16 times the next stride.
#define COUNTERS4 \
	VPXORQ    ·counters(SB), Z14, Z0;            \
	VPXORQ    ·counters+64(SB), Z14, Z1;         \
	VPXORQ    ·counters+128(SB), Z14, Z2;        \
	VPXORQ    ·counters+192(SB), Z14, Z3;        \
	NEXTSTRIDE;                                  \
	VMOVDQA64 Z14, K7, Z3

// AESHASH4 enciphers the counters, all but the last round, and hashes Z4 to Z7; neither waits for the other.
#define AESHASH4(ROUND, ADD, label) \
	ROUND(Z17);                                  \
	LOW4(ADD);                                   \
	ROUND(Z18);                                  \
	MIDDLE4A;                                    \
	ROUND(Z19);                                  \
	MIDDLE4B;                                    \
	ROUND(Z20);                                  \
	MIDDLE4C(ADD);                               \
	ROUND(Z21);                                  \
	REDUCELOW;                                   \
	ROUND(Z22);                                  \
	HIGH4(ADD);                                  \
	ROUND(Z23);                                  \
	REDUCEMIDDLE;                                \
	FOLD;                                        \
	ROUND(Z24);                                  \
	ROUND(Z25);                                  \
	LONGER(ROUND, label)

// LASTROUND is the last round of a vector and adds the text.
#define LASTROUND(text, t, z) \
	VPXORQ      text, Z26, t;                    \
	VAESENCLAST t, z, z
