package isakmp

import "strconv"

// maxEscaped is how many bytes of a peer's string a person gets to see.
const maxEscaped = 64

// Escape makes a string from the peer fit for a log or a terminal: printable ASCII only, the rest as \x.., cut after 64 bytes
// (security.md P20).
func Escape(s string) string {
	cut := ""
	if len(s) > maxEscaped {
		s, cut = s[:maxEscaped], "…"
	}
	q := strconv.QuoteToASCII(s)
	return q[1:len(q)-1] + cut
}
