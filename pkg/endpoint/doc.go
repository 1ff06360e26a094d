// Package endpoint is the composition root: it joins the policy, the key exchange, the data plane and the host.
//
// The life of an Endpoint: New checks its Options and prepares the host (addresses, sockets, TUN device, routes, guard); Run pumps
// datagrams and time into the key exchange and applies its events to the SAs until its context ends or Stop is called, then deletes the SAs at the
// peers and takes everything away from the host that New put there. An Endpoint runs once.
//
// Concurrency: one goroutine, that of Run, owns the key exchange, the table of children and the policy. The exported methods may be called
// from any goroutine; they hand a function to that goroutine and wait for it. This is the only package, with the commands and the benchmarks, that reads the clock.
package endpoint
