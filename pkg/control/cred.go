package control

// identity is the process at the other end of a socket. User is a uid in decimal, or a SID.
type identity struct {
	PID   int
	User  string
	Super bool // root, SYSTEM
}

// mayUse reports whether id may use what owner serves.
func (id identity) mayUse(owner identity) bool {
	return id.Super || id.User != "" && id.User == owner.User
}

// mayTrust reports whether a client takes server's answers: its own user's, root's, and, for root, anybody's, since root may use every instance.
func (id identity) mayTrust(server identity) bool {
	return id.Super || server.Super || id.User != "" && id.User == server.User
}
