// Package aeskey makes the round keys of AES (FIPS 197) for those ciphers of ours that are assembly: with the processor's instructions for
// AES, so that nothing is looked up in a table. [Expand] makes those of encryption, [Invert] turns them into those of decryption. Both may
// be called only where [Available] is true, which whoever has asked for AES on vectors knows.
//
// It has no objects, and its functions are safe for concurrent use.
package aeskey
