package diagnose

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/goipsec/goipsec/pkg/config"
	"github.com/goipsec/goipsec/pkg/endpoint"
	"github.com/goipsec/goipsec/pkg/inspect"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/route"
)

// ReportOptions are what NewReport gathers from.
type ReportOptions struct {
	// Doctor is what doctor works with; what it says stands in the report, and the policy that it has is expanded there.
	Doctor DoctorOptions
	// Version is that of the program.
	Version string
	// File is the policy file's text, nil if there is none, and Policies are those read from it, whose keys are looked for in all that is written.
	File     []byte
	Policies []*policy.Policy
	// Events are the last ones of the running endpoint.
	Events []endpoint.Event
	// Anonymise replaces addresses and names, each by the same other one wherever it stands.
	Anonymise bool
}

// Report is an archive to be.
type Report struct {
	// Members are its files, in order; the first is the manifest.
	Members []Member
	// Removed says what was taken out.
	Removed []string
	// Anonymised is set if addresses and names were replaced.
	Anonymised bool
	time       time.Time
}

// Member is one file of the archive.
type Member struct {
	Name  string
	About string
	Data  []byte
}

// NewReport gathers what somebody else needs in order to help. Nothing of key files, certificates, key logs or the environment is put into it: of key files it
// knows what Policies hold, in order to look for it. The secrets of the policy file are taken out, and whatever equals one of them, or a key of Policies, is
// looked for in everything else.
func NewReport(o ReportOptions) (*Report, error) {
	r := &Report{Anonymised: o.Anonymise, time: o.Doctor.Now}
	names, found := r.gather(&o)
	seen := map[string]bool{}
	for _, s := range append(secretsOf(o.Policies), longEnough(found)...) {
		if !seen[string(s)] {
			r.sweep(s)
		}
		seen[string(s)] = true
	}
	if o.Anonymise {
		a, err := newAnonymiser(names)
		if err != nil {
			return nil, err
		}
		for i := range r.Members {
			m := &r.Members[i]
			m.Data = a.apply(m.Data)
		}
		for i := range r.Removed {
			r.Removed[i] = string(a.apply([]byte(r.Removed[i])))
		}
	}
	r.Members = append([]Member{{Name: "MANIFEST.txt", About: "this list"}}, r.Members...)
	r.Members[0].Data = r.manifest()
	return r, nil
}

// gather makes all members but the manifest, and returns the names that occur in them and the secrets that were taken out of the policy file.
func (r *Report) gather(o *ReportOptions) (names []string, found []policy.Secret) {
	r.add("version.txt", "program, Go and system", []byte(fmt.Sprintf("goipsec %s\n%s\n%s/%s\n%s\n%d processors\n", o.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH, kernel(), runtime.NumCPU())))
	checkup := Doctor(o.Doctor)
	r.addText("doctor.txt", "what doctor says", checkup.WriteText)
	r.addJSON("doctor.json", "the same, for programs", checkup)
	if s := o.Doctor.Status; s != nil {
		r.addJSON("status.json", "the running instance: policy, SAs, traffic, drops, failures", s)
		r.addJSON("events.json", "its last events", o.Events)
		names = append(append(names, namesOfStatus(s)...), namesOfEvents(o.Events)...)
	}
	if o.File != nil {
		red := config.Redact(o.Doctor.PolicyPath, o.File, isThere)
		r.add("policy.yaml", "the policy file, without its secrets", red.Text)
		for _, what := range red.Removed {
			r.Removed = append(r.Removed, "policy.yaml: "+what)
		}
		if !red.Parsed {
			r.Removed = append(r.Removed, "policy.yaml: it is not readable, so all that could be a key was taken out")
		}
		names, found = append(names, red.Names...), red.Secrets
	}
	if c := o.Doctor.Policy; c != nil {
		r.addText("filters.txt", "the specific filters that the policy expands into, with their weights", inspect.ViewSpecific(c).WriteText)
		for _, rule := range c.Policy.Rules {
			names = append(names, rule.Name)
		}
	}
	r.add("network.txt", "interfaces, addresses, rules and routes", network())
	if host, err := os.Hostname(); err == nil {
		names = append(names, host)
	}
	return append(names, directories(o.Doctor.PolicyPath)...), found
}

func isThere(path string) bool {
	info, err := os.Stat(path)
	return err == nil && (info.Mode().IsRegular() || info.IsDir())
}

func (r *Report) add(name, about string, data []byte) {
	r.Members = append(r.Members, Member{Name: name, About: about, Data: data})
}

func (r *Report) addText(name, about string, write func(io.Writer) error) {
	var b bytes.Buffer
	_ = write(&b) // a buffer takes everything
	r.add(name, about, b.Bytes())
}

