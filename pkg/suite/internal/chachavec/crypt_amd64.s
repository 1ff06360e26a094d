#include "textflag.h"
#include "frame_amd64.h"
#include "chacha_amd64.h"
#include "poly_amd64.h"

// func crypt(key *[32]byte, dst, src *byte, n int, nonce, additional *byte, length int, tag *[16]byte, opening int)
//
// R8 the key               R9  what Poly1305 reads next, or 0                   R10 the nonce, or with R11 and R13 Poly1305's sum
// SI, DI text, from and to R12 vectors of eight blocks that Poly1305 has to add AX, DX, R14, R15 for the moment
// CX bytes left            BX  groups of four blocks of this turn
TEXT ·crypt(SB), 0, $1224-72
	MOVQ key+0(FP), R8
	MOVQ dst+8(FP), DI
	MOVQ src+16(FP), SI
	MOVQ n+24(FP), CX
	XORL R9, R9
	XORL R12, R12
	MOVQ $64, FIRST
	MOVQ $0, COUNTER

turn:
	MOVQ nonce+32(FP), R10
	MOVQ CX, AX
	ADDQ FIRST, AX
	CMPQ AX, $256
	JBE  four
	CMPQ AX, $512
	JBE  eight
	CMPQ AX, $768
	JBE  twelve
	CMPQ AX, $1024
	JBE  sixteen

	MOVL COUNTER, AX
	ADDL $16, AX
	MOVL AX, NEXTCOUNTER
	MOVL $6, BX
	START24
	MOVL $10, AX

rounds24:
	ROUNDS2(AD24, CB24, ADNEXT24, CBNEXT24)
	DECL AX
	JNZ  rounds24
	PUTASIDE
	FINISH16
	JMP  mixed

sixteen:
	MOVL $4, BX
	START16
	MOVL $10, AX

rounds16:
	ROUNDS2(AD16, CB16, ADNEXT16, CBNEXT16)
	DECL AX
	JNZ  rounds16
	FINISH16
	JMP  mixed

twelve:
	MOVL COUNTER, AX
	ADDL $8, AX
	MOVL AX, NEXTCOUNTER
	MOVL $3, BX
	START8
	STARTROWS(Z20, Z21, Z22, Z23, X23, NEXTCOUNTER)
	MOVL $10, AX

rounds12:
	ROUNDS2ROWS(AD12, CB12, ADNEXT12, CBNEXT12, Z20, Z22, Z23)
	DECL AX
	JNZ  rounds12
	FINISH8(COUNTER)
	FINISHROWS(Z20, Z21, Z22, Z23)
	VMOVDQA64 Z20, Z2
	VMOVDQA64 Z21, Z6
	VMOVDQA64 Z22, Z10
	VMOVDQA64 Z23, Z14
	JMP  mixed

eight:
	MOVL $2, BX
	START8
	MOVL $10, AX

rounds8:
	ROUNDS2(AD8, CB8, ADNEXT8, CBNEXT8)
	DECL AX
	JNZ  rounds8
	FINISH8(COUNTER)
	JMP  mixed

four:
	MOVL $1, BX
	STARTROWS(Z0, Z4, Z8, Z12, X12, COUNTER)
	MOVL $10, AX

rounds4:
	ROUNDS2ROWS(AD4, CB4, AD4, CB4, Z0, Z8, Z12)
	DECL AX
	JNZ  rounds4
	FINISHROWS(Z0, Z4, Z8, Z12)

	// The blocks of a group are in Z0 Z4 Z8 Z12, those of the next in Z1 Z5 Z9 Z13, and so on. The first block of all is the key of
	// Poly1305 (RFC 8439 §2.6): r, of which 22 bits are cleared, and s.
mixed:
	CMPQ FIRST, $0
	JEQ  ready
	VEXTRACTI32X4 $1, Z0, X16
	VMOVDQU64     X16, S0
	VMOVQ         X0, R10
	VPEXTRQ       $1, X0, R11
	MOVQ          $0x0FFFFFFC0FFFFFFF, AX
	ANDQ          AX, R10
	MOVQ          $0x0FFFFFFC0FFFFFFC, AX
	ANDQ          AX, R11
	MOVQ          R10, R0
	MOVQ          R11, R1
	MOVQ          R11, AX
	SHRQ          $2, AX
	ADDQ          R11, AX
	MOVQ          AX, R1X
	CMPQ          n+24(FP), $VECTORSPAY
	JB            ready

	// The powers of r, in the order of LIMBS8. The first four come sooner as one number: 4 4 3 3 2 2 1 1.
	LOADMASKS
	XORL R13, R13
	POWER(0xFF)
	MULTIPLY
	POWER(0x30)
	MULTIPLY
	POWER(0x0C)
	MULTIPLY
	POWER(0x03)
	MOVQ         key+0(FP), R8
	VMOVDQA64    Z25, Z16
	VMOVDQA64    Z26, Z17
	VMOVDQA64    Z27, Z18
	KEEP(LIMB8)
	NOTHING
	TIMES8
	CARRY                // 8 8 7 7 6 6 5 5
	MOVL         $0x55, AX
	KMOVW        AX, K1
	VMOVDQA64    Z16, K1, Z25
	VMOVDQA64    Z17, K1, Z26
	VMOVDQA64    Z18, K1, Z27
	KEEP(LIMB8)
	STORE(POWERS8, Z25, Z26, Z27)
	VMOVDQA64    Z25, Z16
	VMOVDQA64    Z26, Z17
	VMOVDQA64    Z27, Z18
	NOTHING
	TIMES8
	CARRY                // 16 12 15 11 14 10 13 9
	KEEP(LIMB16)
	STORE(POWERS16, Z16, Z17, Z18)

	// Open hashes what it is about to decrypt.
