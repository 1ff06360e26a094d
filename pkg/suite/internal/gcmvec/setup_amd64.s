#include "textflag.h"
#include "macros_amd64.h"

// func setPowers(key *gcm)
TEXT ·setPowers(SB), NOSPLIT, $0-8
	MOVQ key+0(FP), R8
	MOVL (R8), CX

	// H = E(K, 0)
	LEAQ    ROUNDKEYS(R8), SI
	VMOVDQU (SI), X13
	DECQ    CX

encipher:
	ADDQ        $16, SI
	VAESENC     (SI), X13, X13
	DECQ        CX
	JNZ         encipher
	VAESENCLAST 16(SI), X13, X13
	VPSHUFB     ·reverse(SB), X13, X13

	// H·x: every product of reversed numbers is off by one bit, and this makes up for it. The bit that falls out makes a mask.
	VPSRLQ  $63, X13, X8
	VPADDQ  X13, X13, X13
	VPSLLDQ $8, X8, X9
	VPOR    X9, X13, X13
	VPSHUFD $0xEE, X8, X8
	VPXOR   X9, X9, X9
	VPSUBQ  X8, X9, X8
	VPAND   ·polynomial(SB), X8, X8
	VPXOR   X8, X13, X13
	VMOVDQU X13, POWER1(R8)

	// Each power is the one before times H.
	VPBROADCASTQ ·polynomial+8(SB), Z28
	VMOVDQA      X13, X7
	LEAQ         POWER1(R8), DI
	MOVQ         $16, CX

power:
	VPCLMULQDQ $0x01, X7, X13, X9
	VPCLMULQDQ $0x10, X7, X13, X11
	VPCLMULQDQ $0x00, X7, X13, X8
	VPCLMULQDQ $0x11, X7, X13, X10
	VPXOR      X11, X9, X9
	REDUCELOW
	REDUCEMIDDLE
	VMOVDQA    X10, X13
	SUBQ       $16, DI
	VMOVDQU    X13, (DI)
	DECQ       CX
	JNZ        power
	VZEROUPPER
	RET

// VECTOR loads what there is of the next vector. An empty one is looked for where the first one is.
#define VECTOR(at, k, z) \
	SUBQ       $64, CX;       \
	LEAQ       at(SI), R10;   \
	CMOVQLE    SI, R10;       \
	CMOVQLE    R9, CX;        \
	BZHIQ      CX, DX, AX;    \
	KMOVQ      AX, k;         \
	VMOVDQU8.Z (R10), k, z;   \
	VPSHUFB    Z15, z, z

// func hash(key *gcm, sum *block, blocks *byte, n int)
TEXT ·hash(SB), NOSPLIT, $0-32
	MOVQ            key+0(FP), R8
	MOVQ            sum+8(FP), DI
	MOVQ            blocks+16(FP), SI
	MOVQ            n+24(FP), CX
	VBROADCASTI32X4 ·reverse(SB), Z15
	VPBROADCASTQ    ·polynomial+8(SB), Z28
	VMOVDQU         (DI), X13
	VPSHUFB         X15, X13, X13
	LEAQ            POWER16(R8), R14
	SUBQ            $256, CX
	JLT             rest

stride:
	VMOVDQU64 (SI), Z4
	VMOVDQU64 64(SI), Z5
	VMOVDQU64 128(SI), Z6
	VMOVDQU64 192(SI), Z7
	VPSHUFB   Z15, Z4, Z4
	VPSHUFB   Z15, Z5, Z5
	VPSHUFB   Z15, Z6, Z6
	VPSHUFB   Z15, Z7, Z7
	HASH4(ADD)
	ADDQ      $256, SI
	SUBQ      $256, CX
	JGE       stride

	// What is left: t blocks, of which the first needs H^t.
rest:
	ADDQ $256, CX
	JZ   done
	MOVQ $-1, DX
	XORL R9, R9
	LEAQ (POWER1+16)(R8), R14
	SUBQ CX, R14

	BZHIQ      CX, DX, AX
	KMOVQ      AX, K1
	VMOVDQU8.Z (SI), K1, Z4
	VPSHUFB    Z15, Z4, Z4
	CMPQ       CX, $64
	JBE        few
	VECTOR(64, K2, Z5)
	VECTOR(128, K3, Z6)
	VECTOR(192, K4, Z7)
	HASH4(ADD)
	JMP done

	// One vector: the powers for others would lie beyond the key.
few:
	VPXORQ     Z4, Z13, Z13
	VPCLMULQDQ $0x00, (R14), Z13, Z8
	VPCLMULQDQ $0x01, (R14), Z13, Z9
	VPCLMULQDQ $0x10, (R14), Z13, Z11
	VPXORQ     Z11, Z9, Z9
	VPCLMULQDQ $0x11, (R14), Z13, Z10
	REDUCELOW
	REDUCEMIDDLE
	FOLD

done:
	VPSHUFB X15, X13, X13
	VMOVDQU X13, (DI)
	VZEROUPPER
	RET
