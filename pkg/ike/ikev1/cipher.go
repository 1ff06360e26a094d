package ikev1

import (
	"fmt"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/suite"
)

// messageCipher encrypts message bodies with the CBC cipher of an ISAKMP SA. It holds no IV: each exchange has a chain of its own
// (RFC 2409 appendix B), and a message that proves bad must not move the chain. Nor does it hold an expanded key, which is a kilobyte: an SA has
// few messages in hours.
type messageCipher struct {
	encr  suite.Encr
	key   []byte
	block int
}

func newMessageCipher(e suite.Encr, key []byte) (*messageCipher, error) {
	if _, err := suite.NewEncrypter(e, key); err != nil {
		return nil, fmt.Errorf("phase 1 cipher: %w", err)
	}
	info, _ := e.Info()
	return &messageCipher{encr: e, key: key, block: info.IVLen}, nil
}

// seal pads and encrypts body, a slice of its own, and returns it with the IV that follows.
func (c *messageCipher) seal(body, iv []byte) (sealed, next []byte) {
	for len(body)%c.block != 0 {
		body = append(body, 0)
	}
	c.expand(suite.NewEncrypter).Encrypt(body, body, iv)
	return body, lastBlock(body, c.block)
}

// open decrypts into a new slice and returns it with the IV that follows. A body that is no positive multiple of the block is refused.
func (c *messageCipher) open(body, iv []byte) (plain, next []byte, err error) {
	if len(body) == 0 || len(body)%c.block != 0 {
		return nil, nil, fmt.Errorf("%w: %d encrypted bytes with blocks of %d", isakmp.ErrSyntax, len(body), c.block)
	}
	plain = make([]byte, len(body))
	c.expand(suite.NewDecrypter).Decrypt(plain, body, iv)
	return plain, lastBlock(body, c.block), nil
}

// expand makes the cipher for one message.
func (c *messageCipher) expand(make func(suite.Encr, []byte) (suite.Cipher, error)) suite.Cipher {
	cipher, err := make(c.encr, c.key)
	if err != nil { // newMessageCipher has made one of the same key
		panic(err)
	}
	return cipher
}

func lastBlock(b []byte, n int) []byte { return append([]byte(nil), b[len(b)-n:]...) }