ready:
	CMPQ opening+64(FP), $0
	JNE  hash

write:
	CMPQ FIRST, $0
	JEQ  write1
	CMPQ CX, $192
	JB   fewerfirst
	BLOCK(0, Z4)
	BLOCK(64, Z8)
	BLOCK(128, Z12)
	NEXT(192)
	JMP  write2

write1:
	GROUP(Z0, Z4, Z8, Z12, fewer)

write2:
	CMPQ BX, $2
	JB   written
	GROUP(Z1, Z5, Z9, Z13, fewer2)
	CMPQ BX, $3
	JB   written
	GROUP(Z2, Z6, Z10, Z14, fewer3)
	CMPQ BX, $4
	JB   written
	GROUP(Z3, Z7, Z11, Z15, fewer4)
	CMPQ BX, $6
	JB   written
	MOVQ nonce+32(FP), R10
	TAKEBACK
	FINISH8(NEXTCOUNTER)
	GROUP(Z0, Z4, Z8, Z12, fewer)
	GROUP(Z1, Z5, Z9, Z13, fewer2)
	JMP  written

fewerfirst:
	MOVE(Z4, Z8, Z12, Z12)
	JMP fewer

fewer2:
	MOVE(Z1, Z5, Z9, Z13)
	JMP fewer

fewer3:
	MOVE(Z2, Z6, Z10, Z14)
	JMP fewer

fewer4:
	MOVE(Z3, Z7, Z11, Z15)

	// The end of the text: less than a group.
fewer:
	CMPQ CX, $64
	JB   least
	BLOCK(0, Z0)
	NEXT(64)
	MOVE(Z4, Z8, Z12, Z12)
	JMP  fewer

least:
	TESTQ      CX, CX
	JZ         written
	MOVQ       $-1, AX
	BZHIQ      CX, AX, AX
	KMOVQ      AX, K1
	VMOVDQU8.Z (SI), K1, Z1
	VPXORQ     Z0, Z1, Z1
	VMOVDQU8   Z1, K1, (DI)
	ADDQ       CX, DI
	XORL       CX, CX

written:
	MOVQ $0, FIRST
	SHLL $2, BX
	ADDL BX, COUNTER
	CMPQ opening+64(FP), $0
	JEQ  hash

more:
	TESTQ CX, CX
	JNZ   turn
	VZEROUPPER
	RET

hash:
	TESTQ R9, R9
	JNZ   hashmore

	// The additional data
	XORL R10, R10
	XORL R11, R11
	XORL R13, R13
	MOVQ additional+40(FP), R9
	MOVQ length+48(FP), R12

additional:
	CMPQ R12, $16
	JB   lastadditional
	BYTES16
	SUBQ $16, R12
	JMP  additional

lastadditional:
	TESTQ R12, R12
	JZ    text
	BYTESLESS

text:
	MOVQ    dst+8(FP), R9
	CMPQ    opening+64(FP), $0
	CMOVQNE src+16(FP), R9
	MOVQ    n+24(FP), R12
	CMPQ    R12, $VECTORSPAY
	JB      short

	// With the lengths that are to come, the text has so many blocks. The first ones are added one by one, until the rest are whole
	// vectors: at least two.
	ADDQ $31, R12
	SHRQ $4, R12

single:
	TESTQ $7, R12
	JZ    vectors
	BYTES16
	DECQ  R12
	JMP   single

vectors:
	MOVQ  key+0(FP), R8
	LOADMASKS
	MOVL  $44, DX
	BZHIQ DX, R10, AX
	VMOVQ AX, X16
	SHRQ  $44, R11, R10
	BZHIQ DX, R10, R10
	VMOVQ R10, X17
	SHRQ  $24, R13, R11
	VMOVQ R11, X18
	SHRQ  $3, R12
	TESTQ $1, R12
	JZ    hashtext

	// One vector, so that the rest are pairs.
	LIMBS8(0, Z25, Z31, Z19, Z20, Z21)
	ADD8
	NOTHING
	TIMES8
	CARRY
	ADDQ $128, R9
	DECQ R12
	JMP  hashtext

hashmore:
	LOADMASKS
	VMOVDQU64 SUM(0), Z16
	VMOVDQU64 SUM(1), Z17
	VMOVDQU64 SUM(2), Z18

	// Seal hashes what is written, but not the last pair before all is. Open hashes to the end of what this turn has, or beyond.
