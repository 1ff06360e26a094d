package peers

// A list names what one tree is made from.
type list struct {
	// want are the Debian packages that the tests run. Their dependencies are followed; recommendations are not.
	want []string
	// programs must be there once a tree is laid over /usr, or the tree is incomplete.
	programs []string
}

// hosts are the peers that have a network stack: daemons, kernels and what looks at packets.
var hosts = list{want: []string{
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
}, programs: []string{
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
}}

// browser is Chromium with a font to write in.
var browser = list{want: []string{"chromium", "fonts-dejavu-core"}, programs: []string{"lib/chromium/chromium"}}