func (r *Report) addJSON(name, about string, v any) {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		data = []byte(fmt.Sprintf("%q", err.Error()))
	}
	r.add(name, about, append(data, '\n'))
}

// network describes the host's links, addresses, rules and routes.
func network() []byte {
	lines, err := route.Snapshot()
	if errors.Is(err, route.ErrUnavailable) {
		lines, err = interfaces()
	}
	if err != nil {
		lines = append(lines, err.Error())
	}
	return []byte(strings.Join(lines, "\n") + "\n")
}

func interfaces() (lines []string, err error) {
	list, err := net.Interfaces()
	for _, i := range list {
		lines = append(lines, fmt.Sprintf("link %s mtu %d %v", i.Name, i.MTU, i.Flags))
		addrs, _ := i.Addrs()
		for _, a := range addrs {
			lines = append(lines, fmt.Sprintf("address %v on %s", a, i.Name))
		}
	}
	return lines, err
}

// manifest lists the members and what was removed.
func (r *Report) manifest() []byte {
	var b bytes.Buffer
	_ = r.WriteText(&b)
	return b.Bytes()
}

// WriteText writes the manifest for a person.
func (r *Report) WriteText(w io.Writer) error {
	p := &printer{w: w}
	p.line("A report of goipsec, made at %s.", r.time.UTC().Format(time.RFC3339))
	p.line("\nIn it:")
	for _, m := range r.Members {
		p.line("  %-14s %s", m.Name, m.About)
	}
	p.line("\nNever in it: key files, certificates and their private keys, key logs, passwords, the environment.")
	if len(r.Removed) == 0 {
		p.line("Removed: nothing; there was no secret to be found.")
	} else {
		p.line("Removed:")
	}
	for _, what := range r.Removed {
		p.line("  %s", what)
	}
	if r.Anonymised {
		p.line("Addresses and names were replaced, each by the same other one wherever it stands; subnets stay subnets.")
	} else {
		p.line("Addresses and names are in it as they are; --anonymise replaces them.")
	}
	return p.err
}

// Write writes the archive: tar, compressed with gzip. Its members may be read by their owner only.
func (r *Report) Write(w io.Writer) error {
	z := gzip.NewWriter(w)
	t := tar.NewWriter(z)
	for _, m := range r.Members {
		h := &tar.Header{Name: "goipsec-report/" + m.Name, Mode: 0o600, Size: int64(len(m.Data)), ModTime: r.time.Truncate(time.Second), Format: tar.FormatUSTAR}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if _, err := t.Write(m.Data); err != nil {
			return err
		}
	}
	return errors.Join(t.Close(), z.Close())
}

// namesOfStatus are the names in a status that no address pattern finds.
func namesOfStatus(s *endpoint.Status) (names []string) {
	names = append(names, s.Policy.Name, s.Instance)
	for _, p := range s.Peers {
		names = append(append(names, p.Rule, p.User), namesOfIdentity(p.RemoteID)...)
	}
	for i := range s.Failures {
		f := &s.Failures[i]
		names = append(names, f.Rule)
		for _, id := range f.Identities {
			names = append(names, namesOfIdentity(id)...)
		}
	}
	for _, c := range s.Children {
		names = append(names, c.Rule)
	}
	return append(names, directories(s.ConfigPath)...)
}

// namesOfEvents are the names in events: of peers that are gone, and of rules and policies that were before.
func namesOfEvents(list []endpoint.Event) (names []string) {
	for i := range list {
		ev := &list[i]
		names = append(names, ev.Rule, ev.Policy)
		for _, id := range ev.Identities {
			names = append(names, namesOfIdentity(id)...)
		}
	}
	return names
}

// namesOfIdentity are what is to be replaced of an identity: all of it, or of a distinguished name each value, the pieces of one with commas too.
func namesOfIdentity(id string) (names []string) {
	if !strings.ContainsAny(id, "=,") {
		return []string{strings.TrimPrefix(id, "keyid:")}
	}
	for part := range strings.SplitSeq(id, ",") {
		value := part
		if _, v, ok := strings.Cut(part, "="); ok {
			value = v
		}
		names = append(names, strings.Trim(value, ` \"`))
	}
	return names
}

// directories are the parts of a path that say something about its owner.
func directories(path string) (names []string) {
	usual := []string{"", ".", "/", "etc", "usr", "local", "home", "root", "run", "var", "tmp", "opt", "goipsec", "policy.yaml"}
	for part := range strings.SplitSeq(filepath.ToSlash(path), "/") {
		if !slices.Contains(usual, part) {
			names = append(names, part)
		}
	}
	return names
}
