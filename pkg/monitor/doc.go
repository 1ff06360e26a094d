// Package monitor turns what an endpoint tells about itself into the views that administrators know from the IP Security Monitor: the active policy; generic and
// specific filters, policies, SAs and statistics of both modes; what happened lately, and what failed and why.
//
// A View says which list it needs; Table makes rows of text from the answer. Package terminal shows them on a terminal and package web in a browser,
// so that both show the same. Every text of a Table is fit for a terminal: whatever a policy or a peer put into it, it has no control characters.
//
// Concurrency: views never change, and a Table belongs to whoever had it made.
package monitor
