// Package auth holds the proofs of identity that IKE uses: today the pre-shared keys of IKEv1 (RFC 2409 §5.4). Everything is a pure
// function of keys and of bytes that were on the wire; nothing is kept, so everything is safe for concurrent use.
package auth
