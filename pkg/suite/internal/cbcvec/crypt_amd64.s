#include "textflag.h"

// Z16 – Z25  round keys 0 to 9
// Z26        last round key
// Z27 – Z30  those between, which only longer keys have
// Z0 – Z3    blocks that are deciphered           X0  the block that is enciphered
// Z4 – Z7    what the last round adds to them     X1  the first round key and the last
//
//
// R8 the key                        CX the bytes that are left
// R13 16 times the number of rounds SI, DI where they are and go to
//
// A key is its number of rounds and the round keys in the order of their use.
#define ROUNDKEYS 8

// LOADKEYS fills X16 to X30, or all lanes of Z16 to Z30.
#define LOADKEYS(LOAD, label, K0, K1, K2, K3, K4, K5, K6, K7, K8, K9, LAST, K10, K11, K12, K13) \
	MOVQ (R8), R13;                \
	SHLQ $4, R13;                  \
	LOAD (ROUNDKEYS+0)(R8), K0;    \
	LOAD (ROUNDKEYS+16)(R8), K1;   \
	LOAD (ROUNDKEYS+32)(R8), K2;   \
	LOAD (ROUNDKEYS+48)(R8), K3;   \
	LOAD (ROUNDKEYS+64)(R8), K4;   \
	LOAD (ROUNDKEYS+80)(R8), K5;   \
	LOAD (ROUNDKEYS+96)(R8), K6;   \
	LOAD (ROUNDKEYS+112)(R8), K7;  \
	LOAD (ROUNDKEYS+128)(R8), K8;  \
	LOAD (ROUNDKEYS+144)(R8), K9;  \
	LOAD ROUNDKEYS(R8)(R13*1), LAST; \
	CMPQ R13, $160;                \
	JBE  label;                    \
	LOAD (ROUNDKEYS+160)(R8), K10; \
	LOAD (ROUNDKEYS+176)(R8), K11; \
	CMPQ R13, $192;                \
	JBE  label;                    \
	LOAD (ROUNDKEYS+192)(R8), K12; \
	LOAD (ROUNDKEYS+208)(R8), K13

#define ENCRYPT1(k) \
	VAESENC k, X0, X0

#define DECRYPT1(k) \
	VAESDEC k, Z0, Z0

#define DECRYPT4(k) \
	VAESDEC k, Z0, Z0; \
	VAESDEC k, Z1, Z1; \
	VAESDEC k, Z2, Z2; \
	VAESDEC k, Z3, Z3

// ROUNDS does all rounds between the first and the last, and goes to the label or falls through to it: 9 with 16 bytes of key, 11 with 24
// and 13 with 32.
#define ROUNDS(ROUND, label, K1, K2, K3, K4, K5, K6, K7, K8, K9, K10, K11, K12, K13) \
	ROUND(K1);      \
	ROUND(K2);      \
	ROUND(K3);      \
	ROUND(K4);      \
	ROUND(K5);      \
	ROUND(K6);      \
	ROUND(K7);      \
	ROUND(K8);      \
	ROUND(K9);      \
	CMPQ R13, $160; \
	JBE  label;     \
	ROUND(K10);     \
	ROUND(K11);     \
	CMPQ R13, $192; \
	JBE  label;     \
	ROUND(K12);     \
	ROUND(K13)

// func encrypt(key *Encrypter, dst, src *byte, n int, iv *byte)
TEXT ·encrypt(SB), NOSPLIT, $0-40
	MOVQ key+0(FP), R8
	MOVQ dst+8(FP), DI
	MOVQ src+16(FP), SI
	MOVQ n+24(FP), CX
	MOVQ iv+32(FP), AX
	LOADKEYS(VMOVDQU64, loaded, X16, X17, X18, X19, X20, X21, X22, X23, X24, X25, X26, X27, X28, X29, X30)

loaded:
	VPXORQ  X16, X26, X1
	VMOVDQU (AX), X0
	VPXORQ  (SI), X0, X0
	VPXORQ  X16, X0, X0

