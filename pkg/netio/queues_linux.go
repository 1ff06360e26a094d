package netio

import (
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// listenQueues binds the first socket alone, so that an address which is taken is an error, even if it is another endpoint's that shares it with itself.
func listenQueues(local netip.AddrPort, queues int, o Options) ([]Conn, error) {
	first, err := openUDP(local, o, false)
	if err != nil {
		return nil, err
	}
	conns := []Conn{first}
	// A port that is shared can be joined by every process of the same user, and a socket that is bound more closely takes all. Only root's is shared: a
	// program that has its rights by setcap runs beside others of its user's that have none.
	if os.Geteuid() != 0 || first.set(unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) != nil {
		return conns, nil
	}
	for range max(queues, 1) {
		c, err := openUDP(first.local, o, true)
		if err != nil {
			break
		}
		conns = append(conns, c)
	}
	// Without the program the system would spread datagrams by their addresses, and those of one peer would all come to one socket, whatever they are.
	if len(conns) < 1+max(queues, 1) || first.steer(uint32(len(conns)-1)) != nil {
		for _, c := range conns[1:] {
			c.Close()
		}
		_ = first.set(unix.SOL_SOCKET, unix.SO_REUSEPORT, 0)
		return conns[:1], nil
	}
	return conns, nil
}

// steer says which of the sockets that share the address a datagram comes to, by its first four octets: number 0 for the non-ESP marker, else 1 more than the
// SPI modulo queues. A payload that has no four octets ends the program, which stands for number 0.
func (c *udpConn) steer(queues uint32) error {
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 0, Jt: 2}, // to the end
		{Code: unix.BPF_ALU | unix.BPF_MOD | unix.BPF_K, K: queues},
		{Code: unix.BPF_ALU | unix.BPF_ADD | unix.BPF_K, K: 1},
		{Code: unix.BPF_RET | unix.BPF_A},
	}
	if !c.enter() {
		return net.ErrClosed
	}
	defer c.leave()
	return unix.SetsockoptSockFprog(c.fd, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF, &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
}
