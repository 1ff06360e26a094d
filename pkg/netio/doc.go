// Package netio moves encrypted datagrams between the endpoint and the network: UDP sockets for IKE and UDP-encapsulated ESP
// (ListenUDP), raw sockets for protocols 50 and 51 (ListenRaw), the clear path for permitted packets (OpenClear), the reports of
// routers about path MTUs (ListenPathEvents), raw ESP past the network stack (ListenDirect, OpenDirect), and an in-memory Wire for tests.
//
// Each socket is a Conn that moves batches of Messages. On Linux one system call moves up to MaxBatch of them, and a run of equally
// long datagrams to one peer travels as a single message (segmentation and receive offload). Elsewhere UDP works one datagram a call.
//
// The life of a Conn: open it, read in one goroutine, write from any number, Close. On Linux the
// reader's thread waits in the kernel: to be woken by way of the runtime's poller costs more than a system call does. Close wakes the reader, which then reports net.ErrClosed. All other errors of ReadBatch are temporary.
//
// Errors of writing concern single datagrams and never stop a batch. Errors that a host on the path could cause by a forged ICMP
// message (connection refused, host unreachable) are never reported: the sockets do not ask for them. What routers say about the
// path's MTU arrives as a PathEvent with the datagram that it quotes, so that the caller can insist on a live SPI before believing it.
//
// IPv4 sockets have the don't-fragment bit set and ignore the kernel's own path MTU cache (IP_PMTUDISC_PROBE): the caller decides
// what fits. Message.Fragment lifts that for one message.
package netio
