//go:build !linux && !darwin && !windows

package guard

const system = ""

func install(Config) error { return ErrUnavailable }

func clearTable(string) (bool, error) { return false, nil }

func list() ([]string, error) { return nil, nil }

func show(string) (*Listing, error) { return nil, ErrUnavailable }

func dropped(string) (Dropped, error) { return Dropped{}, ErrUnavailable }
