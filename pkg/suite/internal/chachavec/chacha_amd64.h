// ChaCha20 (RFC 8439 §2.3) of 4, 8, 12, 16 or 24 blocks at once. doc.go says how they lie in the vectors.

// HALF is a quarter of the quarter round of §2.1, in every lane.
#define HALF(x, y, z, n) \
	VPADDD y, x, x;  \
	VPXORD x, z, z;  \
	VPROLD $n, z, z

// ROUNDS2 is a round of columns and one of diagonals.
#define ROUNDS2(AD, CB, ADNEXT, CBNEXT) \
	AD(16);     \
	CB(12);     \
	AD(8);      \
	CB(7);      \
	ADNEXT(16); \
	CBNEXT(12); \
	ADNEXT(8);  \
	CBNEXT(7)

// Four blocks: a row of four states is a vector.
#define AD4(n) HALF(Z0, Z4, Z12, n)
#define CB4(n) HALF(Z8, Z12, Z4, n)

// ROUNDS2ROWS is ROUNDS2 where there are rows. TURN makes columns of diagonals, or back again. The second row stays: it is the last that
// is ready.
#define ROUNDS2ROWS(AD, CB, ADNEXT, CBNEXT, a, c, d) \
	AD(16);                 \
	CB(12);                 \
	AD(8);                  \
	CB(7);                  \
	TURN(0x93, 0x39, a, c, d); \
	ADNEXT(16);             \
	CBNEXT(12);             \
	ADNEXT(8);              \
	CBNEXT(7);              \
	TURN(0x39, 0x93, a, c, d)

#define TURN(k, l, a, c, d) \
	VPSHUFD $k, a, a;       \
	VPSHUFD $l, c, c;       \
	VPSHUFD $0x4E, d, d

// STARTROWS fills the rows. Z24 keeps the last.
#define STARTROWS(a, b, c, d, x, counter) \
	VBROADCASTI32X4 ·sigma(SB), a;   \
	VBROADCASTI32X4 (R8), b;         \
	VBROADCASTI32X4 16(R8), c;       \
	VMOVQ           (R10), x;        \
	VPINSRD         $2, 8(R10), x, x; \
	VPSLLDQ         $4, x, x;        \
	VPINSRD         $0, counter, x, x; \
	VSHUFI32X4      $0, d, d, d;     \
	VPADDD          ·counters4(SB), d, d; \
	VMOVDQA64       d, Z24

#define FINISHROWS(a, b, c, d) \
	VBROADCASTI32X4 ·sigma(SB), Z16; \
	VBROADCASTI32X4 (R8), Z17;       \
	VBROADCASTI32X4 16(R8), Z18;     \
	VPADDD          Z16, a, a;       \
	VPADDD          Z17, b, b;       \
	VPADDD          Z18, c, c;       \
	VPADDD          Z24, d, d;       \
	BLOCKS4(a, b, c, d)

// BLOCKS4 makes four blocks of four vectors that have a quarter of each.
#define BLOCKS4(a, b, c, d) \
	VSHUFI32X4 $0x44, b, a, Z16;     \
	VSHUFI32X4 $0xEE, b, a, Z17;     \
	VSHUFI32X4 $0x44, d, c, Z18;     \
	VSHUFI32X4 $0xEE, d, c, Z19;     \
	VSHUFI32X4 $0x88, Z18, Z16, a;   \
	VSHUFI32X4 $0xDD, Z18, Z16, b;   \
	VSHUFI32X4 $0x88, Z19, Z17, c;   \
	VSHUFI32X4 $0xDD, Z19, Z17, d

// Eight blocks: a word of eight states is a vector of 256 bits.
#define AD8(n) HALF(Y0, Y4, Y12, n); HALF(Y1, Y5, Y13, n); HALF(Y2, Y6, Y14, n); HALF(Y3, Y7, Y15, n)
#define CB8(n) HALF(Y8, Y12, Y4, n); HALF(Y9, Y13, Y5, n); HALF(Y10, Y14, Y6, n); HALF(Y11, Y15, Y7, n)
#define ADNEXT8(n) HALF(Y0, Y5, Y15, n); HALF(Y1, Y6, Y12, n); HALF(Y2, Y7, Y13, n); HALF(Y3, Y4, Y14, n)
#define CBNEXT8(n) HALF(Y10, Y15, Y5, n); HALF(Y11, Y12, Y6, n); HALF(Y8, Y13, Y7, n); HALF(Y9, Y14, Y4, n)

