package goals

// table is everything that goipsec wants to reach.
func table() []goal {
	const gcm, cbc = "aes-gcm-16-128", "aes-cbc-128 hmac-sha256-128"
	return []goal{
		{name: "TCP, 1 flow, AES-128-GCM in UDP", part: E2E, direction: least, must: 1.5, aim: 2.2, unit: "W", decimals: 2, value: overW("goipsec", tcp(1))},
		{name: "the same of the null forwarder", part: E2E, direction: least, must: 80, aim: 90, unit: "% N", scale: 100, value: overN("goipsec", tcp(1))},
		{name: "TCP, 4 flows", part: E2E, direction: least, must: 1.5, aim: 2.2, unit: "W", decimals: 2, value: overW("goipsec", tcp(4))},
		{name: "the same of the null forwarder", part: E2E, direction: least, must: 80, noAim: true, unit: "% N", scale: 100, value: overN("goipsec", tcp(4))},
		{name: "the null forwarder itself (4.5 and 7 Gb/s where the plain veth shows 12)", part: E2E, direction: least, must: 37.5, aim: 58.3, unit: "% of veth", scale: 100, value: ofVeth(null)},
		{name: "TCP, 1 flow, ChaCha20-Poly1305 in UDP", part: E2E, direction: least, must: 1.3, aim: 1.8, unit: "W", decimals: 2, value: overW("goipsec-chacha", tcp(1))},
		{name: "TCP, 4 flows, ChaCha20-Poly1305 in UDP", part: E2E, direction: least, must: 1.3, aim: 1.8, unit: "W", decimals: 2, value: overW("goipsec-chacha", tcp(4))},
		{name: "TCP, 1 flow, raw ESP (protocol 50)", part: E2E, direction: least, must: 1.0, aim: 1.5, unit: "W", decimals: 2, value: overW("goipsec-raw", tcp(1))},
		{name: "UDP, 64-byte packets a second, 1 flow", part: E2E, direction: least, must: 2, aim: 4, unit: "W", decimals: 2, value: overW("goipsec", udp(64, 1))},
		{name: "UDP, 64-byte packets a second, 64 flows", part: E2E, direction: least, must: 2, aim: 4, unit: "W", decimals: 2, value: overW("goipsec", udp(64, 64))},

		{name: "outbound in memory, AES-128-GCM, 1420 bytes", part: Pipeline, direction: most, must: 1.15, aim: 0.6, unit: "× raw Seal", decimals: 2, value: path(gcm, 1420, out)},
		{name: "outbound in memory, AES-128-GCM, 64 bytes", part: Pipeline, direction: most, must: 1.6, aim: 1, unit: "× raw Seal", decimals: 2, value: path(gcm, 64, out)},
		{name: "inbound in memory, AES-128-GCM, 1420 bytes", part: Pipeline, direction: most, must: 1.2, aim: 0.65, unit: "× raw Open", decimals: 2, value: path(gcm, 1420, in)},
		{name: "outbound, AES-128-CBC with HMAC-SHA-256, 1420 bytes", part: Pipeline, direction: most, must: 1.1, aim: 0.75, unit: "× the library's parts", decimals: 2, value: path(cbc, 1420, out)},
		{name: "inbound, AES-128-CBC with HMAC-SHA-256, 1420 bytes", part: Pipeline, direction: most, must: 1.1, aim: 0.75, unit: "× the library's parts", decimals: 2, value: path(cbc, 1420, in)},
		{name: "allocations a packet, the worst of all", part: Pipeline, direction: most, must: 0, aim: 0, decimals: 2, value: allocations},

		{name: "idle round trip added", part: E2E, direction: most, must: 0.8, aim: 0.6, unit: "W", decimals: 2, value: overW("goipsec", idle)},
		{name: "round trip under TCP load, p99", part: E2E, direction: most, must: 0.8, aim: 0.5, unit: "W", decimals: 2, value: overW("goipsec", loaded)},

		{name: "1,000,000 host-pair filters, a look-up", part: Classify, direction: most, must: 250, aim: 120, unit: "ns", value: lookup(hostPairs, alone),
			beside: lookup(hostPairs, together), besides: "32 packets together"},
		{name: "ClassBench acl1, fw1, ipc1 with 10,000 filters, no cache, geometric mean", part: Classify, direction: most, must: 1.2, aim: 0.6, unit: "× TupleMerge", decimals: 2, value: tupleMerge},

		{name: "1,000,000 mixed filters grown from these sets, a look-up, 32 packets together", part: Classify, direction: most, must: 1500, aim: 500, unit: "ns", value: lookup(grownMillion, together),
			beside: lookup(grownMillion, alone), besides: "one by one"},
		{name: "the same of 10,000 grown alike, looked up together as well", part: Classify, direction: most, must: 3, noAim: true, unit: "×", decimals: 2, value: growth(together),
			beside: growth(alone), besides: "one by one"},
		{name: "an insertion or deletion at 1,000,000 filters, while readers look up", part: Classify, direction: most, must: 50, aim: 5, unit: "µs", scale: 1e-3, decimals: 1, value: change},

		{name: "IKEv1 main and quick mode a second, X25519, pre-shared key, both ends", part: Handshake, direction: least, must: 2000, aim: 4000, unit: "a second", value: negotiations},
		{name: "memory of an SA pair among 100,000", part: Memory, direction: most, must: 4, aim: 2, unit: "KB", scale: 1.0 / 1024, decimals: 2, value: pairBytes(gcm)},
	}
}
