package laws_test

// plan is the table that holds until docs/architecture.md is there.
const plan = `
| room | purpose | may import |
|---|---|---|
| ` + "`cmd/goipsec`" + ` | | config, endpoint, control, demo, inspect, bench, policy, classifier, testnet |
| ` + "`pkg/config`" + ` | | policy, classifier, suite |
| ` + "`pkg/policy`" + ` | | classifier, suite, packet |
| ` + "`pkg/endpoint`" + ` | | ike, ike/isakmp, dataplane, policy, classifier, sa, esp, ah, suite, tun, netio, guard, packet, route, keylog, config |
| ` + "`pkg/control`" + ` | | endpoint |
| ` + "`pkg/dataplane`" + ` | | classifier, policy, sa, packet, suite, tun, netio |
| ` + "`pkg/ike`" + ` | | ike/*, policy, packet, suite, classifier |
| ` + "`pkg/ike/isakmp`" + ` | | suite, classifier |
| ` + "`pkg/ike/ikev1`" + ` | | ike/isakmp, ike/auth, policy, suite, classifier, packet |
| ` + "`pkg/ike/auth`" + ` | | suite |
| ` + "`pkg/classifier`" + ` | | packet |
| ` + "`pkg/sa`" + ` | | packet, classifier, suite |
| ` + "`pkg/esp`, `pkg/ah`" + ` | | packet, suite |
| ` + "`pkg/suite`" + ` | | – |
| ` + "`pkg/packet`" + ` | | – |
| ` + "`pkg/tun`" + ` | | – |
| ` + "`pkg/netio`" + ` | | – |
| ` + "`pkg/route`" + ` | | – |
| ` + "`pkg/keylog`" + ` | | suite, ike/isakmp |
| ` + "`pkg/guard`" + ` | | classifier |
| ` + "`pkg/demo`" + ` | | config, endpoint, tun, netio |
| ` + "`pkg/inspect`" + ` | | policy, classifier, ike, ike/*, esp, ah, packet, suite, sa, keylog |
| ` + "`bench/`" + ` | | anything |
| ` + "`examples/`" + ` | | – |
| ` + "`test/`" + ` | | anything |
`
