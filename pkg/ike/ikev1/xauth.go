package ikev1

import (
	"fmt"
	"slices"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
)

// Extended authentication (draft-beaulieu-ike-xauth-02): the responder of main mode, a gateway, asks the initiator for a name and a password.
//
//	Client                                  Gateway
//	------                                  -------
//	                                  <--   REQUEST (USER-NAME, USER-PASSWORD)
//	 REPLY (USER-NAME, USER-PASSWORD) -->
//	                                  <--   SET (STATUS)
//	 ACK (STATUS)                     -->
//
// Main mode comes first, so a client says nothing before the gateway has proved itself, and a gateway lets nobody guess who lacks the key of the group. Until the
// gateway is content nothing else is obeyed by either. Only the generic type is spoken: no challenges, no one-time passwords.

// xauthPatience is how long the whole of it may take: there may be a person at the other end.
const xauthPatience = 60 * time.Second

const (
	xauthGeneric = 0
	xauthOK      = 1
	xauthFail    = 0
	maxUser      = 255
	maxLogin     = 1024
	// maxLogins bounds the passwords that are being looked at.
	maxLogins = 64
)

// examination is what is known of a peer, or a gateway, between main mode and the end of XAUTH.
type examination struct {
	user string
	over bool // client: name and password are sent; gateway: they came
}

// withXAuth are a rule's main-mode offers in a role, each with extended authentication where the rule has it for that method: only the initiator of main mode logs in, so
// a client accepts nothing as a responder, and a gateway offers nothing. A method that the rule has both with it and without is left out: the peer would choose.
func withXAuth(offers []phase1Suite, r *policy.Rule, role isakmp.Role) []phase1Suite {
	var out []phase1Suite
	for _, s := range offers {
		with, without := xauthOf(r, s.auth, role)
		if s.xauth = with; with != without && s.authNumber() != 0 {
			out = append(out, s)
		}
	}
	return out
}

// xauthOf reports whether a rule has an authentication method, by its number, with extended authentication and without. One that is for the other role counts as both: it
// cannot be used.
func xauthOf(r *policy.Rule, number uint16, role isakmp.Role) (with, without bool) {
	for i := range r.Auth {
		a := &r.Auth[i]
		if !slices.Contains(authMethods(a), number) {
			continue
		}
		with = with || a.XAuth != nil
		without = without || a.XAuth == nil || a.XAuth.Server() != (role == isakmp.Responder)
	}
	return with, without
}

// examine begins XAUTH: a gateway asks, a client waits to be asked.
func (m *Machine) examine(now time.Time, s *mainMode) {
	s.life.ring = func(now time.Time) { m.failAttempt(now, s, s.xauthSilence()) }
	m.alarms.set(&s.life, now.Add(xauthPatience))
	if s.role() == isakmp.Initiator {
		return
	}
	question := isakmp.Configuration{Type: isakmp.ConfigRequest, Attributes: []isakmp.Attribute{{Type: isakmp.XAuthUser}, {Type: isakmp.XAuthPassword}}}
	m.startTransaction(now, s, question, func(now time.Time, answer isakmp.Configuration) { m.takeLogin(now, s, answer) },
		func(now time.Time) { m.failAttempt(now, s, s.xauthSilence()) })
}

func (s *mainMode) xauthSilence() isakmp.Failure {
	f := isakmp.Failure{What: "the peer did not log in (XAUTH), from " + s.remote.String(), Why: "it has no name and password, or nobody typed them in time",
		Next: "look at the peer's log", Answered: true}
	if s.role() == isakmp.Initiator {
		f.What, f.Why = "the gateway did not ask for name and password (XAUTH), or did not say whether they are right", "the gateway ended the attempt, or wants no XAUTH"
		f.Next = "look at the gateway's log"
	}
	return f
}

// user is the name that counts at the gateway, escaped; "" without XAUTH.
func (s *mainMode) user() string {
	if s.role() == isakmp.Initiator && s.auth.XAuth != nil {
		return s.auth.XAuth.User
	}
	return isakmp.Escape(s.exam.user)
}

// the gateway's side

