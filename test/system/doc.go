// Package system tests goipsec as its users run it: the built program, policy files, real network devices, in network namespaces
// (package lab), with nothing but itself at the other end. Each test is named after what it proves. Without root, and with
// -short, they skip and say so.
package system
