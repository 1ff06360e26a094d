// Package metrics writes what an endpoint is doing in the text format of Prometheus (version 0.0.4).
//
// Write takes a Status, so that whoever has one, the running endpoint or a client of it, can make the same text. There are no series for single SAs or
// peers: their number must not grow with what others do. A value that a user or a peer chose stands in a label only, escaped.
//
// Concurrency: Write keeps nothing and may be called from any goroutine.
package metrics
