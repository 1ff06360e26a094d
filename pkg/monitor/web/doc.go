// Package web shows the views of package monitor in a browser, from the process of the endpoint itself.
//
// Everybody who reaches the listener may look: it is a loopback address, or a unix socket of its owner's. Only who knows the token may change something.
// A browser that shows another site's page is the attacker to keep out: a request must name this server in its Host header (else a name that
// points to 127.0.0.1 would do), must not come from another origin, and whatever changes something must be a POST with the token in a header, which no form of
// another site can send. Pages load nothing from elsewhere and run no script but the one that is served with them.
//
// Life: Listen takes an address, New makes a Server for an endpoint, Serve answers until Close. Concurrency: a Server is safe for concurrent use, and calls its
// Endpoint from many goroutines.
package web
