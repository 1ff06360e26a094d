//go:build !windows

package config

// keyModeMatters tells that permission bits say who may read a file.
const keyModeMatters = true