// Twelve blocks: four, in rows, beside eight
#define AD12(n) AD8(n); HALF(Z20, Z21, Z23, n)
#define CB12(n) CB8(n); HALF(Z22, Z23, Z21, n)
#define ADNEXT12(n) ADNEXT8(n); HALF(Z20, Z21, Z23, n)
#define CBNEXT12(n) CBNEXT8(n); HALF(Z22, Z23, Z21, n)

// 16 blocks: a word of 16 states is a vector.
#define AD16(n) HALF(Z0, Z4, Z12, n); HALF(Z1, Z5, Z13, n); HALF(Z2, Z6, Z14, n); HALF(Z3, Z7, Z15, n)
#define CB16(n) HALF(Z8, Z12, Z4, n); HALF(Z9, Z13, Z5, n); HALF(Z10, Z14, Z6, n); HALF(Z11, Z15, Z7, n)
#define ADNEXT16(n) HALF(Z0, Z5, Z15, n); HALF(Z1, Z6, Z12, n); HALF(Z2, Z7, Z13, n); HALF(Z3, Z4, Z14, n)
#define CBNEXT16(n) HALF(Z10, Z15, Z5, n); HALF(Z11, Z12, Z6, n); HALF(Z8, Z13, Z7, n); HALF(Z9, Z14, Z4, n)

// 24 blocks: eight beside 16
#define AD24(n) AD16(n); HALF(Y16, Y20, Y28, n); HALF(Y17, Y21, Y29, n); HALF(Y18, Y22, Y30, n); HALF(Y19, Y23, Y31, n)
#define CB24(n) CB16(n); HALF(Y24, Y28, Y20, n); HALF(Y25, Y29, Y21, n); HALF(Y26, Y30, Y22, n); HALF(Y27, Y31, Y23, n)
#define ADNEXT24(n) ADNEXT16(n); HALF(Y16, Y21, Y31, n); HALF(Y17, Y22, Y28, n); HALF(Y18, Y23, Y29, n); HALF(Y19, Y20, Y30, n)
#define CBNEXT24(n) CBNEXT16(n); HALF(Y26, Y31, Y21, n); HALF(Y27, Y28, Y22, n); HALF(Y24, Y29, Y23, n); HALF(Y25, Y30, Y20, n)

// START fills states that have a word a vector; the counters are what counter and more add to that of the turn.
#define START(z0, z1, z2, z3, z4, z5, z6, z7, z8, z9, z10, z11, z12, z13, z14, z15, counters) \
	VPBROADCASTD ·sigma+0(SB), z0;   \
	VPBROADCASTD ·sigma+4(SB), z1;   \
	VPBROADCASTD ·sigma+8(SB), z2;   \
	VPBROADCASTD ·sigma+12(SB), z3;  \
	VPBROADCASTD (R8), z4;           \
	VPBROADCASTD 4(R8), z5;          \
	VPBROADCASTD 8(R8), z6;          \
	VPBROADCASTD 12(R8), z7;         \
	VPBROADCASTD 16(R8), z8;         \
	VPBROADCASTD 20(R8), z9;         \
	VPBROADCASTD 24(R8), z10;        \
	VPBROADCASTD 28(R8), z11;        \
	VPBROADCASTD COUNTER, z12;       \
	VPADDD       counters(SB), z12, z12; \
	VPBROADCASTD (R10), z13;         \
	VPBROADCASTD 4(R10), z14;        \
	VPBROADCASTD 8(R10), z15

