package interop

import (
	"flag"
	"testing"

	"github.com/goipsec/goipsec/test/interop/lab"
	"github.com/goipsec/goipsec/test/interop/record"
)

// page is what these tests keep.
const page = "../../docs/interop.md"

var update = flag.Bool("update", false, "write docs/interop.md anew from what the tests prove")

func TestMain(m *testing.M) {
	lab.Main(m, func(o lab.Outcome) error {
		complete := flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == ""
		run := record.Run{Complete: complete, Failed: o.Failed, Missing: o.Missing}
		if *update {
			return record.Update(page, run)
		}
		return record.Compare(page, run)
	})
}
