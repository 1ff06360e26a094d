package inspect

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/goipsec/goipsec/pkg/pki/revocation"
)

// RevocationView is what a cache of revocation lists holds.
type RevocationView struct {
	SchemaVersion int                `json:"schema_version"`
	Directory     string             `json:"directory"`
	Entries       []revocation.Entry `json:"entries"`

	now time.Time
}

// ViewRevocation makes the view of a cache as it is at the time now.
func ViewRevocation(dir string, list []revocation.Entry, now time.Time) RevocationView {
	if list == nil {
		list = []revocation.Entry{}
	}
	return RevocationView{SchemaVersion, dir, list, now}
}

// WriteText writes the view for a person.
func (v RevocationView) WriteText(w io.Writer) error {
	p := &printer{w: w}
	p.line("%s: %d entries", v.Directory, len(v.Entries))
	for _, e := range v.Entries {
		if e.Damaged {
			p.line("%s  is damaged", visible(e.URL))
			continue
		}
		expires := "expires " + e.Expires.UTC().Format("2006-01-02 15:04 MST")
		if v.now.After(e.Expires) {
			expires = "expired " + e.Expires.UTC().Format("2006-01-02 15:04 MST")
		}
		what := e.Kind
		if e.Kind != "ocsp" {
			what = fmt.Sprintf("%s of %s, %d revoked", e.Kind, visible(e.Issuer), e.Revoked)
		}
		p.line("%s  %s, %s, %d bytes", visible(e.URL), what, expires, e.Bytes)
	}
	return p.err
}

// visible shows a text that a certificate or a list holds.
func visible(s string) string {
	return strings.Trim(fmt.Sprintf("%+q", s), `"`)
}
