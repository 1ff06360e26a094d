package ikev1

import (
	"fmt"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/suite"
)

// messageCipher encrypts message bodies with the CBC cipher of an ISAKMP SA. It holds no IV: each exchange has a chain of its own
// (RFC 2409 appendix B), and a message that proves bad must not move the chain.
type messageCipher struct {
	cipher suite.Cipher
	block  int
}

func newMessageCipher(e suite.Encr, key []byte) (*messageCipher, error) {
	c, err := suite.NewCipher(e, key)
	if err != nil {
		return nil, fmt.Errorf("phase 1 cipher: %w", err)
	}
	info, _ := e.Info()
	return &messageCipher{cipher: c, block: info.IVLen}, nil
}

// seal pads and encrypts body, a slice of its own, and returns it with the IV that follows.
func (c *messageCipher) seal(body, iv []byte) (sealed, next []byte) {
	for len(body)%c.block != 0 {
		body = append(body, 0)
	}
	c.cipher.Encrypt(body, body, iv)
	return body, lastBlock(body, c.block)
}

// open decrypts into a new slice and returns it with the IV that follows. A body that is no positive multiple of the block is refused.
func (c *messageCipher) open(body, iv []byte) (plain, next []byte, err error) {
	if len(body) == 0 || len(body)%c.block != 0 {
		return nil, nil, fmt.Errorf("%w: %d encrypted bytes with blocks of %d", isakmp.ErrSyntax, len(body), c.block)
	}
	plain = make([]byte, len(body))
	c.cipher.Decrypt(plain, body, iv)
	return plain, lastBlock(body, c.block), nil
}

func lastBlock(b []byte, n int) []byte { return append([]byte(nil), b[len(b)-n:]...) }
