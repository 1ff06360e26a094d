package interchange

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/goipsec/goipsec/pkg/policy"
)

// childKeys are the settings of a child that are read below, or that need nothing here.
var childKeys = map[string]bool{"local_ts": true, "remote_ts": true, "mode": true, "esp_proposals": true, "ah_proposals": true, "rekey_time": true, "life_time": true, "rand_time": true,
	"rekey_bytes": true, "life_bytes": true, "rand_bytes": true, "start_action": true, "close_action": true, "dpd_action": true, "inactivity": true, "replay_window": true, "copy_df": true, "sha256_96": true}

// child reads a child.
func (r *swanctlReader) child(s *section, c *connection, fail func(string, ...any)) {
	r.file = s.file
	x := &child{line: s.line, file: s.file, name: s.name, kind: policy.Negotiate, starts: s.value("start_action", "none") != "none"}
	switch mode := strings.ToLower(s.value("mode", "tunnel")); mode {
	case "tunnel":
		x.tunnel = true
	case "transport":
	case "pass":
		x.kind = policy.Permit
	case "drop":
		x.kind = policy.Block
	default:
		if !x.starts {
			r.lost(s.line, "the child %s is left out: the mode %s is not here", quote(s.name), quote(mode))
			return
		}
		r.lost(s.line, "the child %s blocks here: the mode %s is not here", quote(s.name), quote(mode))
		x.kind = policy.Block
	}
	for _, v := range s.settings {
		if !childKeys[v.key] {
			r.leave(v, "there is nothing like it here")
		}
	}
	if yesWord(s.value("sha256_96", "no")) {
		fail("it cuts HMAC-SHA-256 to 96 bits, which no RFC knows")
	}
	for _, side := range []struct {
		key string
		to  *[]selector
	}{{"local_ts", &x.local}, {"remote_ts", &x.remote}} {
		words := splitList(s.value(side.key, "dynamic"))
		if len(words) == 0 {
			words = []string{"dynamic"}
		}
		if !r.spend(&r.selectors, len(words), "selectors") {
			return
		}
		for _, word := range words {
			t, err := parseSelector(word)
			if err != nil {
				r.lost(s.line, "%s of the child %s: %v", side.key, quote(s.name), err)
				t = roughSelector(word)
			}
			*side.to = append(*side.to, t)
		}
	}
	if x.starts {
		c.starts = true
	} else if x.kind == policy.Negotiate {
		r.remark(s.line, "the child %s is not started by itself there; here its traffic is always protected", quote(s.name))
	}
	bad := func(err error) { r.lost(s.line, "proposals of the child %s: %v", quote(s.name), err) }
	if ah, ok := s.setting("ah_proposals"); ok {
		x.methods, x.pfs = quickModeOf(ah.value, true, bad)
	}
	if esp, ok := s.setting("esp_proposals"); ok || len(x.methods) == 0 {
		methods, pfs := quickModeOf(esp.value, false, bad)
		x.methods = append(x.methods, methods...)
		if x.pfs == 0 {
			x.pfs = pfs
		}
		if !ok && x.kind == policy.Negotiate {
			r.remark(s.line, "the child %s names no proposals for ESP: the defaults here are written, not those of strongSwan", quote(s.name))
		}
	}
	if len(x.methods) == 0 && x.kind == policy.Negotiate {
		fail("none of the proposals of its child %s can be used", s.name)
	}
	r.limits(s, x)
	c.children = append(c.children, x)
}

// limits reads the lifetimes of a child.
func (r *swanctlReader) limits(s *section, x *child) {
	if life := r.seconds(s, "life_time"); life > 0 {
		x.lifetime.Seconds = uint32(min(life/time.Second, math.MaxUint32))
	} else if rekey := r.seconds(s, "rekey_time"); rekey > 0 {
		x.lifetime.Seconds = uint32(min((rekey+rekey/10)/time.Second, math.MaxUint32))
	}
	for _, key := range []string{"rekey_bytes", "life_bytes"} {
		v, err := strconv.ParseUint(s.value(key, "0"), 10, 64)
		if err != nil {
			r.lost(s.line, "%s of the child %s is no number", key, quote(s.name))
		} else if v > 0 {
			x.lifetime.Kilobytes = uint32(min(max(v/1024, 1), math.MaxUint32))
		}
	}
	x.idle = r.seconds(s, "inactivity")
	if v := s.value("replay_window", ""); v != "" {
		n, err := strconv.ParseUint(v, 10, 32)
		switch {
		case err != nil || n < policy.MinReplayWindow || n > policy.MaxReplayWindow:
			r.lost(s.line, "replay_window of the child %s is left out: here it is a number from %d to %d", quote(s.name), policy.MinReplayWindow, policy.MaxReplayWindow)
		default:
			x.replay = int(n)
		}
	}
	if s.value("copy_df", "yes") == "no" {
		x.df = "clear"
	}
}
