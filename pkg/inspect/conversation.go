package inspect

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/keylog"
	"github.com/goipsec/goipsec/pkg/suite"
)

// Bounds of what is remembered of the IKEv1 conversations of a capture.
const (
	maxConversations = 4096
	maxExchanges     = 4096 // of one conversation
	maxMessages      = 1 << 14
)

// conversations follows IKEv1 SAs, as far as decrypting them needs: the chosen cipher and hash, the public values, the chains of IVs.
type conversations struct {
	keys  *keylog.Tables
	table map[isakmp.Cookie]*conversation
}

func newConversations(keys *keylog.Tables) conversations {
	return conversations{keys: keys, table: map[isakmp.Cookie]*conversation{}}
}

// conversation is one IKEv1 SA, by its initiator's cookie.
type conversation struct {
	encr     suite.Encr
	hash     suite.Hash
	gxi, gxr []byte
	cipher   suite.Cipher
	block    int
	last     []byte            // last block of phase 1: its next IV
	chains   map[uint32][]byte // next IV of each phase 2 exchange
	seen     map[messageName][]byte
}

// messageName tells a retransmission from a new message. With CBC the last block depends on all that precedes it.
type messageName struct {
	id   uint32
	size int
	tail [16]byte
}

// find returns the conversation of a message, nil if there are too many.
func (c *conversations) find(cookie isakmp.Cookie) *conversation {
	v := c.table[cookie]
	if v == nil && len(c.table) < maxConversations {
		v = &conversation{chains: map[uint32][]byte{}, seen: map[messageName][]byte{}}
		c.table[cookie] = v
	}
	return v
}

// learn takes what an unencrypted message of phase 1 says: of SA payloads the last, which is the responder's; of public
// values the first two that differ.
func (v *conversation) learn(m *isakmp.Message) {
	if v == nil {
		return
	}
	if b := m.First(isakmp.PayloadSA); b != nil {
		if sa, err := isakmp.ParseSA(b); err == nil && len(sa.Proposals) == 1 && len(sa.Proposals[0].Transforms) == 1 {
			v.choose(sa.Proposals[0].Transforms[0])
		}
	}
	if ke := m.First(isakmp.PayloadKE); ke != nil {
		switch {
		case v.gxi == nil:
			v.gxi = append([]byte{}, ke...)
		case v.gxr == nil && string(ke) != string(v.gxi):
			v.gxr = append([]byte{}, ke...)
		}
	}
}

func (v *conversation) choose(t isakmp.Transform) {
	for _, a := range t.Attributes {
		n, ok := a.Number()
		switch {
		case !ok || n > 0xffff:
		case a.Type == attrCipher:
			v.encr = phase1Ciphers[n]
		case a.Type == attrHash:
			v.hash = suite.Hash(n)
		}
	}
}

var (
	errNoKey   = errors.New("its key is not in the tables")
	errNoStart = errors.New("the capture does not hold the start of the conversation, which says the cipher and the first IV")
	errGarbage = errors.New("what comes out is no message: another key encrypted it (a wrong pre-shared key?), or messages before it are missing")
)

// decrypt returns the payloads of an encrypted message. A chain of IVs moves on only if the message could be read.
func (c *conversations) decrypt(h *isakmp.Header, body []byte) ([]isakmp.Payload, error) {
	key, ok := c.keys.Peers[h.InitiatorCookie]
	if !ok {
		return nil, errNoKey
	}
	v := c.find(h.InitiatorCookie)
	if v == nil {
		return nil, fmt.Errorf("there are more than %d conversations", maxConversations)
	}
	if err := v.start(key); err != nil {
		return nil, err
	}
	if len(body) == 0 || len(body)%v.block != 0 {
		return nil, fmt.Errorf("%d bytes are no whole blocks of %d", len(body), v.block)
	}
	name := messageName{id: h.MessageID, size: len(body)}
	copy(name.tail[:], body[len(body)-v.block:])
	iv, repeated := v.seen[name]
	if !repeated {
		iv = v.iv(h.MessageID)
	}
	plain := make([]byte, len(body))
	v.cipher.Decrypt(plain, body, iv)
	ps, err := isakmp.ParsePayloads(h.NextPayload, plain, true)
	if err != nil || len(ps) == 0 {
		return nil, errGarbage
	}
	if !repeated {
		v.advance(name, iv, body[len(body)-v.block:])
	}
	return ps, nil
}

// start makes the cipher and the first IV, hash(g^xi | g^xr) (RFC 2409 appendix B), once.
func (v *conversation) start(key []byte) error {
	if v.cipher != nil {
		return nil
	}
	info, ok := v.encr.Info()
	if _, _, known := v.hash.Info(); !ok || !known || v.gxi == nil || v.gxr == nil {
		return errNoStart
	}
	cipher, err := suite.NewCipher(v.encr, key)
	if err != nil {
		return err
	}
	d := v.hash.New()
	d.Write(v.gxi)
	d.Write(v.gxr)
	v.cipher, v.block, v.last = cipher, info.IVLen, d.Sum(nil)[:info.IVLen]
	return nil
}

// iv is the IV of the next message of an exchange. A phase 2 exchange starts with hash(last block of phase 1 | message ID).
func (v *conversation) iv(id uint32) []byte {
	if id == 0 {
		return v.last
	}
	if iv, ok := v.chains[id]; ok {
		return iv
	}
	d := v.hash.New()
	d.Write(v.last)
	d.Write(binary.BigEndian.AppendUint32(nil, id))
	return d.Sum(nil)[:v.block]
}

func (v *conversation) advance(name messageName, iv, next []byte) {
	if len(v.seen) < maxMessages {
		v.seen[name] = iv
	}
	next = append([]byte(nil), next...)
	if name.id == 0 {
		v.last = next
	} else if _, ok := v.chains[name.id]; ok || len(v.chains) < maxExchanges {
		v.chains[name.id] = next
	}
}
