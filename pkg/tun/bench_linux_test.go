package tun

import (
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/goipsec/goipsec/pkg/testnet"
)

// benchDevice is a device that has the address 10.5.0.1 and leads to 10.5.0.0/24.
func benchDevice(b *testing.B, o Options) PacketDevice {
	testnet.NeedTUN(b)
	d, err := CreateWith("tun7", 1400, o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { d.Close() })
	testnet.AddAddrs(b, "tun7", []netip.Prefix{netip.MustParsePrefix("10.5.0.1/24")})
	return PacketsOf(d)
}

func eachWay(b *testing.B, f func(b *testing.B, o Options)) {
	b.Run("ring", func(b *testing.B) { f(b, Options{}) })
	b.Run("no ring", func(b *testing.B) { f(b, Options{NoRing: true}) })
}

// BenchmarkReadSmall reads datagrams of 64 octets, of which 64 are there at a time.
func BenchmarkReadSmall(b *testing.B) {
	eachWay(b, func(b *testing.B, o Options) {
		d := benchDevice(b, o)
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
		if err != nil {
			b.Fatal(err)
		}
		defer unix.Close(fd)
		to, packets := &unix.SockaddrInet4{Port: 9, Addr: [4]byte{10, 5, 0, 2}}, packetRoom(64)
		b.ResetTimer()
		for read := 0; read < b.N; {
			b.StopTimer()
			for range 64 {
				if err := unix.Sendto(fd, make([]byte, 36), 0, to); err != nil {
					b.Fatal(err)
				}
			}
			b.StartTimer()
			for got := 0; got < 64; {
				n, err := d.ReadPackets(packets)
				if err != nil {
					b.Fatal(err)
				}
				got, read = got+n, read+n
			}
		}
	})
}

// BenchmarkWriteSmall writes datagrams of 64 octets, 64 at a time, which the kernel drops for want of a route.
func BenchmarkWriteSmall(b *testing.B) {
	eachWay(b, func(b *testing.B, o Options) {
		d, packets := benchDevice(b, o), packetRoom(64)
		for i := range packets {
			p := &packets[i]
			p.N = copy(p.Buf[p.Off:], datagram(false, protoUDP, 36))
			copy(p.Bytes()[12:], []byte{10, 5, 0, 2, 10, 5, 0, 3})
		}
		b.ResetTimer()
		for written := 0; written < b.N; written += len(packets) {
			if err := d.WritePackets(packets); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkRoundTrip has one datagram at a time go out by the device and come back by it.
func BenchmarkRoundTrip(b *testing.B) {
	eachWay(b, func(b *testing.B, o Options) {
		d := benchDevice(b, o)
		go func() {
			packets := packetRoom(64)
			for {
				n, err := d.ReadPackets(packets)
				if err != nil {
					return
				}
				for i := range n { // source and destination change places: all checksums stay as they are
					if p := packets[i].Bytes(); p[0] == 0x45 {
						a, b := [4]byte(p[12:]), [4]byte(p[16:])
						copy(p[12:], b[:])
						copy(p[16:], a[:])
					}
				}
				_ = d.WritePackets(packets[:n])
			}
		}()
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
		if err != nil {
			b.Fatal(err)
		}
		defer unix.Close(fd)
		port := 7007
		if err := unix.Bind(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{10, 5, 0, 1}}); err != nil {
			b.Fatal(err)
		}
		to, buf := &unix.SockaddrInet4{Port: port, Addr: [4]byte{10, 5, 0, 2}}, make([]byte, 100)
		for b.Loop() {
			if err := unix.Sendto(fd, buf[:36], 0, to); err != nil {
				b.Fatal(err)
			}
			if _, _, err := unix.Recvfrom(fd, buf, 0); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkTCP moves TCP between two hosts by two devices and two goroutines.
func BenchmarkTCP(b *testing.B) {
	for name, v := range map[string]variant{"ring": {}, "no ring": {o: Options{NoRing: true}}} {
		b.Run(name, func(b *testing.B) {
			r := newRig(b, v, "10.5.0.1/24", "10.5.0.2/24", 1400)
			l, err := net.Listen("tcp", "10.5.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			var c net.Conn
			r.other.Do(func() { c, err = net.Dial("tcp", l.Addr().String()) })
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			s, err := l.Accept()
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			go func() {
				data := make([]byte, 1<<20)
				for err := error(nil); err == nil; {
					_, err = c.Write(data)
				}
			}()
			buf := make([]byte, 1<<20)
			b.SetBytes(1 << 16)
			b.ResetTimer()
			for got := 0; got < b.N<<16; {
				n, err := s.Read(buf)
				if err != nil {
					b.Fatal(err)
				}
				got += n
			}
		})
	}
}
