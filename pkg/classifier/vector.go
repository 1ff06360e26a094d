package classifier

import "slices"

// A vector is an array that never changes: setting an element gives another vector, which shares all pages but one. The zero vector is empty.
type vector[T any] struct {
	top []*[pageLen]*[pageLen]T
	n   int
}

const (
	pageBits = 6
	pageLen  = 1 << pageBits
)

// vectorOf makes a vector of a list, which it keeps.
func vectorOf[T any](list []T) (v vector[T]) {
	v.n = len(list)
	for at := 0; at < len(list); at += pageLen {
		if at%(pageLen*pageLen) == 0 {
			v.top = append(v.top, new([pageLen]*[pageLen]T))
		}
		page := list[at:]
		if len(page) < pageLen {
			page = append(make([]T, 0, pageLen), page...)[:pageLen]
		}
		v.top[len(v.top)-1][at>>pageBits&(pageLen-1)] = (*[pageLen]T)(page)
	}
	return v
}

// at returns element i, which must not be written.
func (v *vector[T]) at(i uint32) *T {
	return &v.top[i>>(2*pageBits)][i>>pageBits&(pageLen-1)][i&(pageLen-1)]
}

// with returns a vector with another element i, which may be one behind the last.
func (v vector[T]) with(i uint32, x T) vector[T] {
	a, b := int(i>>(2*pageBits)), i>>pageBits&(pageLen-1)
	v.top = slices.Clone(v.top)
	mid, page := new([pageLen]*[pageLen]T), new([pageLen]T)
	if a == len(v.top) {
		v.top = append(v.top, nil)
	} else {
		*mid = *v.top[a]
	}
	if mid[b] != nil {
		*page = *mid[b]
	}
	v.top[a], mid[b] = mid, page
	page[i&(pageLen-1)] = x
	v.n = max(v.n, int(i)+1)
	return v
}

// A stack of free places, which never changes either.
type stack struct {
	place uint32
	below *stack
}

// take returns a free place of a vector of n elements, or the one behind its last.
func (s *stack) take(n int) (uint32, *stack) {
	if s == nil {
		return uint32(n), nil
	}
	return s.place, s.below
}
