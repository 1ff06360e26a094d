package ikev1

import (
	"errors"
	"testing"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// An answer with the initiator's own SPI would give both directions one key. A source that has no other SPI than the peer's is an error.
func TestA6OurOwnSPIComesBack(t *testing.T) {
	rule := &policy.Rule{Action: policy.FilterAction{Methods: policy.DefaultMethods()}}
	allowed := phase2Offers(rule, false)
	const own = 0x1234
	q := &quickMode{allowed: allowed, spiIn: map[isakmp.ProtocolID]uint32{isakmp.ProtoESP: own}, ni: make([]byte, nonceLen)}
	nonce := make([]byte, nonceLen)
	nonce[0] = 1
	answer := phase2SA(allowed[:1], func(isakmp.ProtocolID) uint32 { return own })
	err := q.takeAnswer(&isakmp.Message{Payloads: []isakmp.Payload{{Type: isakmp.PayloadSA, Body: answer.Append(nil)}, {Type: isakmp.PayloadNonce, Body: nonce}}})
	var r *isakmp.Refusal
	if !errors.As(err, &r) || r.Notify != isakmp.InvalidSPI {
		t.Errorf("taken: %v", err)
	}

	m := &Machine{cfg: Config{NewSPI: func(suite.Protocol, int) (uint32, error) { return own, nil }}}
	if spi, err := m.freshSPI(suite.ESP, 0, own); err == nil {
		t.Errorf("SPI %x, which is the peer's, was taken", spi)
	}
	if spi, err := m.freshSPI(suite.ESP, 0, 0); err != nil || spi != own {
		t.Errorf("%x, %v", spi, err)
	}
}
