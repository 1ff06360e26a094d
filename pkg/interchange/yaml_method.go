package interchange

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// keyed writes a filter action behind its key: a word for what permits or blocks, a mapping for what negotiates.
func keyed(key string, a policy.FilterAction) []string {
	if a.Kind != policy.Negotiate {
		return []string{key + ": " + a.Kind.String()}
	}
	out := actionLines(a)
	if len(out) == 0 {
		return []string{key + ": {}"}
	}
	return append([]string{key + ":"}, indent(out)...)
}

// actionLines writes the body of a negotiation. A lifetime that all methods share stands once.
func actionLines(a policy.FilterAction) []string {
	var out []string
	methods := slices.Clone(a.Methods)
	common := sharedLifetime(methods)
	if common != (policy.Lifetime{}) {
		for i := range methods {
			methods[i].Lifetime = policy.Lifetime{}
		}
	}
	if len(methods) > 0 && !reflect.DeepEqual(methods, policy.DefaultMethods()) {
		out = append(out, "methods:")
		for _, m := range methods {
			out = append(out, "  - "+methodText(m))
		}
	}
	if a.PFS != suite.GroupNone {
		out = append(out, "pfs: "+a.PFS.String())
	}
	if common != (policy.Lifetime{}) {
		out = append(out, "lifetime: "+lifetimeText(common))
	}
	if a.InboundPassthrough {
		out = append(out, "inbound_passthrough: true")
	}
	if f := a.Fallback; f != nil {
		out = append(out, "fallback_to_clear: "+fallbackText(f))
	}
	return out
}

func fallbackText(f *policy.Fallback) string {
	var parts []string
	if f.Timeout != 0 {
		parts = append(parts, "timeout: "+span(f.Timeout))
	}
	if f.Lifetime != 0 {
		parts = append(parts, "lifetime: "+span(f.Lifetime))
	}
	if parts == nil {
		return "true"
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// sharedLifetime returns the lifetime of all methods, the zero one if they differ.
func sharedLifetime(methods []policy.Method) policy.Lifetime {
	if len(methods) == 0 {
		return policy.Lifetime{}
	}
	l := methods[0].Lifetime
	for _, m := range methods {
		if m.Lifetime != l {
			return policy.Lifetime{}
		}
	}
	return l
}

// methodText writes a method on one line: in words, or as a mapping if it has a lifetime of its own.
func methodText(m policy.Method) string {
	if m.Lifetime == (policy.Lifetime{}) {
		return m.String()
	}
	var parts []string
	if m.AH != nil {
		parts = append(parts, "ah: "+m.AH.Integ.String())
	}
	if m.ESP != nil {
		parts = append(parts, "esp: "+m.ESP.String())
	}
	parts = append(parts, "lifetime: "+lifetimeText(m.Lifetime))
	if m.ESN {
		parts = append(parts, "esn: true")
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func lifetimeText(l policy.Lifetime) string {
	var parts []string
	if l.Seconds != 0 {
		parts = append(parts, fmt.Sprintf("seconds: %d", l.Seconds))
	}
	if l.Kilobytes != 0 {
		parts = append(parts, fmt.Sprintf("kilobytes: %d", l.Kilobytes))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
