// Package e2e measures whole tunnels, goipsec's and others', in one topology on one machine: two network namespaces joined by a veth, a
// peer's program in each, iperf3 between inner addresses.
//
//	namespace a                                   namespace b
//	10.100.1.1 (lo) ── tunnel device                tunnel device ── 10.100.2.1 (lo)
//	                     10.99.0.1 ═════ veth ═════ 10.99.0.2
//
// [Run] takes rounds in turn: in each the bare veth, which is the reference line, then every peer. Each turn has fresh namespaces and freshly
// started programs, so that no peer gains from what an earlier one left behind, and none runs while another is measured. Measures ([Measures]) follow each other, each
// in a phase of its own: TCP by iperf3, round trips under load, single datagrams by bench/flood, system calls. After each the
// peer is asked what it protected: figures of traffic that went around the tunnel are an error, not a result.
//
// The namespaces have no names and belong to threads of this process: when it ends, however it ends, the kernel removes them with their links,
// and stops the programs in them. Programs are also stopped in order before Run returns.
//
// Concurrency: one Run at a time; several would only disturb each other's figures.
package e2e
