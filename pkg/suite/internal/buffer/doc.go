// Package buffer has what every cipher of ours does with the buffers that it is given: room for its output, and whether they overlap. It has no objects.
package buffer
