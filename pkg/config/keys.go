package config

import "slices"

// The keys that each kind of mapping may have. docs/policy-file.md describes every one of them.
var (
	topKeys          = []string{"policy", "description", "rules", "key_exchange", "policies", "assign", "filter_lists", "filter_actions", "listen", "tun", "guard", "wins_servers", "default_response", "exemptions", "certificates"}
	policyKeys       = []string{"name", "description", "rules", "key_exchange", "default_response", "certificates"}
	ruleKeys         = []string{"name", "description", "filters", "filter_list", "action", "negotiate", "manual", "auth", "tunnel", "encapsulation", "peer_port", "dpd", "idle_timeout", "replay_window", "df", "fragmentation", "exchange_mode", "test_only", "connection"}
	filterKeys       = []string{"from", "to", "protocol", "from_port", "to_port", "type", "code", "mirrored", "description"}
	negotiateKeys    = []string{"methods", "pfs", "lifetime", "inbound_passthrough", "fallback_to_clear"}
	fallbackKeys     = []string{"timeout", "lifetime"}
	responseKeys     = []string{"auth", "methods", "pfs", "lifetime"}
	methodKeys       = []string{"esp", "ah", "lifetime", "esn"}
	espKeys          = []string{"encryption", "key_bits", "integrity"}
	lifetimeKeys     = []string{"seconds", "kilobytes"}
	authKeys         = []string{"psk", "psk_file", "certificate", "key", "passphrase_file", "ca", "kerberos", "local_id", "remote_id", "xauth"}
	certificatesKeys = []string{"min_rsa_bits", "allow_sha1", "crl_check", "crls", "ocsp", "fetch", "cache"}
	tunnelKeys       = []string{"local", "remote", "endpoint", "address", "address_pool", "dns", "push"}
	xauthKeys        = []string{"user", "password_file", "users_file"}
	manualKeys       = []string{"method", "spi_in", "spi_out", "ah_spi_in", "ah_spi_out", "encryption_key_in", "encryption_key_out", "integrity_key_in", "integrity_key_out", "ah_key_in", "ah_key_out"}
	keyFileKeys      = []string{"file"}
	exchangeKeys     = []string{"methods", "lifetime", "quick_modes"}
	mainModeKeys     = []string{"encryption", "key_bits", "hash", "group"}
	dpdKeys          = []string{"interval", "timeout"}
	listenKeys       = []string{"addresses", "port", "nat_port"}
	tunKeys          = []string{"name", "mtu", "queues"}
)

var allKeys = [][]string{topKeys, policyKeys, ruleKeys, filterKeys, negotiateKeys, methodKeys, espKeys, lifetimeKeys, authKeys,
	tunnelKeys, xauthKeys, manualKeys, keyFileKeys, exchangeKeys, mainModeKeys, dpdKeys, listenKeys, tunKeys, fallbackKeys, responseKeys, certificatesKeys}

// secretKeys are those whose values are never shown; openWords look like them and are harmless.
var (
	secretKeys = []string{"psk", "encryption_key_in", "encryption_key_out", "integrity_key_in", "integrity_key_out", "ah_key_in", "ah_key_out"}
	openWords  = []string{"psk_file", "password_file", "passphrase_file", "key_exchange", "key_bits", "keys", "keyed", "key-file", "keyfile"}
)

// known reports whether any mapping may have the key.
func known(key string) bool {
	return slices.ContainsFunc(allKeys, func(list []string) bool { return slices.Contains(list, key) })
}
