package system

import (
	"testing"

	"github.com/goipsec/goipsec/test/interop/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }
