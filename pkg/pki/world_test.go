package pki

import (
	"crypto"
	"crypto/ecdsa"

	"github.com/goipsec/goipsec/pkg/testpki"
)

const crypto256 = crypto.SHA256

func testpkiECDSA(id *testpki.Identity) *ecdsa.PrivateKey { return id.Key.(*ecdsa.PrivateKey) }
