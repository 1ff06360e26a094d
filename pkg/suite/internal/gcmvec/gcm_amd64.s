#include "textflag.h"
#include "macros_amd64.h"

// reverse, in each lane
DATA reverse<>+0(SB)/8, $0x08090A0B0C0D0E0F
DATA reverse<>+8(SB)/8, $0x0001020304050607
GLOBL reverse<>(SB), RODATA|NOPTR, $16

// swap the bytes of the last word of each lane
DATA swap<>+0(SB)/8, $0x0706050403020100
DATA swap<>+8(SB)/8, $0x0C0D0E0F0B0A0908
GLOBL swap<>(SB), RODATA|NOPTR, $16

// The counters 1 to 16, of which the first makes J0, in big endian as they are enciphered.
#define COUNTER(at, number) \
	DATA counters<>+(at)(SB)/8, $0; \
	DATA counters<>+(at+8)(SB)/8, $(number<<56)
COUNTER(0, 1)
COUNTER(16, 2)
COUNTER(32, 3)
COUNTER(48, 4)
COUNTER(64, 5)
COUNTER(80, 6)
COUNTER(96, 7)
COUNTER(112, 8)
COUNTER(128, 9)
COUNTER(144, 10)
COUNTER(160, 11)
COUNTER(176, 12)
COUNTER(192, 13)
COUNTER(208, 14)
COUNTER(224, 15)
COUNTER(240, 16)
GLOBL counters<>(SB), RODATA|NOPTR, $256

// 16 in each counter, in little endian
#define SIXTEEN(at) \
	DATA sixteen<>+(at)(SB)/8, $0; \
	DATA sixteen<>+(at+8)(SB)/8, $(16<<32)
SIXTEEN(0)
SIXTEEN(16)
SIXTEEN(32)
SIXTEEN(48)
GLOBL sixteen<>(SB), RODATA|NOPTR, $64

// How the quadwords of a first vector are moved, whose lane 0 is not of the text: from where they are in memory, and back. Then how
// those of any other.
#define QUADWORD(at, number) DATA lanes<>+(at)(SB)/8, $number
QUADWORD(0, 6)
QUADWORD(8, 7)
QUADWORD(16, 0)
QUADWORD(24, 1)
QUADWORD(32, 2)
QUADWORD(40, 3)
QUADWORD(48, 4)
QUADWORD(56, 5)
QUADWORD(64, 2)
QUADWORD(72, 3)
QUADWORD(80, 4)
QUADWORD(88, 5)
QUADWORD(96, 6)
QUADWORD(104, 7)
QUADWORD(112, 0)
QUADWORD(120, 1)
QUADWORD(128, 0)
QUADWORD(136, 1)
QUADWORD(144, 2)
QUADWORD(152, 3)
QUADWORD(160, 4)
QUADWORD(168, 5)
QUADWORD(176, 6)
QUADWORD(184, 7)
QUADWORD(192, 0)
QUADWORD(200, 1)
QUADWORD(208, 2)
QUADWORD(216, 3)
QUADWORD(224, 4)
QUADWORD(232, 5)
QUADWORD(240, 6)
QUADWORD(248, 7)
GLOBL lanes<>(SB), RODATA|NOPTR, $256

DATA polynomial<>+0(SB)/8, $0xC200000000000000
GLOBL polynomial<>(SB), RODATA|NOPTR, $8

