// Package measure holds what every measurement here shares: the Spread of a figure over rounds, rounds that take turns (Interleave), and the
// Machine that the figures come from.
//
// Nothing lives long: the functions take figures and give summaries. They may be called from any goroutine; Here reads files of the system and
// may run git.
package measure
