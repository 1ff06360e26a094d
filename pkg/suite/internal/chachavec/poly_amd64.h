// Poly1305 (RFC 8439 §2.5), eight blocks at once in limbs of 44, 44 and 42 bits, or one as two words. doc.go has the equations.
//
// Z16 – Z18  the sum in eight lanes, three limbs each
// Z19 – Z21  product: low halves of 52 bits; before that, the limbs of eight blocks
// Z22 – Z24  product: high halves
// Z25 – Z27  the limbs of the eight blocks that come after those
// Z28 – Z30  limb44, limb42, bit128, and Z31 for the moment

// LIMBS8 loads eight blocks and splits them: the lanes have the blocks 0 4 1 5 2 6 3 7.
#define LIMBS8(at, x, y, l0, l1, l2) \
	VMOVDQU64 at(R9), x;            \
	VMOVDQU64 (64+at)(R9), y;       \
	SPLIT8(x, y, l0, l1, l2)

#define SPLIT8(x, y, l0, l1, l2) \
	VPUNPCKLQDQ y, x, l0;           \
	VPUNPCKHQDQ y, x, l2;           \
	VPSRLQ      $44, l0, l1;        \
	VPSLLQ      $20, l2, x;         \
	VPTERNLOGQ  $0xA8, Z28, x, l1;  \
	VPANDQ      Z28, l0, l0;        \
	VPSRLQ      $24, l2, l2;        \
	VPORQ       Z30, l2, l2

// ADD8 adds eight blocks to the sum.
#define ADD8 \
	VPADDQ Z19, Z16, Z16;           \
	VPADDQ Z20, Z17, Z17;           \
	VPADDQ Z21, Z18, Z18

#define NOTHING \
	VPXORQ Z19, Z19, Z19;           \
	VPXORQ Z20, Z20, Z20;           \
	VPXORQ Z21, Z21, Z21;           \
	VPXORQ Z22, Z22, Z22;           \
	VPXORQ Z23, Z23, Z23;           \
	VPXORQ Z24, Z24, Z24

// ALL multiplies by a number for each lane, ONE by the same for all.
#define ALL(m, z, low, high) \
	VPMADD52LUQ m, z, low;          \
	VPMADD52HUQ m, z, high

#define ONE(m, z, low, high) \
	VPMADD52LUQ.BCST m, z, low;     \
	VPMADD52HUQ.BCST m, z, high

// PRODUCT adds a product. What comes to 2^132 or more comes back 20 times, as 2^130 is 5: l1x and l2x are 20 times l1 and l2.
#define PRODUCT(BY, a, b, c, l0, l1, l2, l1x, l2x) \
	BY(l0, a, Z19, Z22);            \
	BY(l1, a, Z20, Z23);            \
	BY(l2, a, Z21, Z24);            \
	BY(l2x, b, Z19, Z22);           \
	BY(l0, b, Z20, Z23);            \
	BY(l1, b, Z21, Z24);            \
	BY(l1x, c, Z19, Z22);           \
	BY(l2x, c, Z20, Z23);           \
	BY(l0, c, Z21, Z24)

// CARRY makes limbs of a product, of 44, 44 and 42 bits or a little more. A high half counts 2^52, which is 2^8 of the next limb; that of
// the third limb comes to 2^140, which is 5·2^10.
#define CARRY \
	VPSLLQ $8, Z22, Z22;            \
	VPSLLQ $8, Z23, Z23;            \
	VPSLLQ $10, Z24, Z24;           \
	VPADDQ Z22, Z20, Z20;           \
	VPADDQ Z23, Z21, Z21;           \
	VPSRLQ $44, Z19, Z22;           \
	VPANDQ Z28, Z19, Z19;           \
	VPADDQ Z22, Z20, Z20;           \
	VPSRLQ $44, Z20, Z23;           \
	VPANDQ Z28, Z20, Z17;           \
	VPADDQ Z23, Z21, Z21;           \
	VPSRLQ $42, Z21, Z22;           \
	VPANDQ Z29, Z21, Z18;           \
	VPADDQ Z24, Z22, Z22;           \
	VPADDQ Z22, Z19, Z19;           \
	VPSLLQ $2, Z22, Z22;            \
	VPADDQ Z22, Z19, Z19;           \
	VPSRLQ $44, Z19, Z22;           \
	VPANDQ Z28, Z19, Z16;           \
	VPADDQ Z22, Z17, Z17

// TIMES8 multiplies the sum by the power that LIMB8 has.
#define TIMES8 \
	PRODUCT(ONE, Z16, Z17, Z18, LIMB8(0), LIMB8(1), LIMB8(2), LIMB8(3), LIMB8(4))

#define TIMES20(x, y, z) \
	VPSLLQ $4, x, y;                \
	VPSLLQ $2, x, z;                \
	VPADDQ y, z, z

