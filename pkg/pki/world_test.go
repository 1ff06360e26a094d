package pki

import (
	"crypto/ecdsa"

	"github.com/goipsec/goipsec/pkg/testpki"
)

func testpkiECDSA(id *testpki.Identity) *ecdsa.PrivateKey { return id.Key.(*ecdsa.PrivateKey) }
