package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A Kernel is a real Linux kernel with AH and ESP, running as a process (user-mode Linux). It shares the lab's files and
// programs. One is booted for a whole test binary, on first use; Lab.Kernel lends it to one test at a time.
type Kernel struct {
	Release string // such as 6.1.176
	lab     *Lab   // who has it now
	vm      *virtualMachine
}

// virtualMachine is the process and the way to talk to it: its console. A line on its standard input names a command file;
// the init script runs the file in the background, leaves its output and status beside it, and prints a line when it is done.
// So nobody polls, and an idle kernel costs nothing.
type virtualMachine struct {
	proc    *Process
	dir     string
	bridge  string
	release string
	mu      sync.Mutex
	n       int
}

var (
	kernelLock sync.Mutex // held by the test that has the kernel
	boot       = sync.OnceValues(bootKernel)
	running    *virtualMachine
)

// modules are what the kernel's XFRM needs beside itself.
const modules = "ipv6 xfrm_user af_key ah4 esp4 ah6 esp6 tunnel4 tunnel6 xfrm4_tunnel xfrm6_tunnel echainiv seqiv authenc authencesn " +
	"jitterentropy_rng drbg ansi_cprng hmac sha1_generic sha256_generic sha512_generic md5 cbc ctr gcm ghash-generic ccm cmac xcbc des_generic aes_generic " +
	"chacha20poly1305 poly1305-generic chacha_generic tun"

const initScript = `#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
$LAB_AVX
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
date -u -s "$LAB_CLOCK" >/dev/null
for m in $LAB_MODULES; do modprobe $m || echo "no module $m"; done
ip link set lo up
ip link set vec0 up
stty -echo -icanon min 1 2>/dev/null
echo "LAB UP $(uname -r)"
while read -r file; do
	(
		sh "$file" >"$file.out" 2>&1 </dev/null
		echo $? >"$file.rc"
		echo "LAB DONE $file."
	) &
done
echo o >/proc/sysrq-trigger
`

func bootKernel() (*virtualMachine, error) {
	dir, err := os.MkdirTemp("", "goipsec-kernel-")
	if err != nil {
		return nil, err
	}
	vm := &virtualMachine{dir: dir, bridge: "nkernel"}
	if err := vm.wire(); err != nil {
		return nil, err
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"); err != nil { // the guest's memory is a file here
		return nil, err
	}
	avx := ""
	if hasAMX() {
		avx = avxOff
	}
	script := strings.NewReplacer("$LAB_AVX\n", avx, "$LAB_CLOCK", hostClock(), "$LAB_MODULES", modules).Replace(initScript)
	if err := os.WriteFile(filepath.Join(dir, "init"), []byte(script), 0o755); err != nil {
		return nil, err
	}
	args := []string{"ip", "netns", "exec", vm.bridge, "linux.uml", "mem=512M", "rootfstype=hostfs", "rootflags=/", "rw",
		"init=" + filepath.Join(dir, "init"), "vec0:transport=tap,ifname=tap0,depth=128,mac=" + kernelMAC, "con=null", "con0=fd:0,fd:1",
		"umid=goipsec", "uml_dir=" + dir, "quiet"}
	var env []string
	if hasAMX() {
		if args, env, err = filtered(args); err != nil {
			return nil, err
		}
	}
	if vm.proc, err = launch("linux.uml", args, append(env, "TMPDIR="+dir)); err != nil {
		return nil, err
	}
	running = vm
	if err := vm.proc.Log.waitFor("LAB UP ", time.Minute); err != nil {
		return nil, fmt.Errorf("the user-mode kernel does not boot: %w; its console:\n%s", err, tail(vm.proc.Log.String(), 4000))
	}
	if err := keepAwake(vm.bridge, "tap0"); err != nil {
		return nil, err
	}
	_, rest, _ := strings.Cut(vm.proc.Log.String(), "LAB UP ")
	vm.release, _, _ = strings.Cut(strings.ReplaceAll(rest, "\r", ""), "\n")
	return vm, nil
}

// wire makes the namespace in which the kernel's tap device lies on a bridge.
func (vm *virtualMachine) wire() error {
	for _, line := range []string{
		"ip netns add " + vm.bridge,
		"ip -n " + vm.bridge + " link add br0 type bridge",
		"ip -n " + vm.bridge + " tuntap add dev tap0 mode tap",
		"ip -n " + vm.bridge + " link set tap0 master br0",
		"ip -n " + vm.bridge + " link set tap0 up",
		"ip -n " + vm.bridge + " link set br0 up",
	} {
		if text, err := exec.Command("sh", "-c", line).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", line, err, text)
		}
	}
	return nil
}

