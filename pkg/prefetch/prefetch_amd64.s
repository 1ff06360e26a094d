#include "textflag.h"

// func Line(p unsafe.Pointer)
TEXT ·Line(SB), NOSPLIT, $0-8
	MOVQ       p+0(FP), AX
	PREFETCHT0 (AX)
	RET

// func Lines(p unsafe.Pointer)
TEXT ·Lines(SB), NOSPLIT, $0-8
	MOVQ       p+0(FP), AX
	PREFETCHT0 (AX)
	PREFETCHT0 64(AX)
	RET

// func Both(p, q unsafe.Pointer)
TEXT ·Both(SB), NOSPLIT, $0-16
	MOVQ       p+0(FP), AX
	MOVQ       q+8(FP), BX
	PREFETCHT0 (AX)
	PREFETCHT0 64(AX)
	PREFETCHT0 (BX)
	PREFETCHT0 64(BX)
	RET

// func span(part uint64)
TEXT ·span(SB), NOSPLIT, $0-8
	MOVQ part+0(FP), AX
	MOVQ AX, CX
	ANDQ $63, CX
	ANDQ $~63, AX

next:
	SUBQ       $1, CX
	JLT        done
	PREFETCHT0 (AX)
	ADDQ       $64, AX
	JMP        next

done:
	RET