#define START8 START(Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, Y8, Y9, Y10, Y11, Y12, Y13, Y14, Y15, ·counters8)
#define START16 START(Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15, ·counters16)
#define START24 \
	START16;                         \
	VMOVDQA64    Y0, Y16;            \
	VMOVDQA64    Y1, Y17;            \
	VMOVDQA64    Y2, Y18;            \
	VMOVDQA64    Y3, Y19;            \
	VMOVDQA64    Y4, Y20;            \
	VMOVDQA64    Y5, Y21;            \
	VMOVDQA64    Y6, Y22;            \
	VMOVDQA64    Y7, Y23;            \
	VMOVDQA64    Y8, Y24;            \
	VMOVDQA64    Y9, Y25;            \
	VMOVDQA64    Y10, Y26;           \
	VMOVDQA64    Y11, Y27;           \
	VPBROADCASTD NEXTCOUNTER, Y28;     \
	VPADDD       ·counters8(SB), Y28, Y28; \
	VMOVDQA64    Y13, Y29;           \
	VMOVDQA64    Y14, Y30;           \
	VMOVDQA64    Y15, Y31

// ADDSTART adds what START began with.
#define ADDSTART(z0, z1, z2, z3, z4, z5, z6, z7, z8, z9, z10, z11, z12, z13, z14, z15, t, counter, counters) \
	VPADDD.BCST  ·sigma+0(SB), z0, z0;   \
	VPADDD.BCST  ·sigma+4(SB), z1, z1;   \
	VPADDD.BCST  ·sigma+8(SB), z2, z2;   \
	VPADDD.BCST  ·sigma+12(SB), z3, z3;  \
	VPADDD.BCST  (R8), z4, z4;           \
	VPADDD.BCST  4(R8), z5, z5;          \
	VPADDD.BCST  8(R8), z6, z6;          \
	VPADDD.BCST  12(R8), z7, z7;         \
	VPADDD.BCST  16(R8), z8, z8;         \
	VPADDD.BCST  20(R8), z9, z9;         \
	VPADDD.BCST  24(R8), z10, z10;       \
	VPADDD.BCST  28(R8), z11, z11;       \
	VPBROADCASTD counter, t;             \
	VPADDD       counters(SB), t, t;     \
	VPADDD       t, z12, z12;            \
	VPADDD.BCST  (R10), z13, z13;        \
	VPADDD.BCST  4(R10), z14, z14;       \
	VPADDD.BCST  8(R10), z15, z15

// LANES turns four words of as many states as there are into one lane of four words a state.
#define LANES(a, b, c, d, t, u, v, w) \
	VPUNPCKLDQ  b, a, t;             \
	VPUNPCKHDQ  b, a, u;             \
	VPUNPCKLDQ  d, c, v;             \
	VPUNPCKHDQ  d, c, w;             \
	VPUNPCKLQDQ v, t, a;             \
	VPUNPCKHQDQ v, t, b;             \
	VPUNPCKLQDQ w, u, c;             \
	VPUNPCKHQDQ w, u, d

// BLOCKS2 makes two blocks of four vectors of 256 bits that have a quarter of each.
#define BLOCKS2(ya, yb, yc, yd, a, c, first, second) \
	VINSERTI64X4 $1, yb, a, Z16;     \
	VINSERTI64X4 $1, yd, c, Z17;     \
	VSHUFI32X4   $0x88, Z17, Z16, first; \
	VSHUFI32X4   $0xDD, Z17, Z16, second

#define FINISH8(counter) \
	ADDSTART(Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, Y8, Y9, Y10, Y11, Y12, Y13, Y14, Y15, Y16, counter, ·counters8); \
	LANES(Y0, Y1, Y2, Y3, Y16, Y17, Y18, Y19);     \
	LANES(Y4, Y5, Y6, Y7, Y16, Y17, Y18, Y19);     \
	LANES(Y8, Y9, Y10, Y11, Y16, Y17, Y18, Y19);   \
	LANES(Y12, Y13, Y14, Y15, Y16, Y17, Y18, Y19); \
	BLOCKS2(Y0, Y4, Y8, Y12, Z0, Z8, Z0, Z4);      \
	BLOCKS2(Y1, Y5, Y9, Y13, Z1, Z9, Z8, Z12);     \
	BLOCKS2(Y2, Y6, Y10, Y14, Z2, Z10, Z1, Z5);    \
	BLOCKS2(Y3, Y7, Y11, Y15, Z3, Z11, Z9, Z13)

