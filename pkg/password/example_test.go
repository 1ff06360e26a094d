package password_test

import (
	"crypto/rand"
	"fmt"

	"github.com/goipsec/goipsec/pkg/password"
)

func Example() {
	text, err := password.Make(rand.Reader, []byte("open sesame"))
	if err != nil {
		fmt.Println(err)
		return
	}
	h, err := password.Parse(text)
	fmt.Println(err, h.Matches([]byte("open sesame")), h.Matches([]byte("open barley")))
	// Output: <nil> true false
}