// BEGIN loads constants and keys, makes the first 16 counter blocks, J0 the first of them, and puts the additional data into lane 0 of
// Z13. From there on the text is one of CX bytes whose first block is not there, but R10 bytes further; BX tells how to move the lanes
// of such a vector. R9 and R11 become the lengths in bits. Where there is no text, it is looked for in a place that can be read.
// The nonce is read in the pieces in which it is written, 4 bytes of salt and 8 of IV: others would wait for the store.
#define BEGIN(noaad) \
	MOVL (R8), R13;        \
	SHLQ $4, R13;                \
	LOADKEYS;                    \
	MOVL (R9), AX;               \
	MOVQ 4(R9), BX;              \
	MOVQ BX, DX;                 \
	SHLQ $32, BX;                \
	ORQ  BX, AX;                 \
	SHRQ $32, DX;                \
	VPBROADCASTQ AX, Z27;        \
	VPBROADCASTQ DX, Z31;        \
	VPUNPCKLQDQ Z31, Z27, Z27;   \
	VPXORQ Z16, Z27, Z31;        \
	VPXORQ counters<>+0(SB), Z31, Z0;   \
	VPXORQ counters<>+64(SB), Z31, Z1;  \
	VPXORQ counters<>+128(SB), Z31, Z2; \
	VPXORQ counters<>+192(SB), Z31, Z3; \
	VBROADCASTI32X4 reverse<>(SB), Z15; \
	VBROADCASTI32X4 swap<>(SB), Z29;    \
	VPBROADCASTQ polynomial<>(SB), Z28; \
	VPXOR X13, X13, X13;         \
	MOVQ  $-1, DX;               \
	TESTQ R11, R11;              \
	JZ    noaad;                 \
	MOVQ  $16, AX;               \
	CMPQ  R11, AX;               \
	CMOVQLT R11, AX;             \
	BZHIQ AX, DX, AX;            \
	KMOVQ AX, K1;                \
	VMOVDQU8.Z (R10), K1, X13;   \
	VPSHUFB X15, X13, X13;       \
noaad: \
	MOVQ CX, R9;                 \
	SHLQ $3, R9;                 \
	SHLQ $3, R11;                \
	TESTQ CX, CX;                \
	CMOVQEQ R12, SI;             \
	CMOVQEQ R12, DI;             \
	MOVQ $16, R10;               \
	LEAQ lanes<>(SB), BX;        \
	ADDQ R10, CX;                \
	SUBQ R10, SI;                \
	SUBQ R10, DI;                \
	SHLXQ R10, DX, AX;           \
	KMOVQ AX, K5;                \
	KNOTQ K5, K5

// LASTPOWERS points R14 at the powers for the CX bytes that are left, 256 at most.
#define LASTPOWERS \
	LEAQ 15(CX), AX;             \
	ANDQ $-16, AX;               \
	MOVQ R8, R14;                \
	SUBQ AX, R14;                \
	ADDQ $POWER1, R14

// MASKS2 makes K1 and K2 for the last CX bytes, 128 at most: those that are there of two vectors, which begin at R10 and R11. K6 is K1
// after the lanes were moved. An empty vector is looked for beside the other: even masked bytes cost time where there is no memory.
#define MASKS2 \
	MOVQ    $64, R11;            \
	MOVQ    R11, AX;             \
	CMPQ    CX, AX;              \
	CMOVQLT CX, AX;              \
	SUBQ    R10, AX;             \
	BZHIQ   AX, DX, AX;          \
	KMOVQ   AX, K1;              \
	SHLXQ   R10, AX, AX;         \
	KMOVQ   AX, K6;              \
	XORL    AX, AX;              \
	SUBQ    R11, CX;             \
	CMOVQLE AX, CX;              \
	CMOVQLE R10, R11;            \
	BZHIQ   CX, DX, CX;          \
	KMOVQ   CX, K2

// MASKS34 makes K3 and K4, for two vectors at 128 and R9, of the last CX bytes, 129 at least. It leaves 128 of them.
#define MASKS34 \
	XORL    R11, R11;            \
	MOVQ    $192, R9;            \
	SUBQ    $128, CX;            \
	BZHIQ   CX, DX, AX;          \
	KMOVQ   AX, K3;              \
	MOVQ    $128, AX;            \
	SUBQ    $64, CX;             \
	CMOVQLE R11, CX;             \
	CMOVQLE AX, R9;              \
	BZHIQ   CX, DX, CX;          \
	KMOVQ   CX, K4;              \
	MOVQ    AX, CX

// TAG writes bytes(hash) + E(K, J0).
#define TAG \
	VPSHUFB X15, X13, X13;       \
	VPXORQ  X30, X13, X13;       \
	VMOVDQU X13, (R12);          \
	VZEROUPPER

// NEXTSTRIDE makes Z14 for the second stride and all that follow.
#define NEXTSTRIDE \
	VPADDD  sixteen<>(SB), Z27, Z27; \
	VPSHUFB Z29, Z27, Z14;       \
	VPXORQ  Z16, Z14, Z14

