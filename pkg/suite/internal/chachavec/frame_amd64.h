// What crypt keeps in its frame. Powers of r: r^16 to r^9 and r^8 to r^1, a lane each in the order of LIMBS8, three limbs each
#define POWERS16(limb) (64*limb)(SP)
#define POWERS8(limb)  (192+64*limb)(SP)

// r^16 and r^8 for ONE: three limbs, and 20 times the upper two
#define LIMB16(limb)   (384+8*limb)(SP)
#define LIMB8(limb)    (424+8*limb)(SP)

// r as two words, 5/4 of the upper one, and s
#define R0             464(SP)
#define R1             472(SP)
#define R1X            480(SP)
#define S0             488(SP)
#define S1             496(SP)

// 64 in the first turn, whose first block of key stream is the key of Poly1305, and 0 later
#define FIRST          504(SP)

// the counters of the first block of this turn, and of the first of those beside
#define COUNTER        512(SP)
#define NEXTCOUNTER    516(SP)

// Poly1305's sum between turns
#define SUM(limb)      (520+64*limb)(SP)

// eight states, and the end of the frame after 1224 bytes
#define ASIDE(word)    (712+32*word)(SP)

// fewest bytes of text that are worth the powers of r
#define VECTORSPAY     225
