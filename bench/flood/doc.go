// Package flood sends UDP datagrams of one size as fast as they are taken and counts what arrives: the generator and the sink of the
// measurements of packets a second. Both move datagrams by sendmmsg and recvmmsg, many a system call, and the sender leaves segmentation alone:
// every datagram enters the tunnel by itself, unless [Options.Segments] says otherwise.
//
// Sizes are those of the whole inner IP datagram: 64 is an IPv4 header of 20 bytes, a UDP header of 8 and 36 bytes of payload. Each payload
// begins with a head (see message.go) that holds a number and a check value; behind it stands filler that depends on the number. The sink so tells lost, doubled,
// reordered, corrupt and foreign datagrams apart.
//
// How fast is as fast as they are taken? A sender that goes on flat out takes a processor away from the tunnel for datagrams that are dropped at once, and where all share
// two processors that measures the scheduler. With [Options.Window] the sink tells the sender from time to time which number it has seen, and no more than so many
// are under way: the tunnel never starves and never idles, and little is lost. Without a window the sender is flat out.
//
// The life of a measurement: [Sink] opens its sockets, says so by Options.Ready, counts until the sender's end or silence; [Send] sends what warms up, then what counts, then the end.
// Each runs in a process of its own, on one goroutine, and never allocates between the first datagram and the last. Linux only.
package flood