// takeLogin looks at what a client answered. Whether the password is right is found out by the owner, beside everything else, for it takes time.
func (m *Machine) takeLogin(now time.Time, s *mainMode, answer isakmp.Configuration) {
	user, password, err := parseLogin(answer)
	s.exam.user, s.exam.over = user, true
	switch {
	case err != nil:
		m.stats.Malformed++
		m.concludeLogin(now, s, false)
	case len(m.logins) >= maxLogins || !m.guesses.try(now, s.guessKey()):
		m.stats.GuessesRefused++
		m.concludeLogin(now, s, false)
	default:
		m.logins[s.id] = s
		m.emit(isakmp.AskLogin{ID: s.id, Remote: s.remote, Rule: s.rule, User: user, Password: policy.NewSecret(password)})
	}
}

// parseLogin reads a name and a password, each once.
func parseLogin(x isakmp.Configuration) (user string, password []byte, err error) {
	if len(x.All(isakmp.XAuthStatus)) > 0 {
		return "", nil, fmt.Errorf("the peer gives up")
	}
	if kind := x.All(isakmp.XAuthType); len(kind) > 1 || len(kind) == 1 && !isNumber(kind[0], xauthGeneric) {
		return "", nil, fmt.Errorf("not the generic type")
	}
	u, ok1 := x.One(isakmp.XAuthUser)
	p, ok2 := x.One(isakmp.XAuthPassword)
	if !ok1 || !ok2 || len(u) == 0 || len(u) > maxUser || len(p) == 0 || len(p) > maxLogin {
		return "", nil, fmt.Errorf("no name, or no password")
	}
	return string(u), p, nil
}

func isNumber(value []byte, want uint64) bool {
	n, ok := isakmp.Attribute{Value: value}.Number()
	return ok && n == want
}

// AnswerLogin takes the answer to an isakmp.AskLogin. One that nobody waits for any more has no effect.
func (m *Machine) AnswerLogin(now time.Time, id uint64, ok bool) {
	s := m.logins[id]
	if s == nil {
		return
	}
	delete(m.logins, id)
	if ok = ok && knows(s.rule, s.exam.user); ok { // he may have been taken out of the policy meanwhile
		m.guesses.right(s.guessKey())
	}
	m.concludeLogin(now, s, ok)
}

// concludeLogin tells the client whether it is let in. One who is not is not asked again: the SA ends.
func (m *Machine) concludeLogin(now time.Time, s *mainMode, ok bool) {
	status := uint16(xauthFail)
	ended := func(now time.Time) { m.refuseLogin(now, s) }
	if ok {
		status = xauthOK
		ended = func(now time.Time) { m.endSA(now, s, "the peer did not acknowledge that it is let in", true) }
	}
	question := isakmp.Configuration{Type: isakmp.ConfigSet, Attributes: []isakmp.Attribute{isakmp.BasicAttribute(isakmp.XAuthStatus, status)}}
	m.startTransaction(now, s, question, func(now time.Time, _ isakmp.Configuration) {
		if !ok {
			ended(now)
		}
	}, ended)
	if ok {
		m.admit(now, s, true)
	}
}

func (m *Machine) refuseLogin(now time.Time, s *mainMode) {
	f := isakmp.Failure{What: fmt.Sprintf("the peer was not let in (XAUTH) as %q, from %v", isakmp.Escape(s.exam.user), s.remote),
		Why: "its name or password is wrong, or it tried too often", Next: "compare with users_file, or wait half a minute", Answered: true,
		Identities: []string{isakmp.Escape(s.exam.user)}}
	if m.mayComplain(now) {
		m.failAttempt(now, s, f)
		return
	}
	m.removeSA(s)
}

// knows reports whether a name is one of a rule's users.
func knows(r *policy.Rule, user string) bool {
	return slices.ContainsFunc(r.Auth, func(a policy.AuthMethod) bool {
		if a.XAuth == nil {
			return false
		}
		_, ok := a.XAuth.Users[user]
		return ok
	})
}

// dismissed reports whether a peer has logged in as somebody whom the policy does not know any more.
func (s *mainMode) dismissed() bool {
	return s.suite.xauth && s.role() == isakmp.Responder && s.state.obeys() && !knows(s.rule, s.exam.user)
}

