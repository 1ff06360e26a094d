package suite

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/testdata"
)

var update = flag.Bool("update", false, "write the section Primitives of docs/vectors.md anew")

// vectorFile is what the tests do with one file of known answers: run checks what it can and returns the number of vectors used and
// left; a file without run is left as a whole. why says what was left and for what reason.
type vectorFile struct {
	run func(t *testing.T, path string) (used, left int)
	why string
}

// The reasons that many files share.
const (
	later     = "no such algorithm here yet"
	signature = "signatures are not this package's"
	never     = "not an algorithm of IPsec as built here"
	whole     = ""
)

// vectorFiles says what becomes of every file of primitives in the shared test data.
var vectorFiles = map[string]vectorFile{
	"rfc/draft-mcgrew-gcm-test-01_esp.json": {mcgrewFile, whole},
	"rfc/rfc3602_aes_cbc_esp.json":          {rfc3602File, "the four whole ESP packets are pkg/esp's"},
	"rfc/rfc7634_chacha20poly1305.json":     {rfc7634File, whole},
	"rfc/rfc8031_x25519.json":               {rfc8031File, whole},

	"public/wycheproof/aes_gcm_test.json":                        {wycheproofGCM, "nonces that are not 12 bytes long do not occur in ESP"},
	"public/wycheproof/aes_ccm_test.json":                        {wycheproofCCM, "ICVs other than 8, 12, 16 bytes and nonces that CCM does not have"},
	"public/wycheproof/aes_gmac_test.json":                       {wycheproofGMAC, "nonces of 16 bytes do not occur in ESP and AH"},
	"public/wycheproof/aes_cmac_test.json":                       {wycheproofCMAC, whole},
	"public/wycheproof/aes_cbc_pkcs5_test.json":                  {wycheproofCBC, whole},
	"public/wycheproof/chacha20_poly1305_test.json":              {wycheproofChaCha, "nonces that are not 12 bytes long do not occur in ESP"},
	"public/wycheproof/hmac_sha1_test.json":                      {wycheproofHMAC(SHA1), whole},
	"public/wycheproof/hmac_sha256_test.json":                    {wycheproofHMAC(SHA256), whole},
	"public/wycheproof/hmac_sha384_test.json":                    {wycheproofHMAC(SHA384), whole},
	"public/wycheproof/hmac_sha512_test.json":                    {wycheproofHMAC(SHA512), whole},
	"public/wycheproof/x25519_test.json":                         {wycheproofX25519, whole},
	"public/wycheproof/ecdh_secp256r1_ecpoint_test.json":         {wycheproofECDH(ECP256), whole},
	"public/wycheproof/ecdh_secp384r1_ecpoint_test.json":         {wycheproofECDH(ECP384), whole},
	"public/wycheproof/ecdh_secp521r1_ecpoint_test.json":         {wycheproofECDH(ECP521), whole},
	"public/wycheproof/ecdh_brainpoolP256r1_test.json":           {nil, later},
	"public/wycheproof/ecdh_brainpoolP384r1_test.json":           {nil, later},
	"public/wycheproof/ecdh_brainpoolP512r1_test.json":           {nil, later},
	"public/wycheproof/x448_test.json":                           {nil, later},
	"public/wycheproof/mlkem_768_test.json":                      {nil, later},
	"public/wycheproof/mlkem_1024_test.json":                     {nil, later},
	"public/wycheproof/mlkem_768_semi_expanded_decaps_test.json": {nil, later},
	"public/wycheproof/aes_wrap_test.json":                       {nil, never},
	"public/wycheproof/hkdf_sha256_test.json":                    {nil, never},
	"public/wycheproof/primality_test.json":                      {nil, never},
	"public/wycheproof/rsa_pkcs1_2048_test.json":                 {nil, never},

	"public/nist_cavs/hmac/HMAC.rsp":                                                {cavsHMAC, "SHA-224 is no algorithm of IPsec"},
	"public/nist_cavs/kas/KASFunctionTest_ECCEphemeralUnified_NOKC_ZZOnly_init.rsp": {nil, "the private keys are not printed"},
	"public/nist_cavs/kas/KASFunctionTest_ECCEphemeralUnified_NOKC_ZZOnly_resp.rsp": {nil, "the private keys are not printed"},
	"public/nist_cavs/kas/KASValidityTest_ECCEphemeralUnified_NOKC_ZZOnly_init.rsp": {cavsECC, whole},
	"public/nist_cavs/kas/KASValidityTest_ECCEphemeralUnified_NOKC_ZZOnly_resp.rsp": {cavsECC, whole},
	"public/nist_cavs/kas/KASFunctionTest_FFCEphem_NOKC_ZZOnly_init.rsp":            {cavsFFC, whole},
	"public/nist_cavs/kas/KASFunctionTest_FFCEphem_NOKC_ZZOnly_resp.rsp":            {cavsFFC, whole},
	"public/nist_cavs/kas/KASValidityTest_FFCEphem_NOKC_ZZOnly_init.rsp":            {cavsFFC, "values outside the subgroup: the primes of our groups are safe and have none"},
	"public/nist_cavs/kas/KASValidityTest_FFCEphem_NOKC_ZZOnly_resp.rsp":            {cavsFFC, "values outside the subgroup: the primes of our groups are safe and have none"},

	"public/strongswan/3des_cbc.json":         {strongswan, whole},
	"public/strongswan/aes_cbc.json":          {strongswan, whole},
	"public/strongswan/aes_ccm.json":          {strongswan, whole},
	"public/strongswan/aes_cmac.json":         {strongswan, "AES-CMAC as PRF with keys that are not 16 bytes long: IKEv2's"},
	"public/strongswan/aes_ctr.json":          {strongswan, whole},
	"public/strongswan/aes_ecb.json":          {nil, never},
	"public/strongswan/aes_gcm.json":          {strongswan, whole},
	"public/strongswan/aes_xcbc.json":         {strongswan, "AES-XCBC as PRF with keys that are not 16 bytes long: IKEv2's"},
	"public/strongswan/chacha20poly1305.json": {strongswan, whole},
	"public/strongswan/curve25519.json":       {strongswan, whole},
	"public/strongswan/des.json":              {strongswan, "ECB is no mode of ESP"},
	"public/strongswan/ecp.json":              {strongswan, "the curves of 192 and 224 bits are not offered"},
	"public/strongswan/md5.json":              {strongswan, whole},
	"public/strongswan/md5_hmac.json":         {strongswan, whole},
	"public/strongswan/modp.json":             {strongswan, "the groups of 6144 and 8192 bits are not offered"},
	"public/strongswan/null.json":             {strongswan, whole},
	"public/strongswan/sha1.json":             {strongswan, whole},
	"public/strongswan/sha1_hmac.json":        {strongswan, whole},
	"public/strongswan/sha2.json":             {strongswan, "SHA-224 is no algorithm of IPsec"},
	"public/strongswan/sha2_hmac.json":        {strongswan, whole},
	"public/strongswan/blowfish.json":         {nil, never},
	"public/strongswan/camellia_cbc.json":     {nil, never},
	"public/strongswan/camellia_ctr.json":     {nil, never},
	"public/strongswan/camellia_xcbc.json":    {nil, never},
	"public/strongswan/cast.json":             {nil, never},
	"public/strongswan/curve448.json":         {nil, later},
	"public/strongswan/ecpbp.json":            {nil, later},
	"public/strongswan/kdf_prf.json":          {nil, "the key derivation of IKEv2"},
	"public/strongswan/kdf_prf_plus.json":     {nil, "the key derivation of IKEv2"},
	"public/strongswan/ml_kem.json":           {nil, later},
	"public/strongswan/modpsub.json":          {nil, "RFC 8247 §2.4 forbids these groups or warns of them"},
	"public/strongswan/sha3.json":             {nil, never},

	"public/libreswan/encrypt_cbc.json": {libreswan, "Camellia is not offered"},
	"public/libreswan/encrypt_ctr.json": {libreswan, whole},
	"public/libreswan/encrypt_gcm.json": {libreswan, whole},
	"public/libreswan/prf.json":         {libreswan, "AES-XCBC as PRF with other keys and the key derivation of IKEv2"},
}

