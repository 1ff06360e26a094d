// Package password makes and checks salted hashes of passwords, in the two forms that tools agree on: argon2id as a PHC string (RFC 9106), which Make makes,
// and bcrypt.
//
// # Life of a hash
//
// Parse reads one and judges its parameters, so that a check cannot cost more memory or time than is sensible. Matches takes tens of milliseconds and as much
// memory as the hash names: callers bound how many run at once. Nobody is a hash that no password matches, and that costs the same to find out.
//
// # Concurrency
//
// A Hash is a value that never changes; everything is safe for concurrent use.
package password