#define FINISH16 \
	ADDSTART(Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15, Z16, COUNTER, ·counters16); \
	LANES(Z0, Z1, Z2, Z3, Z16, Z17, Z18, Z19);     \
	LANES(Z4, Z5, Z6, Z7, Z16, Z17, Z18, Z19);     \
	LANES(Z8, Z9, Z10, Z11, Z16, Z17, Z18, Z19);   \
	LANES(Z12, Z13, Z14, Z15, Z16, Z17, Z18, Z19); \
	BLOCKS4(Z0, Z4, Z8, Z12);        \
	BLOCKS4(Z1, Z5, Z9, Z13);        \
	BLOCKS4(Z2, Z6, Z10, Z14);       \
	BLOCKS4(Z3, Z7, Z11, Z15)

// PUTASIDE stores the eight states beside the 16: Poly1305 needs the room. TAKEBACK loads them to where FINISH8 finds them.
#define PUTASIDE \
	VMOVDQU64 Y16, ASIDE(0);   \
	VMOVDQU64 Y17, ASIDE(1);   \
	VMOVDQU64 Y18, ASIDE(2);   \
	VMOVDQU64 Y19, ASIDE(3);   \
	VMOVDQU64 Y20, ASIDE(4);   \
	VMOVDQU64 Y21, ASIDE(5);   \
	VMOVDQU64 Y22, ASIDE(6);   \
	VMOVDQU64 Y23, ASIDE(7);   \
	VMOVDQU64 Y24, ASIDE(8);   \
	VMOVDQU64 Y25, ASIDE(9);   \
	VMOVDQU64 Y26, ASIDE(10);  \
	VMOVDQU64 Y27, ASIDE(11);  \
	VMOVDQU64 Y28, ASIDE(12);  \
	VMOVDQU64 Y29, ASIDE(13);  \
	VMOVDQU64 Y30, ASIDE(14);  \
	VMOVDQU64 Y31, ASIDE(15)

#define TAKEBACK \
	VMOVDQU ASIDE(0), Y0;      \
	VMOVDQU ASIDE(1), Y1;      \
	VMOVDQU ASIDE(2), Y2;      \
	VMOVDQU ASIDE(3), Y3;      \
	VMOVDQU ASIDE(4), Y4;      \
	VMOVDQU ASIDE(5), Y5;      \
	VMOVDQU ASIDE(6), Y6;      \
	VMOVDQU ASIDE(7), Y7;      \
	VMOVDQU ASIDE(8), Y8;      \
	VMOVDQU ASIDE(9), Y9;      \
	VMOVDQU ASIDE(10), Y10;    \
	VMOVDQU ASIDE(11), Y11;    \
	VMOVDQU ASIDE(12), Y12;    \
	VMOVDQU ASIDE(13), Y13;    \
	VMOVDQU ASIDE(14), Y14;    \
	VMOVDQU ASIDE(15), Y15

#define BLOCK(at, z) \
	VPXORQ    at(SI), z, z;    \
	VMOVDQU64 z, at(DI)

// NEXT goes on by some bytes of text.
#define NEXT(n) \
	ADDQ $n, SI; \
	ADDQ $n, DI; \
	SUBQ $n, CX

// GROUP writes the text of four blocks, or goes where fewer are written.
#define GROUP(a, b, c, d, fewer) \
	CMPQ CX, $256;    \
	JB   fewer;       \
	BLOCK(0, a);      \
	BLOCK(64, b);     \
	BLOCK(128, c);    \
	BLOCK(192, d);    \
	NEXT(256)

// MOVE moves four blocks to where fewer than all are written.
#define MOVE(a, b, c, d) \
	VMOVDQA64 a, Z0; \
	VMOVDQA64 b, Z4; \
	VMOVDQA64 c, Z8; \
	VMOVDQA64 d, Z12
