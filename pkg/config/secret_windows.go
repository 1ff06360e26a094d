package config

// keyModeMatters tells that permission bits say who may read a file: here they do not, access control lists do.
const keyModeMatters = false
