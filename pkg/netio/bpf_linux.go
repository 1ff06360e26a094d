package netio

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Of a program for the kernel's BPF machine (RFC 9669) no more than what steer_linux.go needs: an assembler that knows labels, and the calls of bpf(2).

// instruction is one of 64 bits. The registers share an octet, the destination in its lower half, on machines whose least octet comes first.
type instruction struct {
	op, regs uint8
	off      int16
	imm      int32
}

// Registers: the result, those of arguments, those that survive a call, and the frame.
const (
	r0 = iota
	r1
	r2
	r3
	r4
	r5
	r6
	r7
	r8
	r9
	fp
)

// Operations. The last letter says where the operand comes from: k is a number, x a register.
const (
	opMovK  = 0xb7
	opMovX  = 0xbf
	opAddK  = 0x07
	opAddX  = 0x0f
	opAndK  = 0x57
	opShrK  = 0x77
	opBE    = 0xdc
	opLoadW = 0x61
	opLoadH = 0x69
	opLoadB = 0x71
	opPutW  = 0x63
	opSwapW = 0xc3 // with imm 0xe1: exchange memory and register, for all processors to see
	opAtom8 = 0xdb // the same for 64 bits; with imm 0: add
	opJump  = 0x05
	opAddr  = 0x18 // takes two instructions
	opCall  = 0x85
	opExit  = 0x95
	ifEqK   = 0x15
	ifNeK   = 0x55
	ifGtK   = 0x25
	ifGeK   = 0x35
	ifLtK   = 0xa5
	ifSetK  = 0x45
	if32NeK = 0x56
)

// What an address may be of.
const (
	addrMap      = 1
	addrMapValue = 2
)

// assembler writes a program; jumps lead forward to labels.
type assembler struct {
	code  []instruction
	jumps map[string][]int
}

func (a *assembler) op(op, dst, src uint8, off int16, imm int32) {
	a.code = append(a.code, instruction{op, dst | src<<4, off, imm})
}

// jump goes to label if dst compares to imm as op says.
func (a *assembler) jump(op, dst uint8, imm int32, label string) {
	if a.jumps == nil {
		a.jumps = map[string][]int{}
	}
	a.jumps[label] = append(a.jumps[label], len(a.code))
	a.op(op, dst, 0, 0, imm)
}

// label is where the jumps to it so far come to.
func (a *assembler) label(name string) {
	for _, at := range a.jumps[name] {
		a.code[at].off = int16(len(a.code) - at - 1)
	}
	delete(a.jumps, name)
}

// address puts a map, or where the value of its only element lies, into a register.
func (a *assembler) address(dst uint8, kind uint8, fd int) {
	a.op(opAddr, dst, kind, 0, int32(fd))
	a.op(0, 0, 0, 0, 0)
}

// call calls one of the kernel's functions with arguments in r1 to r5.
func (a *assembler) call(function int32) { a.op(opCall, 0, 0, 0, function) }

// bpf is bpf(2); attr begins with what the command takes.
func bpf(command int, attr unsafe.Pointer, size uintptr) (int, error) {
	for {
		n, _, errno := unix.Syscall(unix.SYS_BPF, uintptr(command), uintptr(attr), size)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR, unix.EAGAIN: // the check of a program was interrupted
			continue
		}
		return -1, errno
	}
}

// newMap makes a map; the sizes are in octets.
func newMap(kind, keySize, valueSize, entries, flags uint32) (fd int, err error) {
	attr := [...]uint32{kind, keySize, valueSize, entries, flags}
	return bpf(unix.BPF_MAP_CREATE, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
}

// element sets the value of key in a map, or deletes it (value nil).
func element(fd int, key *[4]byte, value *uint32) error {
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(key)
	attr := struct {
		fd         uint32
		_          uint32
		key, value uint64
		flags      uint64
	}{fd: uint32(fd), key: uint64(uintptr(unsafe.Pointer(key)))}
	command := unix.BPF_MAP_DELETE_ELEM
	if value != nil {
		pin.Pin(value)
		command, attr.value = unix.BPF_MAP_UPDATE_ELEM, uint64(uintptr(unsafe.Pointer(value)))
	}
	_, err := bpf(command, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	return err
}

// loadClassifier has the kernel check a program for what arrives at interfaces.
func loadClassifier(code []instruction) (fd int, err error) {
	var pin runtime.Pinner
	defer pin.Unpin()
	license := []byte("Apache-2.0\x00")
	pin.Pin(&code[0])
	pin.Pin(&license[0])
	attr := struct {
		kind, count        uint32
		code, license      uint64
		logLevel, logSize  uint32
		log                uint64
		version, flags     uint32
		name               [16]byte
		ifindex, attachFor uint32
	}{kind: unix.BPF_PROG_TYPE_SCHED_CLS, count: uint32(len(code)), code: uint64(uintptr(unsafe.Pointer(&code[0]))),
		license: uint64(uintptr(unsafe.Pointer(&license[0]))), attachFor: unix.BPF_TCX_INGRESS}
	copy(attr.name[:], "goipsec_esp")
	return bpf(unix.BPF_PROG_LOAD, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
}

// attach lets a program see what arrives at an interface, behind the TCX programs that are there, until the link it returns is closed. The kernel runs all of
// these before tc's classic filters and nftables' netdev hook, which therefore do not see what the program takes.
func attach(program, ifindex int) (link int, err error) {
	attr := struct{ program, ifindex, kind, flags, relative, _, revision, revision2 uint32 }{program: uint32(program), ifindex: uint32(ifindex), kind: unix.BPF_TCX_INGRESS}
	link, err = bpf(unix.BPF_LINK_CREATE, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	if err != nil {
		return -1, fmt.Errorf("interface %d: %w", ifindex, err)
	}
	return link, nil
}

// attached returns the interface of a link, 0 if it is gone.
func attached(link int) (ifindex int, err error) {
	var pin runtime.Pinner
	defer pin.Unpin()
	info := new(struct{ kind, id, program, _, ifindex, attach, _, _ uint32 })
	pin.Pin(info)
	attr := struct {
		fd, size uint32
		info     uint64
	}{uint32(link), uint32(unsafe.Sizeof(*info)), uint64(uintptr(unsafe.Pointer(info)))}
	_, err = bpf(unix.BPF_OBJ_GET_INFO_BY_FD, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	return int(info.ifindex), err
}