// COUNTERS4 makes the next 16 counter blocks and adds round key 0. 16 times the stride, and 1 to 15, have no bit in common; the last
// counter is 16 times the next stride.
#define COUNTERS4 \
	VPXORQ    counters<>+0(SB), Z14, Z0;   \
	VPXORQ    counters<>+64(SB), Z14, Z1;  \
	VPXORQ    counters<>+128(SB), Z14, Z2; \
	VPXORQ    counters<>+192(SB), Z14, Z3; \
	NEXTSTRIDE;                  \
	VMOVDQA64 Z14, K7, Z3

// AES4HASH4 enciphers the counters in Z0 to Z3, all but the last round, and hashes Z4 to Z7; neither waits for the other.
#define AES4HASH4(ADD, label) \
	ROUND4(Z17);                 \
	LOW4(ADD);                   \
	ROUND4(Z18);                 \
	MIDDLE4A;                    \
	ROUND4(Z19);                 \
	MIDDLE4B;                    \
	ROUND4(Z20);                 \
	MIDDLE4C(ADD);               \
	ROUND4(Z21);                 \
	REDUCELOW;                   \
	ROUND4(Z22);                 \
	HIGH4(ADD);                  \
	ROUND4(Z23);                 \
	REDUCEMIDDLE;                \
	FOLD;                        \
	ROUND4(Z24);                 \
	ROUND4(Z25);                 \
	LONGER(ROUND4, label)

// LASTROUND is the last round of a vector and adds the text.
#define LASTROUND(text, t, z) \
	VPXORQ      text, Z26, t;    \
	VAESENCLAST t, z, z

// func seal(key *gcm, dst, src *byte, n int, nonce, additional *byte, length int, tag *block)
TEXT ·seal(SB), NOSPLIT, $0-64
	MOVQ key+0(FP), R8
	MOVQ nonce+32(FP), R9
	MOVQ dst+8(FP), DI
	MOVQ src+16(FP), SI
	MOVQ n+24(FP), CX
	MOVQ additional+40(FP), R10
	MOVQ length+48(FP), R11
	MOVQ tag+56(FP), R12
	BEGIN(noaad)
	CMPQ CX, $128
	JBE  small

	ROUND4(Z17)
	ROUND4(Z18)
	ROUND4(Z19)
	ROUND4(Z20)
	ROUND4(Z21)
	ROUND4(Z22)
	ROUND4(Z23)
	ROUND4(Z24)
	ROUND4(Z25)
	LONGER(ROUND4, first)

first:
	CMPQ CX, $256
	JBE  final

	// The first stride has 240 bytes: its text moves up by a lane, and down again.
	MOVQ      $0xC0, AX
	KMOVQ     AX, K7
	SHRXQ     R10, DX, AX
	KMOVQ     AX, K1
	SHLXQ     R10, DX, AX
	KMOVQ     AX, K6
	VPXORQ    Z8, Z8, Z8
	VMOVDQU64 16(SI), Z4
	VALIGNQ   $6, Z8, Z4, Z4
	LASTROUND(Z4, Z8, Z0)
	LASTROUND(64(SI), Z9, Z1)
	LASTROUND(128(SI), Z10, Z2)
	LASTROUND(192(SI), Z11, Z3)
	VMOVDQA64 X0, X30
	VALIGNQ   $2, Z0, Z0, Z4
	VMOVDQU8  Z4, K1, 16(DI)
	VMOVDQU64 Z1, 64(DI)
	VMOVDQU64 Z2, 128(DI)
	VMOVDQU64 Z3, 192(DI)
	VPSHUFB.Z Z15, Z0, K6, Z4
	XORL      R10, R10
	KXORQ     K5, K5, K5
	ADDQ      $128, BX
	LEAQ      POWER16(R8), R14
	NEXTSTRIDE
	JMP       next

	// Any other.
stride:
	LASTROUND((SI), Z8, Z0)
	LASTROUND(64(SI), Z9, Z1)
	LASTROUND(128(SI), Z10, Z2)
	LASTROUND(192(SI), Z11, Z3)
	VMOVDQU64 Z0, (DI)
	VMOVDQU64 Z1, 64(DI)
	VMOVDQU64 Z2, 128(DI)
	VMOVDQU64 Z3, 192(DI)
	VPSHUFB   Z15, Z0, Z4

next:
	VPSHUFB Z15, Z1, Z5
	VPSHUFB Z15, Z2, Z6
	VPSHUFB Z15, Z3, Z7
	ADDQ    $256, SI
	ADDQ    $256, DI
	SUBQ    $256, CX
	COUNTERS4
	AES4HASH4(ADD, enciphered)

