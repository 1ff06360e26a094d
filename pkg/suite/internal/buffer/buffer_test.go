package buffer

import "testing"

func TestGrowKeepsWhatIsThere(t *testing.T) {
	room := []byte("abcdefgh")
	for _, n := range []int{0, 3, 5, 6, 100} {
		whole, tail := Grow(room[:3], n)
		if string(whole[:3]) != "abc" || len(whole) != 3+n || len(tail) != n || n > 0 && &tail[0] != &whole[3] {
			t.Errorf("%d more: %q and %q", n, whole, tail)
		}
		if inPlace := &whole[0] == &room[0]; inPlace != (n <= 5) {
			t.Errorf("%d more: in place is %v", n, inPlace)
		}
	}
}

func TestOverlapIsAByteInCommon(t *testing.T) {
	b := make([]byte, 20)
	for _, c := range []struct {
		a, b []byte
		want bool
	}{{b[:10], b[10:], false}, {b[:11], b[10:], true}, {b[10:], b[:11], true}, {b, b[5:6], true}, {b[5:6], b, true}, {b, b, true}, {b[5:5], b, false}, {b, nil, false}, {nil, nil, false}} {
		if Overlap(c.a, c.b) != c.want {
			t.Errorf("%d and %d bytes: not %v", len(c.a), len(c.b), c.want)
		}
	}
}
