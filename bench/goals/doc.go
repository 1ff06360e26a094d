// Package goals measures goipsec by everything that it wants to reach and puts each figure beside its goal: what must be, what is aimed at, what was measured, and
// whether that is met. One call, [Run], runs the other measurements of bench/ one after the other; [Judge] makes the rows of their results.
//
// A goal is a row of data (see table.go): a name, two limits, and a function from results to a figure. W stands for the faster of the two WireGuards, round by round
// and for each measure anew, and N for the peer null, the same way of a packet without cryptography. A goal that could not be measured
// says why: no root, another system, a part that was not asked for. It never counts as met.
//
// Medians are judged. The least and the greatest stand beside them, so that what is met by luck can be told from what is met.
//
// Concurrency: one Run at a time; several would only disturb each other's figures.
package goals