// dismissed reports whether a child is somebody's whom the policy does not know any more. He may have deleted the main-mode SA that made it.
func (c *child) dismissed() bool { return c.loggedIn && !knows(c.filter.Rule, c.user) }

// dismiss ends what such a peer has.
func (m *Machine) dismiss(now time.Time, s *mainMode) {
	for _, c := range childrenOf(s.peer) {
		m.deleteChild(now, c, "its user is none any more")
	}
	m.endSA(now, s, "its user is none any more", true)
}

// the client's side

// logIn answers a gateway that asks for name and password. It is told once: a gateway that asks again has not liked them.
func (s *mainMode) logIn(x isakmp.Configuration) (answer isakmp.Configuration, then func(time.Time), err error) {
	client := s.auth.XAuth
	if client == nil || !slices.ContainsFunc(x.Attributes, func(a isakmp.Attribute) bool { return a.Type >= isakmp.XAuthType && a.Type <= isakmp.XAuthAnswer }) {
		return answer, nil, errUnasked
	}
	answer.Type = isakmp.ConfigReply
	if s.exam.over {
		return answer, nil, &attemptError{isakmp.Failure{What: fmt.Sprintf("the gateway asks again for name and password of %q (XAUTH)", client.User),
			Why: "one of them is wrong, or it wants a second factor", Next: "compare user and password_file with what the gateway knows", Answered: true,
			Identities: []string{client.User}}}
	}
	for _, a := range x.Attributes {
		switch {
		case a.Type == isakmp.XAuthType && a.Basic && isNumber(a.Value, xauthGeneric):
			answer.Attributes = append(answer.Attributes, a)
		case a.Type == isakmp.XAuthUser:
			answer.Attributes = append(answer.Attributes, isakmp.Attribute{Type: a.Type, Value: []byte(client.User)})
		case a.Type == isakmp.XAuthPassword:
			answer.Attributes = append(answer.Attributes, isakmp.Attribute{Type: a.Type, Value: client.Password.Bytes()})
		case a.Type == isakmp.XAuthMessage || a.Type == isakmp.XAuthDomain: // a greeting; a domain that nobody has to name
		default:
			return answer, nil, &attemptError{isakmp.Failure{What: fmt.Sprintf("the gateway wants a kind of login that is not spoken here (XAUTH attribute %d)", a.Type),
				Why: "it asks for a challenge, a passcode or a new PIN", Next: "have the gateway ask for name and password", Answered: true}}
		}
	}
	if len(x.All(isakmp.XAuthUser)) != 1 || len(x.All(isakmp.XAuthPassword)) != 1 {
		return answer, nil, errUnasked
	}
	s.exam.over = true
	return answer, nil, nil
}

// takeStatus hears whether the gateway is content.
func (s *mainMode) takeStatus(x isakmp.Configuration) (answer isakmp.Configuration, then func(time.Time), err error) {
	status, ok := x.One(isakmp.XAuthStatus)
	if !ok || s.auth.XAuth == nil {
		return answer, nil, errUnasked
	}
	answer = isakmp.Configuration{Type: isakmp.ConfigAck, Attributes: []isakmp.Attribute{{Type: isakmp.XAuthStatus, Basic: true, Value: []byte{0, 0}}}}
	if !isNumber(status, xauthOK) {
		f := isakmp.Failure{What: fmt.Sprintf("the gateway did not let in %q (XAUTH)", s.auth.XAuth.User), Why: "name or password is wrong, or the gateway does not let this user in now",
			Next: "compare user and password_file with what the gateway knows", Answered: true, Identities: []string{s.auth.XAuth.User}}
		return answer, func(now time.Time) { s.m.failAttempt(now, s, f) }, nil
	}
	// Praise without a test is not believed: nothing is let in, or out, that was not asked for.
	if !s.exam.over {
		return answer, nil, errUnasked
	}
	answer.Attributes[0].Value = []byte{0, xauthOK}
	return answer, func(now time.Time) { s.m.admit(now, s, true) }, nil
}