enciphered:
	CMPQ CX, $256
	JA   stride

	// The last: 1 to 256 bytes, and their hash.
final:
	LASTPOWERS
	LENGTHPRODUCT
	CMPQ CX, $128
	JBE  final2
	MASKS34
	MASKS2
	VMOVDQU8.Z (SI)(R10*1), K1, Z4
	VMOVDQU64  (BX), Z5
	VPERMQ     Z4, Z5, Z4
	VMOVDQU8.Z 128(SI), K3, Z6
	VMOVDQU8.Z (SI)(R9*1), K4, Z7
	LASTROUND(Z4, Z8, Z0)
	LASTROUND(64(SI), Z9, Z1)
	LASTROUND(Z6, Z10, Z2)
	LASTROUND(Z7, Z11, Z3)
	VMOVDQU8   Z0, K5, Z30
	VMOVDQU64  64(BX), Z5
	VPERMQ     Z0, Z5, Z4
	VMOVDQU8   Z4, K1, (DI)(R10*1)
	VMOVDQU64  Z1, 64(DI)
	VMOVDQU8   Z2, K3, 128(DI)
	VMOVDQU8   Z3, K4, (DI)(R9*1)
	VMOVDQU8.Z Z0, K6, Z4
	VMOVDQU8.Z Z2, K3, Z6
	VMOVDQU8.Z Z3, K4, Z7
	VPSHUFB    Z15, Z4, Z4
	VPSHUFB    Z15, Z1, Z5
	VPSHUFB    Z15, Z6, Z6
	VPSHUFB    Z15, Z7, Z7
	HASH4(ADDLENGTH)
	TAG
	RET

	// 112 bytes at most: two vectors hold all of it.
small:
	ROUND2(Z17)
	ROUND2(Z18)
	ROUND2(Z19)
	ROUND2(Z20)
	ROUND2(Z21)
	ROUND2(Z22)
	ROUND2(Z23)
	ROUND2(Z24)
	ROUND2(Z25)
	LONGER(ROUND2, smallest)

smallest:
	LASTPOWERS
	LENGTHPRODUCT

final2:
	MASKS2
	VMOVDQU8.Z (SI)(R10*1), K1, Z4
	VMOVDQU8.Z (SI)(R11*1), K2, Z5
	VMOVDQU64  (BX), Z6
	VMOVDQU64  64(BX), Z7
	VPERMQ     Z4, Z6, Z4
	LASTROUND(Z4, Z8, Z0)
	LASTROUND(Z5, Z9, Z1)
	VMOVDQU8   Z0, K5, Z30
	VMOVDQU8.Z Z0, K6, Z4
	VMOVDQU8.Z Z1, K2, Z5
	VPERMQ     Z0, Z7, Z0
	VPSHUFB    Z15, Z4, Z4
	VPSHUFB    Z15, Z5, Z5
	VMOVDQU8   Z0, K1, (DI)(R10*1)
	VMOVDQU8   Z1, K2, (DI)(R11*1)
	LOW2
	MIDDLE2
	REDUCELOW
	HIGH2
	REDUCEMIDDLE
	FOLD
	TAG
	RET

// func open(key *gcm, dst, src *byte, n int, nonce, additional *byte, length int, tag *block)
TEXT ·open(SB), NOSPLIT, $0-64
	MOVQ key+0(FP), R8
	MOVQ nonce+32(FP), R9
	MOVQ dst+8(FP), DI
	MOVQ src+16(FP), SI
	MOVQ n+24(FP), CX
	MOVQ additional+40(FP), R10
	MOVQ length+48(FP), R11
	MOVQ tag+56(FP), R12
	BEGIN(noaad)
	CMPQ  CX, $256
	JBE   final
	MOVQ  $0xC0, AX
	KMOVQ AX, K7
	SHRXQ R10, DX, AX
	KMOVQ AX, K1
	LEAQ  POWER16(R8), R14
	NEXTSTRIDE

	// A whole stride. K1 and the places of the lanes leave out the block that the first one lacks; K5 takes E(K, J0) from there.
