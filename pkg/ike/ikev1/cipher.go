package ikev1

import (
	"fmt"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/suite"
)

// messageCipher encrypts message bodies with the CBC cipher of an ISAKMP SA. It holds no IV: each exchange has a chain of its own
// (RFC 2409 appendix B), and a message that proves bad must not move the chain.
type messageCipher struct {
	encr  suite.Encr
	key   []byte
	block int
	// The expanded keys are a kilobyte, and after the exchanges of its first seconds an SA has few messages in hours: they are kept while busy is set.
	busy             bool
	encrypt, decrypt suite.Cipher
}

func newMessageCipher(e suite.Encr, key []byte) (*messageCipher, error) {
	encrypt, err := suite.NewEncrypter(e, key)
	if err != nil {
		return nil, fmt.Errorf("phase 1 cipher: %w", err)
	}
	info, _ := e.Info()
	return &messageCipher{encr: e, key: key, block: info.IVLen, busy: true, encrypt: encrypt}, nil
}

// keep says whether more messages will follow soon.
func (c *messageCipher) keep(busy bool) {
	if c.busy = busy; !busy {
		c.encrypt, c.decrypt = nil, nil
	}
}

// seal pads and encrypts body, a slice of its own, and returns it with the IV that follows.
func (c *messageCipher) seal(body, iv []byte) (sealed, next []byte) {
	for len(body)%c.block != 0 {
		body = append(body, 0)
	}
	c.expand(&c.encrypt, suite.NewEncrypter).Encrypt(body, body, iv)
	return body, lastBlock(body, c.block)
}

// open decrypts into a new slice and returns it with the IV that follows. A body that is no positive multiple of the block is refused.
func (c *messageCipher) open(body, iv []byte) (plain, next []byte, err error) {
	if len(body) == 0 || len(body)%c.block != 0 {
		return nil, nil, fmt.Errorf("%w: %d encrypted bytes with blocks of %d", isakmp.ErrSyntax, len(body), c.block)
	}
	plain = make([]byte, len(body))
	c.expand(&c.decrypt, suite.NewDecrypter).Decrypt(plain, body, iv)
	return plain, lastBlock(body, c.block), nil
}

// expand is the cipher for one direction, from its place or made anew.
func (c *messageCipher) expand(place *suite.Cipher, make func(suite.Encr, []byte) (suite.Cipher, error)) suite.Cipher {
	if *place != nil {
		return *place
	}
	cipher, err := make(c.encr, c.key)
	if err != nil { // newMessageCipher has made one of the same key
		panic(err)
	}
	if c.busy {
		*place = cipher
	}
	return cipher
}

func lastBlock(b []byte, n int) []byte { return append([]byte(nil), b[len(b)-n:]...) }
