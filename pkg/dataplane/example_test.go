package dataplane_test

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/goipsec/goipsec/pkg/dataplane"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/sa"
	"github.com/goipsec/goipsec/pkg/tun"
)

// A plane is made around a device and sockets, and given a policy.
func Example() {
	device, _ := tun.Pipe(1400)
	plane, err := dataplane.New(dataplane.Config{TUN: device, DB: sa.NewDB(rand.Reader, 16), Clock: time.Now, Rand: rand.Reader, MTU: 1400,
		Events: make(chan dataplane.Event, 1), Control: make(chan dataplane.Datagram, 1)})
	if err != nil {
		fmt.Println(err)
		return
	}
	plane.Apply(&policy.Compiled{Policy: &policy.Policy{Name: "empty"}})
	fmt.Println(len(plane.Counters().Drops()), "kinds of drops so far")
	// Output: 0 kinds of drops so far
}