stride:
	VMOVDQU8.Z (SI)(R10*1), K1, Z4
	VMOVDQU64  (BX), Z5
	VPERMQ     Z4, Z5, Z4
	VMOVDQU64  64(SI), Z5
	VMOVDQU64  128(SI), Z6
	VMOVDQU64  192(SI), Z7
	VPSHUFB    Z15, Z4, Z4
	VPSHUFB    Z15, Z5, Z5
	VPSHUFB    Z15, Z6, Z6
	VPSHUFB    Z15, Z7, Z7
	AES4HASH4(ADD, enciphered)

enciphered:
	VPSHUFB    Z15, Z4, Z4
	LASTROUND(Z4, Z8, Z0)
	LASTROUND(64(SI), Z9, Z1)
	LASTROUND(128(SI), Z10, Z2)
	LASTROUND(192(SI), Z11, Z3)
	VMOVDQU8   Z0, K5, Z30
	VMOVDQU64  64(BX), Z4
	VPERMQ     Z0, Z4, Z0
	VMOVDQU8   Z0, K1, (DI)(R10*1)
	VMOVDQU64  Z1, 64(DI)
	VMOVDQU64  Z2, 128(DI)
	VMOVDQU64  Z3, 192(DI)
	XORL       R10, R10
	LEAQ       lanes<>+128(SB), BX
	KMOVQ      DX, K1
	KXORQ      K5, K5, K5
	ADDQ       $256, SI
	ADDQ       $256, DI
	SUBQ       $256, CX
	COUNTERS4
	CMPQ       CX, $256
	JA         stride

final:
	LASTPOWERS
	LENGTHPRODUCT
	CMPQ       CX, $128
	JBE        small
	MASKS34
	MASKS2
	VMOVDQU8.Z (SI)(R10*1), K1, Z4
	VMOVDQU64  (BX), Z5
	VPERMQ     Z4, Z5, Z4
	VMOVDQU64  64(SI), Z5
	VMOVDQU8.Z 128(SI), K3, Z6
	VMOVDQU8.Z (SI)(R9*1), K4, Z7
	VPSHUFB    Z15, Z4, Z4
	VPSHUFB    Z15, Z5, Z5
	VPSHUFB    Z15, Z6, Z6
	VPSHUFB    Z15, Z7, Z7
	AES4HASH4(ADDLENGTH, last)

last:
	VPSHUFB   Z15, Z4, Z4
	VPSHUFB   Z15, Z6, Z6
	VPSHUFB   Z15, Z7, Z7
	LASTROUND(Z4, Z8, Z0)
	LASTROUND(64(SI), Z9, Z1)
	LASTROUND(Z6, Z10, Z2)
	LASTROUND(Z7, Z11, Z3)
	VMOVDQU8  Z0, K5, Z30
	VMOVDQU64 64(BX), Z4
	VPERMQ    Z0, Z4, Z0
	VMOVDQU8  Z0, K1, (DI)(R10*1)
	VMOVDQU64 Z1, 64(DI)
	VMOVDQU8  Z2, K3, 128(DI)
	VMOVDQU8  Z3, K4, (DI)(R9*1)
	TAG
	RET

	// The last 128 bytes at most, in two vectors.
small:
	MASKS2
	VMOVDQU8.Z (SI)(R10*1), K1, Z6
	VMOVDQU8.Z (SI)(R11*1), K2, Z7
	VMOVDQU64  (BX), Z5
	VPERMQ     Z6, Z5, Z6
	VPSHUFB    Z15, Z6, Z4
	VPSHUFB    Z15, Z7, Z5
	ROUND2(Z17)
	LOW2
	ROUND2(Z18)
	MIDDLE2
	ROUND2(Z19)
	REDUCELOW
	ROUND2(Z20)
	HIGH2
	ROUND2(Z21)
	REDUCEMIDDLE
	ROUND2(Z22)
	FOLD
	ROUND2(Z23)
	ROUND2(Z24)
	ROUND2(Z25)
	LONGER(ROUND2, smallest)

smallest:
	LASTROUND(Z6, Z8, Z0)
	LASTROUND(Z7, Z9, Z1)
	VMOVDQU8  Z0, K5, Z30
	VMOVDQU64 64(BX), Z4
	VPERMQ    Z0, Z4, Z0
	VMOVDQU8  Z0, K1, (DI)(R10*1)
	VMOVDQU8  Z1, K2, (DI)(R11*1)
	TAG
	RET
