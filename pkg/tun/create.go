package tun

// Options say what of the system's faster ways a device must not use. The zero value uses what there is.
type Options struct {
	// NoOffload keeps superpackets away: every Packet is one datagram.
	NoOffload bool
	// NoRing does without io_uring. Linux only.
	NoRing bool
	// Queues is how many queues the device has (Queued); 0 means 1. More than one is Linux only, and MaxQueues the most.
	Queues int
}

// MaxQueues is how many queues a device may have.
const MaxQueues = 64

// Create makes a TUN device called name (at most 15 octets) with an MTU in octets. The device vanishes with the process.
// It is down and has no addresses; pkg/route does that.
func Create(name string, mtu int) (Device, error) { return CreateWith(name, mtu, Options{}) }

// CreateWith is Create with options.
func CreateWith(name string, mtu int, o Options) (Device, error) { return createDevice(name, mtu, o) }

// Described is implemented by devices that can say how they move packets.
type Described interface {
	// Describe names the ways in use, for people: "readv, TSO, USO".
	Describe() string
}
