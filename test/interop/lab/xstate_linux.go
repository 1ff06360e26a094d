package lab

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// User-mode Linux 6.1 keeps the vector registers of its processes in 2,696 bytes. A processor with AMX has more of them, and the
// host then refuses to set them from so small a buffer (EFAULT): the guest panics before its first instruction. The guest asks
// once, with PTRACE_GETREGSET, whether the host has the call, and falls back to the older PTRACE_GETFPREGS where not. So on
// such a processor a filter answers that one request with an error. The older call leaves out the upper halves of the AVX
// registers, which threads of one process would then share: avxOff keeps programs in the guest off them.

// withoutRegset marks a start of this binary whose only work is to set the filter and become another program.
const withoutRegset = "GOIPSEC_LAB_WITHOUT_REGSET"

const avxOff = "export GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX,-AVX2,-AVX512F,-AVX512VL,-AVX512BW,-AVX512ER,-AVX512CD OPENSSL_ia32cap=~0x1000000000000000:~0xfffffffffffffff\n"

// hasAMX reads the processor's flags.
func hasAMX() bool {
	text, _ := os.ReadFile("/proc/cpuinfo")
	return strings.Contains(string(text), " amx_tile")
}

// filtered returns the command line and environment that run args behind the filter.
func filtered(args []string) (line, env []string, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	return append([]string{self}, args...), []string{withoutRegset + "=1"}, nil
}

// becomeFiltered sets the filter and turns this process into the program that its arguments name. It does not return.
func becomeFiltered() {
	runtime.LockOSThread()
	os.Unsetenv(withoutRegset)
	const allow, refuse = unix.SECCOMP_RET_ALLOW, unix.SECCOMP_RET_ERRNO | uint32(unix.EIO)
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the system call's number
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_PTRACE, Jf: 3},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 16}, // its first argument, lower half
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.PTRACE_GETREGSET, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: refuse},
		{Code: unix.BPF_RET | unix.BPF_K, K: allow},
	}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&filter)), 0, 0)
	if err == nil {
		var path string
		if path, err = exec.LookPath(os.Args[1]); err == nil {
			err = syscall.Exec(path, os.Args[1:], os.Environ())
		}
	}
	fmt.Fprintln(os.Stderr, "lab: cannot start", os.Args[1:], "behind a filter:", err)
	os.Exit(1)
}
