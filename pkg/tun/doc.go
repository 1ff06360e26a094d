// Package tun gives the endpoint its network device: the real one of the operating system (Create), one in memory for tests (Pipe)
// and one with a whole TCP/IP stack behind it that needs no privileges (NewNetstack).
//
// All three are a Device, the interface of golang.zx2c4.com/wireguard/tun: it reads and writes batches of whole IP datagrams.
// On Linux the kernel hands over segmentation superpackets of up to 64 KiB, and takes such. PacketsOf gives the PacketDevice that moves
// them whole; as a Device it cuts them into datagrams on reading and joins neighbours of one flow again on writing.
//
// The life of a device: Create, read in one goroutine and write from others, Close. Read returns an error for one of three
// reasons, which Diagnose tells apart: the device was closed by us (stop), it was deleted under us (make a new one), or one read
// failed (count it and read again). A read may give datagrams of length zero or ones that are not IP; the caller drops them.
//
// Two rules of Write matter to the caller. Every buffer must have Headroom free octets before the datagram, and offset must be
// at least Headroom. And the device may append to a buffer of the batch within its capacity when it joins segments: buffers that
// share an arena must be cut with a three-index slice, so that one cannot grow into the next.
//
// Events has to be read from, or the device stops telling of changes.
//
// Concurrency: Read may run beside Write and Close; concurrent Writes are serialised by the device; Close may be called many
// times, and wakes a blocked Read.
package tun
