package tun

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/goipsec/goipsec/pkg/testnet"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// asUnprivileged makes the test binary try to create a device without any capability.
const asUnprivileged = "GOIPSEC_TEST_UNPRIVILEGED"

func TestMain(m *testing.M) {
	if os.Getenv(asUnprivileged) != "" {
		_, err := Create("tun9", 1400)
		fmt.Println(err)
		return
	}
	testnet.Main(m)
}

func create(t *testing.T, name string) Device {
	t.Helper()
	testnet.NeedTUN(t)
	d, err := Create(name, 1400)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeDevice(t, d, name) })
	return d
}

// closeDevice closes a device and waits until its name is free.
func closeDevice(tb testing.TB, d Device, name string) {
	tb.Helper()
	d.Close()
	testnet.Gone(tb, name)
}

func TestCreateErrorsNameTheCause(t *testing.T) {
	create(t, "tun7")
	for name, want := range map[string]string{
		"tun7": "an interface of that name exists", "lo": "an interface of that name exists", "": "1 to 15 octets",
		"name-of-16-octets": "1 to 15 octets", "a/b": "may not hold", "tun%d": "may not hold", "a b": "may not hold",
	} {
		d, err := Create(name, 1400)
		if err == nil {
			d.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", name, err, want)
		}
	}
	if d, err := Create("tun8", 1<<20); err == nil || !strings.Contains(err.Error(), "MTU") {
		t.Error("an impossible MTU:", d, err)
	}
	for err, want := range map[error]string{
		unix.EBUSY: "exists", unix.ENODEV: "modprobe tun", unix.EPERM: "CAP_NET_ADMIN", unix.EINVAL: "1400", unix.ENOMEM: "cannot allocate",
	} {
		if got := explainCreate("x", 1400, err); !errors.Is(got, err) && err != unix.EBUSY || !strings.Contains(got.Error(), want) {
			t.Error(got)
		}
	}
}

func TestCreateWithoutTheCapabilityNamesIt(t *testing.T) {
	testnet.NeedTUN(t)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), asUnprivileged+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.Output()
	if err != nil {
		t.Skip("the test binary cannot run as another user here:", err)
	}
	if !strings.Contains(string(out), "CAP_NET_ADMIN") {
		t.Errorf("%s", out)
	}
}

// send has the kernel send a datagram into the TUN.
func send(t *testing.T, payload string) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Sendto(fd, []byte(payload), 0, &unix.SockaddrInet4{Port: 9, Addr: [4]byte{10, 5, 0, 2}}); err != nil {
		t.Fatal(err)
	}
}

// readUDP reads until a datagram from the test comes; IPv6 chatter of the kernel is passed over.
func readUDP(t *testing.T, d Device) string {
	t.Helper()
	bufs, sizes := buffers(d.BatchSize(), Headroom+MaxDatagram)
	for {
		n, err := d.Read(bufs, sizes, Headroom)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			if b := bufs[i][Headroom:][:sizes[i]]; b[0] == 0x45 && b[9] == 17 {
				return string(b[28:])
			}
		}
	}
}

func TestF9DownAndUpAgain(t *testing.T) {
	d := create(t, "tun7")
	testnet.AddAddrs(t, "tun7", []netip.Prefix{netip.MustParsePrefix("10.5.0.1/24")})
	send(t, "first")
	if got := readUDP(t, d); got != "first" {
		t.Errorf("%q", got)
	}
	l, err := netlink.LinkByName("tun7")
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetDown(l); err != nil {
		t.Fatal(err)
	}
	pkt := append(make([]byte, Headroom), 0x45)
	if _, err := d.Write([][]byte{append(pkt, make([]byte, 40)...)}, Headroom); err == nil || Diagnose(err) != Temporary {
		t.Errorf("a write while the device is down: %v", err)
	}
	if err := netlink.LinkSetMTU(l, 1300); err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetUp(l); err != nil {
		t.Fatal(err)
	}
	send(t, "second")
	if got := readUDP(t, d); got != "second" {
		t.Errorf("%q", got)
	}
	if mtu, err := d.MTU(); mtu != 1300 || err != nil {
		t.Error(mtu, err)
	}
}

func TestF9DeletedDeviceIsGoneNotClosed(t *testing.T) {
	d := create(t, "tun7")
	done := make(chan error)
	go func() {
		bufs, sizes := buffers(d.BatchSize(), Headroom+MaxDatagram)
		for {
			if _, err := d.Read(bufs, sizes, Headroom); err != nil {
				done <- err
				return
			}
		}
	}()
	deleteLink(t, "tun7")
	if err := <-done; Diagnose(err) != Gone {
		t.Error("the reader got:", err)
	}
	if _, err := d.Write([][]byte{append(make([]byte, Headroom), make([]byte, 40)...)}, Headroom); Diagnose(err) != Gone {
		t.Error("the writer got:", err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	again := create(t, "tun7")
	if name, err := again.Name(); name != "tun7" || err != nil {
		t.Error(name, err)
	}
}

func deleteLink(t *testing.T, name string) {
	t.Helper()
	l, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkDel(l); err != nil {
		t.Fatal(err)
	}
}

func TestCloseWakesTheReaderOfARealDevice(t *testing.T) {
	d := create(t, "tun7")
	done := make(chan error)
	go func() {
		bufs, sizes := buffers(d.BatchSize(), Headroom+MaxDatagram)
		for {
			if _, err := d.Read(bufs, sizes, Headroom); err != nil {
				done <- err
				return
			}
		}
	}()
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; Diagnose(err) != Closed {
		t.Error(err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
