package netio

import (
	"testing"

	"github.com/goipsec/goipsec/pkg/testnet"
)

func TestMain(m *testing.M) { testnet.Main(m) }
