#include "textflag.h"

// Each lane of 64 bits adds up whole words (Y0 to Y3, modulo 2^64) and their upper halves (Y4 to Y7). The sum of the lower halves is the first without the
// second shifted up, exactly, for it is less than 2^64; and as 2^32 is 1 modulo 0xffff, the sum of both halves is the one that is wanted.

// func sumVector(p *byte, n int) uint64
TEXT ·sumVector(SB), NOSPLIT, $0-24
	MOVQ p+0(FP), SI
	MOVQ n+8(FP), CX
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1
	VPXOR Y2, Y2, Y2
	VPXOR Y3, Y3, Y3
	VPXOR Y4, Y4, Y4
	VPXOR Y5, Y5, Y5
	VPXOR Y6, Y6, Y6
	VPXOR Y7, Y7, Y7

loop:
	VMOVDQU (SI), Y8
	VMOVDQU 32(SI), Y9
	VMOVDQU 64(SI), Y10
	VMOVDQU 96(SI), Y11
	VPADDQ Y8, Y0, Y0
	VPADDQ Y9, Y1, Y1
	VPADDQ Y10, Y2, Y2
	VPADDQ Y11, Y3, Y3
	VPSRLQ $32, Y8, Y8
	VPSRLQ $32, Y9, Y9
	VPSRLQ $32, Y10, Y10
	VPSRLQ $32, Y11, Y11
	VPADDQ Y8, Y4, Y4
	VPADDQ Y9, Y5, Y5
	VPADDQ Y10, Y6, Y6
	VPADDQ Y11, Y7, Y7
	ADDQ $128, SI
	SUBQ $128, CX
	CMPQ CX, $128
	JGE  loop
	TESTQ CX, CX
	JEQ  done

rest:
	VMOVDQU (SI), Y8
	VPADDQ Y8, Y0, Y0
	VPSRLQ $32, Y8, Y8
	VPADDQ Y8, Y4, Y4
	ADDQ $32, SI
	SUBQ $32, CX
	JNE  rest

done:
	VPADDQ Y1, Y0, Y0
	VPADDQ Y3, Y2, Y2
	VPADDQ Y2, Y0, Y0
	VPADDQ Y5, Y4, Y4
	VPADDQ Y7, Y6, Y6
	VPADDQ Y6, Y4, Y4
	VPSLLQ $32, Y4, Y5
	VPSUBQ Y5, Y0, Y0
	VPADDQ Y4, Y0, Y0
	VEXTRACTI128 $1, Y0, X1
	VPADDQ X1, X0, X0
	VPSRLDQ $8, X0, X1
	VPADDQ X1, X0, X0
	VMOVQ X0, AX
	VZEROUPPER
	MOVQ AX, ret+16(FP)
	RET
