// Package plot draws what was measured as SVG: one chart a figure, a bar for each subject, and on each bar a line from the least to the greatest of all rounds,
// because a bar alone says more than was seen.
//
// A [Chart] is a value that measurements make of their results; [Chart.SVG] writes it, and [Write] writes several into a directory, a file each.
// Nothing is kept between calls, and charts may be drawn concurrently.
package plot
