package control

// identity is the process at the other end of a socket. User is a uid in decimal, or a SID.
type identity struct {
	PID   int
	User  string
	Super bool // root, SYSTEM
}

// mayUse reports whether id may use what owner serves, and whether what id serves may be trusted by owner: the rule is the same.
func (id identity) mayUse(owner identity) bool {
	return id.Super || id.User != "" && id.User == owner.User
}
