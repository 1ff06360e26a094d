package config

import (
	"testing"

	pkcs12 "software.sslmate.com/src/go-pkcs12"

	"github.com/goipsec/goipsec/pkg/testpki"
)

// p12 keeps an identity as PKCS#12.
func p12(t *testing.T, id *testpki.Identity, word string) []byte {
	t.Helper()
	data, err := pkcs12.Modern.Encode(id.Key, id.Cert, nil, word)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
