#include "textflag.h"

// reverse the bytes of each lane
DATA ·reverse+0(SB)/8, $0x08090A0B0C0D0E0F
DATA ·reverse+8(SB)/8, $0x0001020304050607
GLOBL ·reverse(SB), RODATA|NOPTR, $16

// swap those of the last word of each lane
DATA ·swap+0(SB)/8, $0x0706050403020100
DATA ·swap+8(SB)/8, $0x0C0D0E0F0B0A0908
GLOBL ·swap(SB), RODATA|NOPTR, $16

#define FOURLANES(name, at, a, b, c, d) \
	DATA name+(at+0)(SB)/8, $0;  DATA name+(at+8)(SB)/8, $(a);  \
	DATA name+(at+16)(SB)/8, $0; DATA name+(at+24)(SB)/8, $(b); \
	DATA name+(at+32)(SB)/8, $0; DATA name+(at+40)(SB)/8, $(c); \
	DATA name+(at+48)(SB)/8, $0; DATA name+(at+56)(SB)/8, $(d)

// the counters 1 to 16, of which the first makes J0, in big endian as they are enciphered
FOURLANES(·counters, 0, 1<<56, 2<<56, 3<<56, 4<<56)
FOURLANES(·counters, 64, 5<<56, 6<<56, 7<<56, 8<<56)
FOURLANES(·counters, 128, 9<<56, 10<<56, 11<<56, 12<<56)
FOURLANES(·counters, 192, 13<<56, 14<<56, 15<<56, 16<<56)
GLOBL ·counters(SB), RODATA|NOPTR, $256

// 16 in every counter, in little endian
FOURLANES(·sixteen, 0, 16<<32, 16<<32, 16<<32, 16<<32)
GLOBL ·sixteen(SB), RODATA|NOPTR, $64

#define QUADWORDS(name, at, a, b, c, d, e, f, g, h) \
	DATA name+(at+0)(SB)/8, $a;  DATA name+(at+8)(SB)/8, $b;  \
	DATA name+(at+16)(SB)/8, $c; DATA name+(at+24)(SB)/8, $d; \
	DATA name+(at+32)(SB)/8, $e; DATA name+(at+40)(SB)/8, $f; \
	DATA name+(at+48)(SB)/8, $g; DATA name+(at+56)(SB)/8, $h

// How the quadwords of a first vector are moved, whose lane 0 is not of the text: from where they are in memory, and back. Then how
// those of any other are, not at all.
QUADWORDS(·lanes, 0, 6, 7, 0, 1, 2, 3, 4, 5)
QUADWORDS(·lanes, 64, 2, 3, 4, 5, 6, 7, 0, 1)
QUADWORDS(·lanes, 128, 0, 1, 2, 3, 4, 5, 6, 7)
QUADWORDS(·lanes, 192, 0, 1, 2, 3, 4, 5, 6, 7)
GLOBL ·lanes(SB), RODATA|NOPTR, $256

// What a bit that is shifted out of 128 comes back as: x^128 = x^127 + x^126 + x^121 + 1, with the polynomial of GCM reversed.
DATA ·polynomial+0(SB)/8, $0x0000000000000001
DATA ·polynomial+8(SB)/8, $0xC200000000000000
GLOBL ·polynomial(SB), RODATA|NOPTR, $16
