// Package auth holds the proofs of identity that IKE uses: pre-shared keys and signatures of IKEv1 (RFC 2409 §5, RFC 4754). Everything is a pure
// function of keys and of bytes that were on the wire; nothing is kept, so everything is safe for concurrent use. Whether a certificate is to be
// trusted is not decided here.
package auth
