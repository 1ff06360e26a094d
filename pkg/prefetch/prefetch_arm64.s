#include "textflag.h"

// func Line(p unsafe.Pointer)
TEXT ·Line(SB), NOSPLIT, $0-8
	MOVD p+0(FP), R0
	PRFM (R0), PLDL1KEEP
	RET

// func Lines(p unsafe.Pointer)
TEXT ·Lines(SB), NOSPLIT, $0-8
	MOVD p+0(FP), R0
	PRFM (R0), PLDL1KEEP
	PRFM 64(R0), PLDL1KEEP
	RET

// func Both(p, q unsafe.Pointer)
TEXT ·Both(SB), NOSPLIT, $0-16
	MOVD p+0(FP), R0
	MOVD q+8(FP), R1
	PRFM (R0), PLDL1KEEP
	PRFM 64(R0), PLDL1KEEP
	PRFM (R1), PLDL1KEEP
	PRFM 64(R1), PLDL1KEEP
	RET

// func span(part uint64)
TEXT ·span(SB), NOSPLIT, $0-8
	MOVD part+0(FP), R0
	AND  $63, R0, R1
	BIC  $63, R0, R0

next:
	SUBS $1, R1
	BLT  done
	PRFM (R0), PLDL1KEEP
	ADD  $64, R0
	B    next

done:
	RET
