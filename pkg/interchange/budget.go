package interchange

import "fmt"

// most bounds what one import makes: so many filters, so many selectors that are read for them, so many notes. A short source can ask for far more than its length: selectors of two
// sides multiply, and a list of filters is written for each rule that needs a form of it of its own.
const most = 100_000

// budget counts what an import makes.
type budget struct {
	filters, selectors, said int

	over error // what there is too much of; nil while there is not
}

// spend takes k of one kind from the budget and reports whether it had them.
func (b *budget) spend(count *int, k int, what string) bool {
	if *count += k; *count <= most {
		return true
	}
	*count = most + 1
	if b.over == nil {
		b.over = fmt.Errorf("more than %d %s would be written: nothing is. Cut the source into several, or take what is repeated out of it", most, what)
	}
	return false
}

// room asks for k filters. The text that stands beside them counts as well.
func (b *budget) room(k int) bool { return b.spend(&b.filters, k, "filters") }
