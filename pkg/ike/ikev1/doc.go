// Package ikev1 speaks IKE version 1 (RFC 2407 to 2409) without sockets, clock or goroutines: main mode, quick mode and
// informational exchanges, as initiator and as responder, with pre-shared keys and signatures, aggressive mode where a rule names it, XAUTH and mode config,
// fragments of messages, NAT traversal (RFC 3947) and dead peer detection
// (RFC 3706).
//
// # The life of an SA
//
// A Machine is handed datagrams, wishes (Acquire) and the time, and returns events. A main-mode SA (type mainMode) begins with
// the wish of this host or with message 3 of a peer that returned our cookie: before that a responder keeps a half-open entry
// of cookies, SA payload and choice, and nothing else. It becomes established in one function only (state.go), protects quick-mode and
// informational exchanges, is renewed before its lifetime ends, and leaves its children behind when it goes. A child (type child) is a
// pair of IPsec SAs; it is renewed by another quick mode, superseded, kept for a while so that no packet is lost, and deleted.
//
// Where extended authentication was agreed on, an SA is examined (xauth.go) between main mode and the state in which it is obeyed; a client that asks for its inner address
// has it (mode_config.go) before it begins a quick mode. In aggressive mode a responder keeps an SA from message 1 on (aggressive_responder.go), few of them.
//
// Exchanges are scripts (main_mode.go, aggressive.go, quick_mode.go, transaction.go): retransmission, message IDs and duplicates are no business of theirs
// (flight.go, receive.go).
//
// # Concurrency
//
// A Machine is not safe for concurrent use: its owner calls it from one goroutine and passes the time in.
package ikev1
