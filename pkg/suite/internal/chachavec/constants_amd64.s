#include "textflag.h"

// "expand 32-byte k", the first row of every state
DATA ·sigma+0(SB)/8, $0x3320646E61707865
DATA ·sigma+8(SB)/8, $0x6B20657479622D32
GLOBL ·sigma(SB), RODATA|NOPTR, $16

#define WORDS(name, at, a, b, c, d) \
	DATA name+(at+0)(SB)/4, $a; DATA name+(at+4)(SB)/4, $b;  \
	DATA name+(at+8)(SB)/4, $c; DATA name+(at+12)(SB)/4, $d

// Counters. Of four states, which have a lane each:
WORDS(·counters4, 0, 0, 0, 0, 0)
WORDS(·counters4, 16, 1, 0, 0, 0)
WORDS(·counters4, 32, 2, 0, 0, 0)
WORDS(·counters4, 48, 3, 0, 0, 0)
GLOBL ·counters4(SB), RODATA|NOPTR, $64

// Of eight and of 16, which have a word each. What stands in the same place of each lane becomes neighbours.
WORDS(·counters8, 0, 0, 2, 4, 6)
WORDS(·counters8, 16, 1, 3, 5, 7)
GLOBL ·counters8(SB), RODATA|NOPTR, $32
WORDS(·counters16, 0, 0, 4, 8, 12)
WORDS(·counters16, 16, 1, 5, 9, 13)
WORDS(·counters16, 32, 2, 6, 10, 14)
WORDS(·counters16, 48, 3, 7, 11, 15)
GLOBL ·counters16(SB), RODATA|NOPTR, $64

// 44 bits and 42 bits of ones, and bit 128 of a block as the upper of three limbs has it
DATA ·limb44(SB)/8, $0xFFFFFFFFFFF
DATA ·limb42(SB)/8, $0x3FFFFFFFFFF
DATA ·bit128(SB)/8, $0x10000000000
GLOBL ·limb44(SB), RODATA|NOPTR, $8
GLOBL ·limb42(SB), RODATA|NOPTR, $8
GLOBL ·bit128(SB), RODATA|NOPTR, $8
