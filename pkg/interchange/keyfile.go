package interchange

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/goipsec/goipsec/pkg/policy"
)

// encodeKey writes a key so that a policy file's psk_file reads exactly it: as text where that is possible, and otherwise behind 0x in
// hexadecimal, since a line end, a byte order mark or a leading 0x of text would be taken for something else.
func encodeKey(key []byte) []byte {
	plain := len(key) > 0 && !strings.HasPrefix(string(key), "0x")
	for _, b := range key {
		plain = plain && ' ' <= b && b <= '~'
	}
	if plain {
		return append(append([]byte(nil), key...), '\n')
	}
	return append([]byte("0x"+hex.EncodeToString(key)), '\n')
}

// keyring names the key files of one import. A key that is used twice has one file.
type keyring struct {
	files []KeyFile
	names map[string]string // by the key
	taken map[string]bool
}

// file returns the name of the file for a key that is used by something called hint.
func (k *keyring) file(s policy.Secret, hint string) string {
	if name, ok := k.names[string(s.Bytes())]; ok {
		return name
	}
	if k.taken == nil {
		k.taken, k.names = map[string]bool{}, map[string]string{}
	}
	name := k.free(fileWord(hint), ".key")
	k.names[string(s.Bytes())] = name
	k.files = append(k.files, KeyFile{Name: name, Secret: s})
	return name
}

// password returns the name of the file for the password of a user.
func (k *keyring) password(s policy.Secret, user string) string {
	if k.taken == nil {
		k.taken, k.names = map[string]bool{}, map[string]string{}
	}
	for _, f := range k.files {
		if f.Password && f.Secret.Equal(s) {
			return f.Name
		}
	}
	name := k.free(fileWord(user), ".password")
	k.files = append(k.files, KeyFile{Name: name, Secret: s, Password: true})
	return name
}

// free takes a name that no other file has.
func (k *keyring) free(base, ending string) string {
	name := base + ending
	for n := 2; k.taken[name]; n++ {
		name = fmt.Sprintf("%s-%d%s", base, n, ending)
	}
	k.taken[name] = true
	return name
}

// fileWord makes of a name something that is a plain file name on every system.
func fileWord(s string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() >= 40 {
			break
		}
	}
	if w := strings.Trim(b.String(), "-"); w != "" {
		return w
	}
	return "peer"
}