encryptblock:
	ROUNDS(ENCRYPT1, encryptlast, X17, X18, X19, X20, X21, X22, X23, X24, X25, X27, X28, X29, X30)

	// The last round adds its key. If the next block, with its first round key, is added to that key before, what comes out is where the next
	// block begins: the chain is rounds and nothing else.
encryptlast:
	VAESENCLAST X26, X0, X2
	VMOVDQU     X2, (DI)
	ADDQ        $16, SI
	ADDQ        $16, DI
	SUBQ        $16, CX
	JZ          encrypted
	VPXORQ      (SI), X1, X3
	VAESENCLAST X3, X0, X0
	JMP         encryptblock

encrypted:
	VZEROUPPER
	RET

// func decrypt(key *Decrypter, dst, src *byte, n int, iv *byte)
TEXT ·decrypt(SB), NOSPLIT, $0-40
	MOVQ key+0(FP), R8
	MOVQ dst+8(FP), DI
	MOVQ src+16(FP), SI
	MOVQ n+24(FP), CX
	MOVQ iv+32(FP), AX
	LOADKEYS(VBROADCASTI32X4, loaded, Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z24, Z25, Z26, Z27, Z28, Z29, Z30)

	// The last lane of Z31 is the ciphertext before what comes: at first the IV. It lies in a register, because in place it is overwritten.
loaded:
	VBROADCASTI32X4 (AX), Z31
	SUBQ            $256, CX
	JLT             rest

	// A stride: four vectors, and the four whose lanes are the blocks before
stride:
	VMOVDQU64   (SI), Z0
	VMOVDQU64   64(SI), Z1
	VMOVDQU64   128(SI), Z2
	VMOVDQU64   192(SI), Z3
	VALIGNQ     $6, Z31, Z0, Z4
	VALIGNQ     $6, Z0, Z1, Z5
	VALIGNQ     $6, Z1, Z2, Z6
	VALIGNQ     $6, Z2, Z3, Z7
	VMOVDQA64   Z3, Z31
	VPXORQ      Z26, Z4, Z4
	VPXORQ      Z26, Z5, Z5
	VPXORQ      Z26, Z6, Z6
	VPXORQ      Z26, Z7, Z7
	VPXORQ      Z16, Z0, Z0
	VPXORQ      Z16, Z1, Z1
	VPXORQ      Z16, Z2, Z2
	VPXORQ      Z16, Z3, Z3
	ROUNDS(DECRYPT4, stridelast, Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z24, Z25, Z27, Z28, Z29, Z30)

stridelast:
	VAESDECLAST Z4, Z0, Z0
	VAESDECLAST Z5, Z1, Z1
	VAESDECLAST Z6, Z2, Z2
	VAESDECLAST Z7, Z3, Z3
	VMOVDQU64   Z0, (DI)
	VMOVDQU64   Z1, 64(DI)
	VMOVDQU64   Z2, 128(DI)
	VMOVDQU64   Z3, 192(DI)
	ADDQ        $256, SI
	ADDQ        $256, DI
	SUBQ        $256, CX
	JGE         stride

	// 0 to 15 blocks are left: vector by vector, none of which waits for another. Of the last one a mask has what is there.
rest:
	ADDQ $256, CX
	JZ   decrypted
	MOVQ $-1, DX

vector:
	BZHIQ       CX, DX, AX
	KMOVQ       AX, K1
	VMOVDQU8.Z  (SI), K1, Z0
	VALIGNQ     $6, Z31, Z0, Z4
	VMOVDQA64   Z0, Z31
	VPXORQ      Z26, Z4, Z4
	VPXORQ      Z16, Z0, Z0
	ROUNDS(DECRYPT1, vectorlast, Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z24, Z25, Z27, Z28, Z29, Z30)

vectorlast:
	VAESDECLAST Z4, Z0, Z0
	VMOVDQU8    Z0, K1, (DI)
	ADDQ        $64, SI
	ADDQ        $64, DI
	SUBQ        $64, CX
	JG          vector

decrypted:
	VZEROUPPER
	RET
