package poll_test

import (
	"errors"
	"fmt"

	"github.com/goipsec/goipsec/pkg/poll"
)

func ExampleNew() {
	p, err := poll.New()
	if err == nil {
		p.Kick()
		_, err = p.Wait(nil, nil, 0) // at once, because of Kick
		p.Close()
	}
	fmt.Println(err == nil || errors.Is(err, errors.ErrUnsupported))
	// Output: true
}
