// Package terminal shows the views of package monitor on a terminal.
//
// A Model is driven by messages and has no clock, no socket and no goroutine of its own: Update takes keys, ticks and answers and returns the next thing to do, View
// draws the screen. Run gives it a terminal. When the endpoint goes away the last rows stay on the screen under a line that says so, and the
// Model asks again every second.
//
// Concurrency: a Model is a value that belongs to whoever drives it. Only the commands that Update returns call the Source, from other goroutines.
package terminal
