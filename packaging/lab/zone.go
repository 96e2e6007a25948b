package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// The ways in which the name server answers.
const (
	DNSNormal   = "normal"
	DNSServFail = "servfail"
	DNSTimeout  = "timeout"
)

const zoneTTL = 5

// Zone is what the lab's name server knows: a file in the state directory, read
// again whenever it changes.
type Zone struct {
	Mode string `json:"mode"`
	// Records by name without the last dot, then by type; values as in a zone file.
	Records map[string]map[string][]string `json:"records"`
}

// initialZone has the guide's public names and the lab's ACME server; AAAA only.
func initialZone() Zone {
	z := Zone{Mode: DNSNormal, Records: map[string]map[string][]string{acmeName: {"AAAA": {serviceHub}}}}
	for _, n := range bootable() {
		z.Records[n.public] = map[string][]string{"AAAA": {n.address.String()}}
	}
	return z
}

// qualify completes a name that has no dot: idp is idp.breathtechnology.co.uk.
func qualify(name string) string {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if name == "@" {
		return Domain
	}
	if !strings.Contains(name, ".") {
		name += "." + Domain
	}
	return name
}

func record(name, kind, value string) (dns.RR, error) {
	if strings.ContainsAny(value, "\n\r") {
		return nil, errors.New("value of more than one line")
	}
	rr, err := dns.NewRR(fmt.Sprintf("%s %d IN %s %s", dns.Fqdn(name), zoneTTL, kind, value))
	if err == nil && rr == nil {
		err = errors.New("empty record")
	}
	return rr, err
}

// Set replaces the records of one name and type.
func (z *Zone) Set(name, kind string, values []string) error {
	name, kind = qualify(name), strings.ToUpper(kind)
	if !dns.IsSubDomain(Domain+".", name+".") {
		return &Refusal{fmt.Sprintf("name a record within %s, not %q", Domain, name)}
	}
	for _, v := range values {
		if _, err := record(name, kind, v); err != nil {
			return &Refusal{fmt.Sprintf("give a value that %s %s can have, not %q: %v", name, kind, v, err)}
		}
	}
	if z.Records == nil {
		z.Records = map[string]map[string][]string{}
	}
	if z.Records[name] == nil {
		z.Records[name] = map[string][]string{}
	}
	z.Records[name][kind] = values
	return nil
}

// Unset forgets one type of a name, or with an empty kind the name itself.
func (z *Zone) Unset(name, kind string) {
	name, kind = qualify(name), strings.ToUpper(kind)
	if kind != "" {
		delete(z.Records[name], kind)
		return
	}
	delete(z.Records, name)
}

// Answer answers a query; nil means not at all.
func (z *Zone) Answer(q *dns.Msg) *dns.Msg {
	m := new(dns.Msg)
	m.SetReply(q)
	if z.Mode == DNSTimeout {
		return nil
	}
	if len(q.Question) != 1 || z.Mode == DNSServFail {
		return m.SetRcode(q, dns.RcodeServerFailure)
	}
	name := strings.ToLower(q.Question[0].Name)
	if !dns.IsSubDomain(Domain+".", name) {
		return m.SetRcode(q, dns.RcodeRefused)
	}
	m.Authoritative = true
	kind := dns.TypeToString[q.Question[0].Qtype]
	// A chain of aliases ends after a few links, however it was typed in.
	for range 5 {
		types, known := z.Records[strings.TrimSuffix(name, ".")]
		if !known && name != Domain+"." {
			if len(m.Answer) == 0 {
				m.Rcode = dns.RcodeNameError
			}
			break
		}
		m.Answer = append(m.Answer, records(name, kind, types[kind])...)
		alias := types["CNAME"]
		if len(alias) == 0 || kind == "CNAME" {
			break
		}
		m.Answer = append(m.Answer, records(name, "CNAME", alias[:1])...)
		name = strings.ToLower(dns.Fqdn(alias[0]))
	}
	if len(m.Answer) == 0 {
		m.Ns = []dns.RR{startOfAuthority()}
	}
	return m
}

func records(name, kind string, values []string) []dns.RR {
	var list []dns.RR
	for _, v := range values {
		if rr, err := record(name, kind, v); err == nil { // checked when it was set
			list = append(list, rr)
		}
	}
	return list
}

func startOfAuthority() dns.RR {
	rr, err := dns.NewRR(fmt.Sprintf("%s. %d IN SOA ns.%s. hostmaster.%s. 1 60 60 60 %d", Domain, zoneTTL, Domain, Domain, zoneTTL))
	if err != nil {
		panic(err) // of constants
	}
	return rr
}

// zoneFile serves a Zone from a file.
type zoneFile struct {
	path string

	mu    sync.Mutex
	stamp time.Time
	size  int64
	zone  Zone
}

// current looks at the file's date for each query: cheaper than being told, and
// a change counts from the next query on.
func (f *zoneFile) current() (Zone, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	st, err := os.Stat(f.path)
	if err != nil {
		return f.zone, err
	}
	if st.ModTime().Equal(f.stamp) && st.Size() == f.size {
		return f.zone, nil
	}
	z, err := readZone(f.path)
	if err != nil {
		return f.zone, err
	}
	f.zone, f.stamp, f.size = z, st.ModTime(), st.Size()
	return z, nil
}

// ServeDNS implements dns.Handler.
func (f *zoneFile) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	z, err := f.current()
	if err != nil {
		z.Mode = DNSServFail
	}
	if m := z.Answer(q); m != nil {
		_ = w.WriteMsg(m) // the asker went away: nobody to tell
	}
}

func readZone(path string) (Zone, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Zone{}, fmt.Errorf("read zone: %w", err)
	}
	var z Zone
	if err := json.Unmarshal(data, &z); err != nil {
		return Zone{}, fmt.Errorf("read zone %s: %w", path, err)
	}
	return z, nil
}

func writeZone(path string, z Zone) error {
	data, err := json.MarshalIndent(z, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("write zone: %w", err)
	}
	return os.Rename(path+".new", path)
}

// EditZone changes what the name server answers, from the next query on.
func (l *Lab) EditZone(edit func(*Zone) error) error {
	path := l.state("dns.json")
	z, err := readZone(path)
	if errors.Is(err, os.ErrNotExist) {
		return l.notUp()
	}
	if err != nil {
		return err
	}
	if err := edit(&z); err != nil {
		return err
	}
	return writeZone(path, z)
}

// CheckDNSMode refuses a mode that the name server does not know.
func CheckDNSMode(mode string) error {
	switch mode {
	case DNSNormal, DNSServFail, DNSTimeout:
		return nil
	}
	return &Refusal{fmt.Sprintf("choose %s, %s or %s, not %q", DNSNormal, DNSServFail, DNSTimeout, mode)}
}
