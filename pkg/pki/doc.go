// Package pki is what goipsec knows about certificates: it loads them with their keys, checks chains that peers send, and says whether a certificate
// proves an identity. Its norms are RFC 5280 (certificates and paths) and RFC 4945 (how IKE uses them).
//
// # Life of an object
//
// A [Store] reads a host's own certificates and keys from files and gives them as [Credential] values; [Store.Refresh] reads them again when the files have
// changed, so that a renewed certificate is used without a restart. [LoadCertificates] reads certificates of authorities. A chain that a peer sent goes through
// [ParseChain], which bounds it, and [Verify], which finds a path from its first certificate to one of the configured authorities and checks all of it under
// the [Rules] of a policy. [HasIdentity] and [Name.Accept] bind what the peer says of itself to that certificate. None of this asks whether a certificate
// was revoked: package revocation, below, does, and only for chains that Verify returned.
//
// An error of Verify, HasIdentity and Accept is an [*Error] with a [Cause], so that a failure explains itself.
//
// # Secrets
//
// A private key is never printed: what stands behind [Credential.Signer] has no form that fmt, an encoder or a logger shows.
//
// # Concurrency
//
// A Store is safe for concurrent use; Current never waits for a file. Everything else is immutable once made, and functions keep nothing between calls. Nothing
// here reads a clock or the network; files are read by the functions whose names begin with Load or Open, and by Refresh.
package pki
