package revocation_test

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/pki"
	"github.com/goipsec/goipsec/pkg/pki/revocation"
	"github.com/goipsec/goipsec/pkg/testpki"
)

// An authority has revoked a peer's certificate; its list lies in a file.
func Example() {
	tb := &testing.B{} // an authority for examples
	root := testpki.Root(tb, "Root")
	peer := root.Issue(tb, "gw")
	der, _ := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: testpki.Now, NextUpdate: testpki.Now.Add(time.Hour),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: peer.Cert.SerialNumber, RevocationTime: testpki.Now, ReasonCode: 4}}}, root.Cert, root.Key)
	dir, _ := os.MkdirTemp("", "revocation")
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "lab.crl")
	os.WriteFile(file, der, 0o600)

	c := revocation.New(revocation.Options{Dir: dir})
	err := c.Check(context.Background(), testpki.Now, []*x509.Certificate{peer.Cert, root.Cert}, pki.Rules{CRLs: []string{file}})
	fmt.Println(err.(*pki.Error).Cause)
	// Output: revoked
}
