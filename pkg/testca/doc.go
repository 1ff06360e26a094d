// Package testca makes certification authorities and certificates for tests. It is imported by tests only.
//
// A [CA] is made by [New]; it issues other CAs and machine certificates with whatever a test wants to be wrong with them. Nothing is written anywhere.
// Everything is immutable once made.
package testca
