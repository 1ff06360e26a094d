// Package control is the local API of a running endpoint: HTTP with JSON over a unix socket, and its client.
//
// Life of an object: [Listen] takes the socket's path, replaces the file of a process that died and refuses that of a live one;
// [Serve] answers on it until [Server.Close]; a [Client] is one path, and dials for every call.
//
// Who may use it: root, and the user that the endpoint runs as. The socket's mode is 0600, and each connection's peer is asked of the
// system before a byte of it is read (SO_PEERCRED on Linux, LOCAL_PEERCRED on macOS, the peer's process token on Windows; untried on the
// last two). The client asks the same of the server, so that a socket planted in a directory that others may write to learns nothing.
//
// Concurrency: a Server calls its [Endpoint] from many goroutines at once; a Client may be shared.
package control