// stopKernels ends the machine at the end of the test binary.
func stopKernels() {
	if running == nil {
		return
	}
	running.proc.stdin.Close() // the init script powers off at the end of its input
	if !wait(running.proc.ended, 5*time.Second) {
		running.proc.Kill()
	}
	unix.Unmount(running.dir, unix.MNT_DETACH)
	os.Remove(running.dir)
}

// Kernel lends the kernel to this test, with no address, state or policy in it. Where it does not boot the test is skipped.
func (l *Lab) Kernel() *Kernel {
	l.t.Helper()
	kernelLock.Lock()
	l.t.Cleanup(kernelLock.Unlock)
	vm, err := boot()
	if err != nil {
		const what = "user-mode Linux does not run here: "
		if !slices.ContainsFunc(missing, func(s string) bool { return strings.HasPrefix(s, what) }) {
			missing = append(missing, what+err.Error())
		}
		l.t.Skip(what, err)
	}
	k := &Kernel{Release: vm.release, lab: l, vm: vm}
	k.Reset()
	l.t.Cleanup(func() {
		if l.t.Failed() {
			state, _ := k.Try("ip addr; ip -s xfrm state; ip xfrm policy; grep -v ' 0$' /proc/net/xfrm_stat; dmesg | tail -5")
			l.t.Logf("the kernel's state at the end:\n%s", tail(state, 6000))
		}
	})
	return k
}

// In is the same kernel, as it is, for the lab of a subtest.
func (k *Kernel) In(l *Lab) *Kernel { return &Kernel{Release: k.Release, lab: l, vm: k.vm} }

// Reset takes every address, route, state and policy out of the kernel.
func (k *Kernel) Reset() {
	k.lab.t.Helper()
	k.Run("ip xfrm state flush; ip xfrm policy flush; ip addr flush dev vec0 scope global; ip route flush dev vec0; ip -6 route flush root fd00::/8; ip neigh flush dev vec0; " +
		"ip link set vec0 up mtu 1500")
}

// Connect puts a host on the kernel's network with a device eth0 that has the given prefixes.
func (k *Kernel) Connect(h *Host, prefixes ...string) {
	k.lab.t.Helper()
	inner, outer := k.lab.unique("v"), k.lab.unique("v")
	k.lab.command("ip", "link", "add", inner, "type", "veth", "peer", "name", outer)
	k.lab.command("ip", "link", "set", outer, "netns", k.vm.bridge)
	k.lab.command("ip", "-n", k.vm.bridge, "link", "set", outer, "master", "br0", "up")
	h.adopt(inner, "eth0="+strings.Join(prefixes, ","))
}

// Address gives the kernel's only device an address.
func (k *Kernel) Address(prefixes ...string) {
	k.lab.t.Helper()
	for _, prefix := range prefixes {
		nodad := ""
		if strings.Contains(prefix, ":") {
			nodad = " nodad"
		}
		k.Run("ip addr add " + prefix + " dev vec0" + nodad)
	}
}

// Try runs a shell script in the kernel's machine and returns what it printed.
func (k *Kernel) Try(script string) (string, error) { return k.vm.try(script) }

// Run is Try that fails the test on an error.
func (k *Kernel) Run(script string) string {
	k.lab.t.Helper()
	text, err := k.Try(script)
	if err != nil {
		k.lab.t.Fatalf("kernel: %s: %v\n%s", script, err, text)
	}
	return text
}

// Ping is Host.Ping from the kernel. Its clock jumps when the machine is busy, so it waits longer.
func (k *Kernel) Ping(destination string, count int, options ...string) int {
	return ping(k, destination, count, append([]string{"-W", "5"}, options...))
}

func (vm *virtualMachine) try(script string) (string, error) {
	file, err := vm.send(script)
	if err != nil {
		return "", err
	}
	if err := vm.proc.Log.waitFor("LAB DONE "+file+".", commandLimit); err != nil {
		return "", fmt.Errorf("the user-mode kernel: %w; its console:\n%s", err, tail(vm.proc.Log.String(), 3000))
	}
	out, err1 := os.ReadFile(file + ".out")
	status, err2 := os.ReadFile(file + ".rc")
	if err := errors.Join(err1, err2); err != nil {
		return "", err
	}
	if code := strings.TrimSpace(string(status)); code != "0" {
		return string(out), fmt.Errorf("exit status %s", code)
	}
	return string(out), nil
}

func (vm *virtualMachine) send(script string) (string, error) {
	vm.mu.Lock()
	defer vm.mu.Unlock()
	vm.n++
	file := filepath.Join(vm.dir, fmt.Sprintf("c%d", vm.n))
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		return "", err
	}
	_, err := fmt.Fprintln(vm.proc.stdin, file)
	return file, err
}
