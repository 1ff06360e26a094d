// Package diagnose says what is wrong, and where: Ping tries the layers between this host and a peer one after the other, Doctor looks at the
// host under an endpoint, and Report gathers what somebody else needs in order to help, without a secret in it.
//
// Nothing here changes the host. Ping sends a few datagrams, and asks a running endpoint to negotiate; Doctor and Report only read.
//
// Life of an object: each function makes its answer and keeps nothing; sockets are closed before it returns. Time and waiting are arguments,
// since only commands and the endpoint read the clock.
//
// Concurrency: all functions may be called from several goroutines at once.
package diagnose
