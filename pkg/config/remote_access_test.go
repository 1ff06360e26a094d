package config

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// withFiles reads a policy whose files have these contents.
func withFiles(text string, files map[string]string) (*File, error) {
	return Parse("p.yaml", []byte(text), Options{StrictKeyFiles: true, ReadKey: func(name string) ([]byte, os.FileMode, error) {
		data, ok := files[filepath.Base(name)]
		if !ok {
			return nil, 0, fs.ErrNotExist
		}
		return []byte(data), 0o600, nil
	}})
}

const (
	aHash     = "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	gatewayOf = "filters: [10.0.0.0/16 -> 10.9.0.0/24]\ntunnel: {remote: any, address_pool: 10.9.0.0/24, dns: [10.0.0.53, 10.0.0.54]}\nnegotiate: {}\n"
	clientOf  = "filters: [me -> 10.0.0.0/16]\ntunnel: {remote: 198.51.100.1, address: config}\nnegotiate: {}\n"
	gateway   = gatewayOf + "auth: [{psk: throw-away-example-key-QmVyZ2ZyaWVk, xauth: {users_file: users}}]"
	client    = clientOf + "auth: [{psk: throw-away-example-key-QmVyZ2ZyaWVk, xauth: {user: carol, password_file: word}}]"
)

func TestRemoteAccess(t *testing.T) {
	f, err := withFiles(wrap(gateway), map[string]string{"users": "# staff\r\n\r\ncarol:" + aHash + "\r\ndave smith:$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"})
	if err != nil {
		t.Fatal(err)
	}
	r := f.Assigned.Rules[0]
	x := r.Auth[0].XAuth
	if !x.Server() || len(x.Users) != 2 || string(x.Users["carol"].Bytes()) != aHash || !x.Users["dave smith"].Matches([]byte("U*U")) {
		t.Errorf("%+v", x)
	}
	if r.Tunnel.Pool.String() != "10.9.0.0/24" || len(r.Tunnel.DNS) != 2 || r.Tunnel.AskAddress {
		t.Errorf("%+v", r.Tunnel)
	}
	if f, err = withFiles(wrap(client), map[string]string{"word": "open sesame\n"}); err != nil {
		t.Fatal(err)
	}
	r = f.Assigned.Rules[0]
	if x = r.Auth[0].XAuth; x.Server() || x.User != "carol" || string(x.Password.Bytes()) != "open sesame" || !r.Tunnel.AskAddress || r.Tunnel.Inner.IsValid() {
		t.Errorf("%+v %+v", x, r.Tunnel)
	}
}

// TestDefaultResponseHasNoXAuth: a default response rule with either half of it is refused, whatever stands before.
func TestDefaultResponseHasNoXAuth(t *testing.T) {
	files := map[string]string{"users": "carol:" + aHash, "word": "open sesame"}
	for _, half := range []string{"users_file: users", "user: carol, password_file: word"} {
		for _, before := range []string{"", "{psk: throw-away-example-key-QmVyZ2ZyaWVk}, "} {
			_, err := withFiles("default_response: {auth: ["+before+"{psk: throw-away-example-key-QmVyZ2ZyaWVk, xauth: {"+half+"}}]}\n", files)
			if err == nil || !strings.Contains(err.Error(), "default_response has no extended authentication (xauth)") {
				t.Errorf("%s%s: %v", before, half, err)
			}
		}
	}
}

func TestRemoteAccessRefusals(t *testing.T) {
	for _, x := range []struct{ name, text, users, want string }{
		{"no hash", gateway, "carol", "line 1 of the users' file has no name and hash"},
		{"no name", gateway, "\n:" + aHash, "line 2 of the users' file has no name"},
		{"a password in the clear", gateway, "carol:open sesame", "no hash that is known here"},
		{"a hash that is too dear", gateway, "carol:" + strings.Replace(aHash, "m=64", "m=64000000", 1), "out of bounds"},
		{"twice", gateway, "carol:" + aHash + "\ncarol:" + aHash, "names the user \"carol\" again"},
		{"too long", gateway, strings.Repeat("#", maxUsersFile+1), "longer than"},
		{"an empty password", client, "", "the password must have 1 to"},
		{"a client without a gateway", strings.Replace(client, clientOf, filter+nego, 1), "x", "no tunnel to one"},
		{"a gateway for one", strings.Replace(gateway, gatewayOf, "filters: [10.0.0.0/16 -> 10.9.0.0/24]\ntunnel: {remote: 198.51.100.1}\nnegotiate: {}\n", 1), "", "not for any peer"},
		{"one method without", strings.Replace(client, "auth: [", "auth: [{psk: another-throw-away-key-QmVyZ2ZyaWVk}, ", 1), "x", "with some of its methods only"},
	} {
		_, err := withFiles(wrap(x.text), map[string]string{"users": x.users, "word": x.users})
		if err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: want %q; have %v", x.name, x.want, err)
		}
		if err != nil && (strings.Contains(err.Error(), "sesame") || strings.Contains(err.Error(), "c29tZXNhbHQ")) {
			t.Errorf("%s: the error shows what it should not: %v", x.name, err)
		}
	}
}