hashtext:
	CMPQ    opening+64(FP), $0
	JEQ     sealed
	MOVQ    BX, R13
	SHLQ    $8, R13
	SUBQ    FIRST, R13
	CMPQ    CX, R13
	CMOVQCS CX, R13
	ADDQ    SI, R13

openpair:
	CMPQ R9, R13
	JAE  hashed
	CMPQ R12, $2
	JEQ  lastpair
	JMP  pair

sealed:
	CMPQ  R12, $2
	JEQ   sealedlast
	LEAQ  256(R9), AX
	CMPQ  DI, AX
	JB    hashed

	// (sum + eight blocks)·r^16 + the next eight blocks·r^8, of which the second product need not wait for the sum
pair:
	LIMBS8(0, Z25, Z31, Z19, Z20, Z21)
	ADD8
	LIMBS8(128, Z22, Z31, Z25, Z26, Z27)
	NOTHING
	PRODUCT(ONE, Z25, Z26, Z27, LIMB8(0), LIMB8(1), LIMB8(2), LIMB8(3), LIMB8(4))
	PRODUCT(ONE, Z16, Z17, Z18, LIMB16(0), LIMB16(1), LIMB16(2), LIMB16(3), LIMB16(4))
	CARRY
	ADDQ $256, R9
	SUBQ $2, R12
	CMPQ opening+64(FP), $0
	JEQ  sealed
	JMP  openpair

sealedlast:
	TESTQ CX, CX
	JNZ   hashed

	// The last pair ends with 97 to 112 bytes of text, and the lengths. Each lane is multiplied by a power of its own.
lastpair:
	MOVQ         n+24(FP), AX
	MOVQ         length+48(FP), DX
	VMOVQ        DX, X23
	VMOVQ        AX, X24
	VPUNPCKLQDQ  X24, X23, X23
	NEGQ         AX
	ANDL         $15, AX
	MOVL         $48, DX
	SUBQ         AX, DX
	MOVQ         $-1, AX
	BZHIQ        DX, AX, AX
	KMOVQ        AX, K1
	LIMBS8(0, Z25, Z31, Z19, Z20, Z21)
	ADD8
	VMOVDQU64    128(R9), Z22
	VMOVDQU8.Z   192(R9), K1, Z31
	VINSERTI32X4 $3, X23, Z31, Z31
	SPLIT8(Z22, Z31, Z25, Z26, Z27)
	VMOVDQU64    POWERS16(1), Z28
	VMOVDQU64    POWERS16(2), Z29
	VMOVDQU64    POWERS8(1), Z30
	VMOVDQU64    POWERS8(2), Z31
	TIMES20(Z28, Z19, Z28)
	TIMES20(Z29, Z20, Z29)
	TIMES20(Z30, Z21, Z30)
	TIMES20(Z31, Z22, Z31)
	NOTHING
	PRODUCT(ALL, Z25, Z26, Z27, POWERS8(0), POWERS8(1), POWERS8(2), Z30, Z31)
	PRODUCT(ALL, Z16, Z17, Z18, POWERS16(0), POWERS16(1), POWERS16(2), Z28, Z29)
	ADDQ         $256, R9
	XORL         R12, R12

	// The high halves are added to the limbs that they belong to, then the lanes.
	VPSLLQ $8, Z22, Z22
	VPSLLQ $8, Z23, Z23
	TIMES20(Z24, Z31, Z24)
	VPSLLQ $8, Z24, Z24
	VPADDQ Z22, Z20, Z20
	VPADDQ Z23, Z21, Z21
	VPADDQ Z24, Z19, Z19
	ADDLANES(Z19, Y19, X19, Y25, X25, R10)
	ADDLANES(Z20, Y20, X20, Y26, X26, R14)
	ADDLANES(Z21, Y21, X21, Y27, X27, R15)

	// One number, less than twice 2^130 - 5
	MOVQ R14, R11
	SHLQ $44, R14
	SHRQ $20, R11
	MOVQ R15, R13
	SHLQ $24, R15
	SHRQ $40, R13
	ADDQ R14, R10
	ADCQ R15, R11
	ADCQ $0, R13
	MOVQ R13, AX
	SHRQ $2, AX
	LEAQ (AX)(AX*4), AX
	ANDL $3, R13
	ADDQ AX, R10
	ADCQ $0, R11
	ADCQ $0, R13
	TAG
	JMP  done

hashed:
	STORE(SUM, Z16, Z17, Z18)

done:
	CMPQ opening+64(FP), $0
	JNE  write
	JMP  more

short:
	CMPQ R12, $16
	JB   lastshort
	BYTES16
	SUBQ $16, R12
	JMP  short

lastshort:
	TESTQ R12, R12
	JZ    lengths
	BYTESLESS

lengths:
	XORL R12, R12
	MOVQ length+48(FP), AX
	MOVQ n+24(FP), DX
	ADDQ AX, R10
	ADCQ DX, R11
	ADCQ $1, R13
	MULTIPLY
	MOVQ key+0(FP), R8
	TAG
	JMP  done