// KEEP stores the first lane of the sum for ONE.
#define KEEP(at) \
	VMOVQ X16, at(0);               \
	VMOVQ X17, at(1);               \
	VMOVQ X18, at(2);               \
	TIMES20(X17, X19, X20);         \
	VMOVQ X20, at(3);               \
	TIMES20(X18, X19, X20);         \
	VMOVQ X20, at(4)

// POWER splits a power of r, which is one number, into limbs for some lanes of Z25 to Z27.
#define POWER(lanes) \
	MOVL         $lanes, AX;        \
	KMOVW        AX, K1;            \
	MOVL         $44, DX;           \
	BZHIQ        DX, R10, AX;       \
	VPBROADCASTQ AX, K1, Z25;       \
	MOVQ         R10, R14;          \
	SHRQ         $44, R11, R14;     \
	BZHIQ        DX, R14, R14;      \
	VPBROADCASTQ R14, K1, Z26;      \
	MOVQ         R11, R15;          \
	SHRQ         $24, R13, R15;     \
	VPBROADCASTQ R15, K1, Z27

#define STORE(at, a, b, c) \
	VMOVDQU64 a, at(0);             \
	VMOVDQU64 b, at(1);             \
	VMOVDQU64 c, at(2)

#define LOADMASKS \
	VPBROADCASTQ ·limb44(SB), Z28;  \
	VPBROADCASTQ ·limb42(SB), Z29;  \
	VPBROADCASTQ ·bit128(SB), Z30

// ADDLANES adds eight lanes into a word.
#define ADDLANES(z, y, x, ty, tx, word) \
	VEXTRACTI64X4 $1, z, ty;        \
	VPADDQ        ty, y, y;         \
	VEXTRACTI32X4 $1, y, tx;        \
	VPADDQ        tx, x, x;         \
	VPSHUFD       $0xEE, x, tx;     \
	VPADDQ        tx, x, x;         \
	VMOVQ         x, word

// MULTIPLY is the sum as one number, in R10, R11 and R13, times r. The lowest two bits of the upper word of r are zero, so that what comes
// to 2^130 or more is a multiple of 2^130, which is 5.
#define MULTIPLY \
	MOVQ  R10, DX;                  \
	MULXQ R0, AX, R14;              \
	MULXQ R1, R15, R8;              \
	MOVQ  R11, DX;                  \
	MULXQ R1X, R10, R11;            \
	ADDQ  R10, AX;                  \
	ADCQ  R11, R14;                 \
	MULXQ R0, R10, R11;             \
	ADDQ  R10, R15;                 \
	ADCQ  R11, R8;                  \
	MOVQ  R13, DX;                  \
	IMULQ R1X, DX;                  \
	IMULQ R0, R13;                  \
	ADDQ  DX, R15;                  \
	ADCQ  $0, R8;                   \
	ADDQ  R15, R14;                 \
	ADCQ  R8, R13;                  \
	MOVQ  R13, DX;                  \
	MOVQ  R13, R10;                 \
	ANDQ  $-4, DX;                  \
	SHRQ  $2, R10;                  \
	ANDL  $3, R13;                  \
	ADDQ  DX, R10;                  \
	MOVQ  R14, R11;                 \
	ADDQ  AX, R10;                  \
	ADCQ  $0, R11;                  \
	ADCQ  $0, R13

// BYTES16 adds a whole block to the sum as one number.
#define BYTES16 \
	ADDQ (R9), R10;                 \
	ADCQ 8(R9), R11;                \
	ADCQ $1, R13;                   \
	ADDQ $16, R9;                   \
	MULTIPLY

// BYTESLESS adds R12 bytes, fewer than 16, with zeros behind them.
#define BYTESLESS \
	MOVQ       $-1, AX;             \
	BZHIQ      R12, AX, AX;         \
	KMOVQ      AX, K1;              \
	VMOVDQU8.Z (R9), K1, X19;       \
	VMOVQ      X19, AX;             \
	VPEXTRQ    $1, X19, DX;         \
	ADDQ       AX, R10;             \
	ADCQ       DX, R11;             \
	ADCQ       $1, R13;             \
	MULTIPLY

// TAG writes the sum modulo 2^130 - 5, plus s.
#define TAG \
	MOVQ    R10, AX;                \
	MOVQ    R11, R14;               \
	MOVQ    R13, R15;               \
	SUBQ    $-5, AX;                \
	SBBQ    $-1, R14;               \
	SBBQ    $3, R15;                \
	CMOVQCS R10, AX;                \
	CMOVQCS R11, R14;               \
	ADDQ    S0, AX;                 \
	ADCQ    S1, R14;                \
	MOVQ    tag+56(FP), DX;         \
	MOVQ    AX, (DX);               \
	MOVQ    R14, 8(DX)