// vectorRule finds what becomes of a file: by its name, or by its folder where all files of one are alike.
func vectorRule(name string) (vectorFile, bool) {
	if rule, ok := vectorFiles[name]; ok {
		return rule, true
	}
	base := filepath.Base(name)
	switch {
	case strings.Contains(name, "/nist_cavs/aes_cbc/CBCMCT"):
		return vectorFile{cavsAESMonteCarlo, whole}, true
	case strings.Contains(name, "/nist_cavs/aes_cbc/"):
		return vectorFile{cavsAESCBC, whole}, true
	case strings.Contains(name, "/nist_cavs/tdes_cbc/TCBCMonte"):
		return vectorFile{cavsTDESMonteCarlo, "three of four records, for the time that they take"}, true
	case strings.Contains(name, "/nist_cavs/tdes_cbc/"):
		return vectorFile{cavsTDES, whole}, true
	case strings.Contains(name, "/nist_cavs/gcm/"):
		return vectorFile{cavsGCM, "nonces that are not 12 bytes long do not occur in ESP"}, true
	case strings.Contains(name, "/nist_cavs/ike/"):
		return vectorFile{nil, "key derivation: pkg/ike/ikev1's (and IKEv2's)"}, true
	case strings.Contains(name, "/nist_cavs/rsa/"), strings.Contains(name, "/nist_cavs/ecdsa/"),
		strings.HasPrefix(base, "rsa_"), strings.HasPrefix(base, "ecdsa_"), strings.HasPrefix(base, "ed25519_"), strings.HasPrefix(base, "ed448_"):
		return vectorFile{nil, signature}, true
	}
	return vectorFile{}, false
}

