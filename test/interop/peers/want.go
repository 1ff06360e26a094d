package peers

// want lists the Debian packages that the tests run. Their dependencies are followed; recommendations are not.
var want = []string{
	"iproute2",
	"iputils-ping",
	"iperf3",
	"kmod",
	"nftables",
	"tcpdump",
	"tshark",
	"user-mode-linux",
	"charon-systemd",
	"strongswan-swanctl",
	"strongswan-pki",
	"libcharon-extra-plugins",
	"libcharon-extauth-plugins",
	"libstrongswan-extra-plugins",
	"libstrongswan-standard-plugins",
}

// programs must be there once a tree is laid over /usr, or the tree is incomplete.
var programs = []string{
	"bin/ping",
	"bin/iperf3",
	"bin/tshark",
	"bin/tcpdump",
	"bin/linux.uml",
	"sbin/ip",
	"sbin/nft",
	"sbin/modprobe",
	"sbin/swanctl",
	"sbin/charon-systemd",
}
