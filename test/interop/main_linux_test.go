package interop

import (
	"flag"
	"testing"

	"github.com/goipsec/goipsec/test/interop/lab"
	"github.com/goipsec/goipsec/test/interop/record"
)

var update = flag.Bool("update", false, "write docs/interop.md anew from what the tests prove")

func TestMain(m *testing.M) {
	lab.Main(m, func() error {
		complete := flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == ""
		return record.Finish("../../docs/interop.md", *update, complete)
	})
}