// TestSharedVectors runs every file of known answers for primitives, and holds docs/vectors.md to what was used.
func TestSharedVectors(t *testing.T) {
	root := testdata.Dir(t, "vectors")
	var names []string
	for _, dir := range []string{"rfc", "public/wycheproof", "public/nist_cavs", "public/strongswan", "public/libreswan"} {
		filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && !strings.HasPrefix(d.Name(), "LICENSE") {
				name, _ := filepath.Rel(root, path)
				names = append(names, filepath.ToSlash(name))
			}
			return err
		})
	}
	sort.Strings(names)
	rows := []string{"| file | used | left | why |", "| --- | --- | --- | --- |"}
	total := 0
	for _, name := range names {
		rule, ok := vectorRule(name)
		if !ok {
			t.Errorf("%s: no test reads this file and nothing says why", name)
			continue
		}
		used, left := 0, 0
		if rule.run != nil {
			t.Run(name, func(t *testing.T) {
				used, left = rule.run(t, filepath.Join(root, name))
				if used == 0 {
					t.Error("not one vector was used")
				}
			})
			if left > 0 && rule.why == whole {
				t.Errorf("%s: %d vectors were left and nothing says why", name, left)
			}
		}
		total += used
		rows = append(rows, fmt.Sprintf("| %s | %d | %s | %s |", name, used, leftText(rule, left), rule.why))
	}
	for name := range vectorFiles {
		if i := sort.SearchStrings(names, name); i == len(names) || names[i] != name {
			t.Errorf("%s is in the table but not in the data", name)
		}
	}
	t.Logf("%d vectors were used", total)
	rows = append(rows, fmt.Sprintf("| **all** | **%d** | | |", total))
	if raceDetector {
		return // some files are read in part: they would take a minute
	}
	compareDocs(t, strings.Join(rows, "\n")+"\n")
}

func leftText(rule vectorFile, left int) string {
	if rule.run == nil {
		return "all"
	}
	return fmt.Sprint(left)
}

// The section of docs/vectors.md that belongs to this test lies between these lines.
const (
	docsBegin = "<!-- begin: written by go test ./pkg/suite -run TestSharedVectors -update -->\n"
	docsEnd   = "<!-- end -->\n"
)

func compareDocs(t *testing.T, table string) {
	const path = "../../docs/vectors.md"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(data), docsBegin)
	old, tail, ok2 := strings.Cut(rest, docsEnd)
	if !ok || !ok2 {
		t.Fatalf("%s has no section between %q and %q", path, docsBegin, docsEnd)
	}
	if old == table {
		return
	}
	if !*update {
		t.Fatalf("%s does not say what the tests do: run go test ./pkg/suite -run TestSharedVectors -update", path)
	}
	if err := os.WriteFile(path, []byte(head+docsBegin+table+docsEnd+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}

// readRSP reads an answer file of NIST's CAVS: sections in brackets, then records of NAME = VALUE. It calls visit for each record, with
// the sections before it ("Keylen = 128" and "ENCRYPT" are keys of section, the latter with an empty value).
func readRSP(t *testing.T, path string, visit func(section, record map[string]string)) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	section, record := map[string]string{}, map[string]string{}
	flush := func() {
		if len(record) > 0 {
			visit(section, record)
			record = map[string]string{}
		}
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		key, value, _ := strings.Cut(strings.Trim(line, "[]"), "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "["):
			flush()
			if key == "ENCRYPT" || key == "DECRYPT" {
				section = map[string]string{}
			}
			section[key] = value
		case line == "":
			flush()
		default:
			if strings.EqualFold(key, "COUNT") {
				flush() // some files have no blank lines
			}
			record[key] = value
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	flush()
}
