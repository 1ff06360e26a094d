package lab

import (
	"strconv"
	"strings"
)

// An IKESA is one line of swanctl --list-sas with its children.
type IKESA struct {
	Name, State string
	Version     string // "1" or "2"
	Values      map[string]string
	Children    []ChildSA
}

// A ChildSA is an SA pair as strongSwan reports it, with its own count of the packets it accepted and sent.
type ChildSA struct {
	Name, State, Mode, Protocol string
	SPIIn, SPIOut               string
	PacketsIn, PacketsOut       uint64
	BytesIn, BytesOut           uint64
	Values                      map[string]string // every plain value, such as encr-alg
}

// A node is a section of strongSwan's raw output: plain values and sections in it, in order.
type node struct {
	name   string
	values map[string]string
	nodes  []*node
}

// parseSAs reads swanctl --list-sas --raw: "list-sa event {NAME {key=value … child-sas {NAME-1 {…}}}}" for each IKE SA. A list
// is "key=[a b c]".
func parseSAs(text string) []IKESA {
	var sas []IKESA
	for line := range strings.Lines(text) {
		_, body, ok := strings.Cut(line, "list-sa event {")
		if !ok {
			continue
		}
		root := &node{values: map[string]string{}}
		parseNode(body, root)
		for _, n := range root.nodes {
			sas = append(sas, ikeSA(n))
		}
	}
	return sas
}

func ikeSA(n *node) IKESA {
	sa := IKESA{Name: n.name, State: n.values["state"], Version: n.values["version"], Values: n.values}
	for _, section := range n.nodes {
		if section.name != "child-sas" {
			continue
		}
		for _, c := range section.nodes {
			sa.Children = append(sa.Children, childSA(c))
		}
	}
	return sa
}

func childSA(n *node) ChildSA {
	number := func(key string) uint64 {
		v, _ := strconv.ParseUint(n.values[key], 10, 64)
		return v
	}
	return ChildSA{
		Name: n.values["name"], State: n.values["state"], Mode: n.values["mode"], Protocol: n.values["protocol"],
		SPIIn: n.values["spi-in"], SPIOut: n.values["spi-out"],
		PacketsIn: number("packets-in"), PacketsOut: number("packets-out"),
		BytesIn: number("bytes-in"), BytesOut: number("bytes-out"),
		Values: n.values,
	}
}

// parseNode reads until the section's closing brace and returns the rest.
func parseNode(text string, into *node) string {
	for {
		text = strings.TrimLeft(text, " \n")
		if text == "" {
			return ""
		}
		if text[0] == '}' {
			return text[1:]
		}
		end := strings.IndexAny(text, " =}")
		if end < 0 {
			return ""
		}
		name := text[:end]
		rest := strings.TrimLeft(text[end:], " ")
		switch {
		case strings.HasPrefix(rest, "{"):
			child := &node{name: name, values: map[string]string{}}
			into.nodes = append(into.nodes, child)
			text = parseNode(rest[1:], child)
		case strings.HasPrefix(rest, "=["):
			value, after, _ := strings.Cut(rest[2:], "]")
			into.values[name] = value
			text = after
		case strings.HasPrefix(rest, "="):
			stop := strings.IndexAny(rest, " }\n")
			if stop < 0 {
				stop = len(rest)
			}
			into.values[name] = rest[1:stop]
			text = rest[stop:]
		default:
			text = rest
		}
	}
}
