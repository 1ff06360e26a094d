package route

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// watched are the kernel's notices that we ask for.
const watched = unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR | unix.RTMGRP_IPV4_ROUTE | unix.RTMGRP_IPV6_ROUTE

// Watch reports changes of the host's addresses, links and routes (not our own routes) until ctx ends; then the channel is closed. Changes that
// the reader has not taken yet are merged into one, and none is lost: if the kernel had to drop notices, all flags are set.
func Watch(ctx context.Context) (<-chan Change, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("changes of addresses cannot be watched: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: watched}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("changes of addresses cannot be watched: %w", err)
	}
	f := os.NewFile(uintptr(fd), "netlink")
	out := make(chan Change, 1)
	stop := context.AfterFunc(ctx, func() { f.Close() })
	go func() {
		defer close(out)
		defer stop()
		defer f.Close()
		watch(f, out)
	}()
	return out, nil
}

func watch(f *os.File, out chan Change) {
	buf := make([]byte, 1<<16)
	for {
		n, err := f.Read(buf)
		c := Change{}
		switch {
		case errors.Is(err, unix.ENOBUFS):
			c = Change{Addresses: true, Links: true, Routes: true}
		case err != nil:
			return
		default:
			c = changeIn(buf[:n])
		}
		if c == (Change{}) {
			continue
		}
		select {
		case old := <-out: // not yet taken: merge
			c = Change{Addresses: c.Addresses || old.Addresses, Links: c.Links || old.Links, Routes: c.Routes || old.Routes}
		default:
		}
		out <- c // never blocks: there is room for one, and nobody else sends
	}
}

// changeIn says what the netlink messages in b tell of.
func changeIn(b []byte) (c Change) {
	msgs, err := syscall.ParseNetlinkMessage(b)
	if err != nil {
		return Change{Addresses: true, Links: true, Routes: true}
	}
	for _, m := range msgs {
		switch m.Header.Type {
		case unix.RTM_NEWADDR, unix.RTM_DELADDR:
			c.Addresses = true
		case unix.RTM_NEWLINK, unix.RTM_DELLINK:
			c.Links = true
		case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
			// The protocol is the sixth octet of struct rtmsg.
			if len(m.Data) > 5 && m.Data[5] != Protocol {
				c.Routes = true
			}
		}
	}
	return c
}
