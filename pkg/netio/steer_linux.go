package netio

import "golang.org/x/sys/unix"

// Where things lie in what the kernel shows a program of a packet.
const (
	skbLen         = 0
	skbPacketType  = 4
	skbProtocol    = 16
	skbVLANPresent = 20
)

// Functions of the kernel, and what they take.
const (
	callLookup     = 1
	callSum        = 28
	callPull       = 39
	callLoad       = 68 // from the network header on, if the last argument is fromNetwork
	callReserve    = 131
	callSubmit     = 132
	callDiscard    = 133
	fromNetwork    = 1
	withoutWaking  = 1
	verdictNext    = -1
	verdictDrop    = 2
	exchange       = 0xe1
	add            = 0
	sizeOfRecord   = recordHeader + directSlot
	sizeOfSmall    = recordHeader + directSmall
	headerOnStack  = -24
	addressOnStack = -32
	lastOnStack    = -40
)

// steer writes the program that takes ESP for the endpoint: what it is about is copied into the ring and goes no further; everything else, and all that is not
// plain, goes on as if there were no program. It is about whole IPv4 datagrams of protocol 50 without options, with a header whose checksum is right, no
// longer than a slot, to one of the addresses in a map, from a source that can be one (RFC 1122 §3.2.1.3). A datagram for which the ring has no room is
// lost, as one is for which a socket has none, and counted.
//
// A driver may leave the octets of a frame in pages, where the kernel does not load from: then they are pulled together first. That all are there is known
// before room is reserved: whoever sends frames shorter than their header says would fill the ring otherwise.
//
// The reader sets the word *sleeping* before it waits, and looks at the ring once more. The program reserves room, then takes the word away: one of both sees
// what the other did. Whoever took it away wakes the reader, whatever becomes of the room.
func steer(ring, shared, addresses int) []instruction {
	a := new(assembler)
	a.op(opMovX, r6, r1, 0, 0)
	a.op(opLoadW, r0, r6, skbProtocol, 0)
	a.jump(if32NeK, r0, 0x0008, "next") // IPv4, in network order
	a.op(opLoadW, r0, r6, skbPacketType, 0)
	a.jump(if32NeK, r0, unix.PACKET_HOST, "next")
	a.op(opLoadW, r0, r6, skbVLANPresent, 0)
	a.jump(if32NeK, r0, 0, "next") // another interface's
	header := func() {
		a.op(opMovK, r2, 0, 0, 0)
		a.op(opMovK, r4, 0, 0, 20)
	}
	a.load(fp, headerOnStack, header)
	a.jump(ifEqK, r0, 0, "header")
	a.op(opMovK, r2, 0, 0, 14+20)
	a.pull()
	a.load(fp, headerOnStack, header)
	a.jump(ifNeK, r0, 0, "next")
	a.label("header")

	a.op(opLoadB, r0, fp, headerOnStack+9, 0)
	a.jump(ifNeK, r0, ProtoESP, "next")
	a.op(opLoadB, r0, fp, headerOnStack, 0)
	a.jump(ifNeK, r0, 0x45, "next")
	a.op(opLoadH, r0, fp, headerOnStack+6, 0)
	a.jump(ifSetK, r0, 0xff3f, "next") // more fragments, or an offset; in network order
	a.op(opLoadB, r0, fp, headerOnStack+12, 0)
	a.jump(ifEqK, r0, 0, "next")
	a.jump(ifEqK, r0, 127, "next")
	a.jump(ifGeK, r0, 224, "next")
	a.op(opLoadH, r8, fp, headerOnStack+2, 0)
	a.op(opBE, r8, 0, 0, 16)
	a.jump(ifLtK, r8, 20+8, "next")
	a.jump(ifGtK, r8, directSlot, "next")

	a.op(opLoadW, r0, fp, headerOnStack+16, 0)
	a.op(opPutW, fp, r0, addressOnStack, 0)
	a.address(r1, addrMap, addresses)
	a.op(opMovX, r2, fp, 0, 0)
	a.op(opAddK, r2, 0, 0, addressOnStack)
	a.call(callLookup)
	a.jump(ifEqK, r0, 0, "next")

	a.op(opMovK, r1, 0, 0, 0)
	a.op(opMovK, r2, 0, 0, 0)
	a.op(opMovX, r3, fp, 0, 0)
	a.op(opAddK, r3, 0, 0, headerOnStack)
	a.op(opMovK, r4, 0, 0, 20)
	a.op(opMovK, r5, 0, 0, 0)
	a.call(callSum)
	for range 2 {
		a.op(opMovX, r1, r0, 0, 0)
		a.op(opAndK, r1, 0, 0, 0xffff)
		a.op(opShrK, r0, 0, 0, 16)
		a.op(opAndK, r0, 0, 0, 0xffff)
		a.op(opAddX, r0, r1, 0, 0)
	}
	a.jump(ifNeK, r0, 0xffff, "next")

	last := func() {
		a.op(opMovX, r2, r8, 0, 0)
		a.op(opAddK, r2, 0, 0, -1)
		a.op(opMovK, r4, 0, 0, 1)
	}
	a.load(fp, lastOnStack, last)
	a.jump(ifEqK, r0, 0, "whole")
	a.op(opLoadW, r2, r6, skbLen, 0)
	a.pull()
	a.load(fp, lastOnStack, last)
	a.jump(ifNeK, r0, 0, "next") // shorter than the header says
	a.label("whole")

	a.jump(ifGtK, r8, directSmall, "large")
	a.reserve(ring, sizeOfSmall)
	a.jump(opJump, 0, 0, "reserved")
	a.label("large")
	a.reserve(ring, sizeOfRecord)
	a.label("reserved")
	a.jump(ifEqK, r0, 0, "full")
	a.op(opMovX, r7, r0, 0, 0)
	a.op(opPutW, r7, r8, 0, 0)
	a.address(r1, addrMapValue, shared)
	a.op(opMovK, r9, 0, 0, 0)
	a.op(opSwapW, r1, r9, 0, exchange)
	a.op(opAddK, r9, 0, 0, withoutWaking) // and if the reader sleeps one more, which means: wake it
	a.load(r7, recordHeader, func() {
		a.op(opMovK, r2, 0, 0, 0)
		a.op(opMovX, r4, r8, 0, 0)
	})
	a.op(opMovX, r1, r7, 0, 0)
	a.op(opMovX, r2, r9, 0, 0)
	a.jump(ifNeK, r0, 0, "discard")
	a.call(callSubmit)
	a.op(opMovK, r0, 0, 0, verdictDrop)
	a.op(opExit, 0, 0, 0, 0)

	a.label("full")
	a.address(r1, addrMapValue, shared)
	a.op(opMovK, r2, 0, 0, 1)
	a.op(opAtom8, r1, r2, sharedLost, add)
	a.op(opMovK, r0, 0, 0, verdictDrop)
	a.op(opExit, 0, 0, 0, 0)

	a.label("discard")
	a.call(callDiscard)
	a.label("next")
	a.op(opMovK, r0, 0, 0, verdictNext)
	a.op(opExit, 0, 0, 0, 0)
	return a.code
}

// reserve asks for room in a ring; the kernel wants to know how much before the program runs.
func (a *assembler) reserve(ring int, size int32) {
	a.address(r1, addrMap, ring)
	a.op(opMovK, r2, 0, 0, size)
	a.op(opMovK, r3, 0, 0, 0)
	a.call(callReserve)
}

// load copies octets of the packet to where a register and an offset point to; which puts into r2 where they begin behind the network header, and into r4 how
// many they are.
func (a *assembler) load(base uint8, off int32, which func()) {
	a.op(opMovX, r1, r6, 0, 0)
	a.op(opMovX, r3, base, 0, 0)
	a.op(opAddK, r3, 0, 0, off)
	which()
	a.op(opMovK, r5, 0, 0, fromNetwork)
	a.call(callLoad)
}

// pull has as many octets of the frame as r2 says where load finds them, if the frame has as many.
func (a *assembler) pull() {
	a.op(opMovX, r1, r6, 0, 0)
	a.call(callPull)
}
