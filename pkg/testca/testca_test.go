package testca_test

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/testca"
)

func TestChain(t *testing.T) {
	root := testca.New(t, time.Now(), "root", testca.P256, nil)
	m := root.Sub(t, "between", testca.RSA2048, nil).Machine(t, "gw", testca.P384, nil)
	pool, between := x509.NewCertPool(), x509.NewCertPool()
	pool.AddCert(root.Cert)
	between.AddCert(m.Chain[1])
	chains, err := m.Cert.Verify(x509.VerifyOptions{Roots: pool, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err != nil || len(chains) != 1 || len(chains[0]) != 3 || len(m.Chain) != 2 {
		t.Errorf("%d chains, %v", len(chains), err)
	}
}
