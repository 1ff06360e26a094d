// Package demo runs two complete endpoints in one process and moves traffic between them: real policies, real IKE, real ESP over UDP on loopback, with a
// user-space network stack in place of the TUN device. It needs no privileges and no set-up and runs on every system.
//
// Run pings, moves data over TCP in both directions while SAs of both phases are rekeyed, and then judges what was on the wire: every datagram must
// parse as IKE or ESP, and none may hold 16 consecutive bytes of what was sent. A second, smaller run with ESP-NULL, which hides nothing, proves that
// this judgement can fail.
package demo
