package certs

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
	"watchdog/probes/probetest"
)

func TestLineage(t *testing.T) {
	a := newAuthority()
	good := a.leaf(60*day, name, "other.example.org")
	alone := *good
	alone.chain = good.chain[:bytes.Index(good.chain[1:], []byte("-----BEGIN"))+1]
	stranger := newAuthority()
	mixed := alone
	mixed.chain = append(bytes.Clone(alone.chain), stranger.leaf(60*day, "x").chain...)
	tornBehind := alone
	tornBehind.chain = append(bytes.Clone(alone.chain), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"...)
	rootSigned := a.sign(good.Leaf, a.root)
	short := a.lasting(6*time.Hour, 3*time.Hour, name)
	shorter := a.lasting(6*time.Hour, time.Hour, name)
	probetest.Suite{
		Probe: Lineage{Name: name, Dir: live, RenewBefore: 21 * day},
		Cases: map[string]probetest.Case{
			"good":                   {Host: lineage(good)},
			"none":                   {Want: []string{"cert.missing " + name}},
			"empty":                  {Host: one(hosttest.File(live+"/fullchain.pem", "")), Want: []string{"cert.missing " + name}, Says: []string{"no certificate in it"}},
			"torn":                   {Host: one(hosttest.File(live+"/fullchain.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")), Want: []string{"cert.missing " + name}},
			"20 days left":           {Host: lineage(a.leaf(20*day, name)), Want: []string{"cert.expiring " + name}, Says: []string{"ends 2026-12-13", "21 days"}},
			"ended":                  {Host: lineage(a.leaf(-day, name)), Want: []string{"cert.expiring " + name}, Says: []string{"ended 2026-11-22"}},
			"half of a short life":   {Host: lineage(short)},
			"end of a short life":    {Host: lineage(shorter), Want: []string{"cert.expiring " + name}, Says: []string{"2h0m0s"}},
			"three weeks if not set": {Probe: Lineage{Name: name, Dir: live}, Host: lineage(a.leaf(20*day, name)), Want: []string{"cert.expiring " + name}},
			"another name":           {Host: lineage(a.leaf(60*day, "ollama.breathtechnology.co.uk")), Want: []string{"cert.name-mismatch " + name}, Says: []string{"ollama.breathtechnology.co.uk"}},
			"the leaf alone":         {Host: lineage(&alone), Want: []string{"cert.chain-incomplete " + name}, Says: []string{"the certificate alone", "CN=Test Intermediate"}},
			"torn behind the leaf":   {Host: lineage(&tornBehind), Want: []string{"cert.chain-incomplete " + name}, Says: []string{"the certificate alone"}},
			"another's intermediate": {Host: lineage(&mixed), Want: []string{"cert.chain-incomplete " + name}, Says: []string{"certificates of CN=x"}},
			"alone, signed by a root of ours that is not trusted here": {Host: lineage(rootSigned), Want: []string{"cert.chain-incomplete " + name}},
			"not readable": {Host: one(hosttest.Unreadable("/etc/letsencrypt", fs.ErrPermission)), Err: "read the certificate"},
		},
	}.Run(t)
}

// TestTrustedLeafNeedsNoIssuer holds that a leaf which a root of the host has
// signed is complete by itself.
func TestTrustedLeafNeedsNoIssuer(t *testing.T) {
	a := newAuthority()
	h := hosttest.New(lineage(a.sign(a.leaf(60*day, name).Leaf, a.root))...)
	h.Roots = a.root.Pool()
	found, err := Lineage{Name: name, Dir: live}.Observe(t.Context(), h)
	if err != nil || len(found) != 0 {
		t.Errorf("found %v, error %v", found, err)
	}
}

func TestCopy(t *testing.T) {
	a := newAuthority()
	now, old := a.leaf(80*day, name), a.leaf(20*day, name)
	const unreadable = "cert.copy-unreadable "
	bare := *now
	bare.chain = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: now.Leaf.Raw})
	with := func(opts ...hosttest.Option) []hosttest.Option {
		return machine(lineage(now), copied(now.chain, now.key), opts)
	}
	probetest.Suite{
		Probe: Copy{Dir: copies, Lineage: live, User: "keycloak"},
		Cases: map[string]probetest.Case{
			"right":        {Host: with()},
			"no directory": {Host: lineage(now), Want: []string{"cert.copy-missing pair"}},
			"emptied":      {Host: machine(lineage(now), one(hosttest.Dir(copies))), Want: []string{"cert.copy-missing pair"}, Says: []string{copies + "/privkey.pem", copies + "/fullchain.pem"}},
			"no key":       {Host: machine(lineage(now), copied(now.chain, now.key)[:3]), Want: []string{"cert.copy-missing privkey.pem"}},
			"no chain":     {Host: machine(lineage(now), copied(now.chain, now.key)[:2], copied(now.chain, now.key)[3:]), Want: []string{"cert.copy-missing fullchain.pem"}},
			"root's key": {
				Host: with(owned(copies+"/privkey.pem", 0o600, "root", "root", now.key)), Want: []string{unreadable + "privkey.pem"}, Says: []string{"0600 root:root can't be read"},
			},
			"root's chain": {Host: with(owned(copies+"/fullchain.pem", 0o600, "root", "root", now.chain)), Want: []string{unreadable + "fullchain.pem"}},
			"root's directory and key": {
				Host: with(owned(copies, fs.ModeDir|0o700, "root", "root", nil), owned(copies+"/privkey.pem", 0o600, "root", "root", now.key)),
				Want: []string{unreadable + "pair"}, Says: []string{copies, "0700 root:root can't be entered"},
			},
			"both root's": {
				Host: with(owned(copies+"/fullchain.pem", 0o600, "root", "root", now.chain), owned(copies+"/privkey.pem", 0o600, "root", "root", now.key)),
				Want: []string{unreadable + "pair"},
			},
			"closed above":            {Host: with(owned("/etc/keycloak", fs.ModeDir|0o700, "root", "root", nil)), Want: []string{unreadable + "pair"}, Says: []string{`"/etc/keycloak"`}},
			"the owner's bits count":  {Host: with(owned(copies+"/privkey.pem", 0o040, "keycloak", "keycloak", now.key)), Want: []string{unreadable + "privkey.pem"}},
			"the group's are enough":  {Host: with(owned(copies+"/privkey.pem", 0o640, "root", "keycloak", now.key))},
			"open key":                {Host: with(owned(copies+"/privkey.pem", 0o644, "keycloak", "keycloak", now.key)), Want: []string{"cert.key-world-readable privkey.pem"}, Says: []string{"0644 keycloak:keycloak"}},
			"open to another group":   {Host: with(owned(copies+"/privkey.pem", 0o640, "keycloak", "users", now.key)), Want: []string{"cert.key-world-readable privkey.pem"}},
			"linked to the lineage":   {Host: with(hosttest.Link(copies+"/fullchain.pem", live+"/fullchain.pem"), owned("/etc/letsencrypt/archive", fs.ModeDir|0o700, "root", "root", nil)), Want: []string{unreadable + "fullchain.pem"}, Says: []string{"/etc/letsencrypt/archive"}},
			"another's key":           {Host: with(owned(copies+"/privkey.pem", 0o600, "keycloak", "keycloak", old.key)), Want: []string{"cert.key-mismatch pair"}, Says: []string{"private key does not match"}},
			"garbled key":             {Host: with(owned(copies+"/privkey.pem", 0o600, "keycloak", "keycloak", []byte(probetest.Secret))), Want: []string{"cert.key-mismatch pair"}},
			"half renewed":            {Host: machine(lineage(now), copied(old.chain, now.key)), Want: []string{"cert.key-mismatch pair"}},
			"old":                     {Host: machine(lineage(now), copied(old.chain, old.key)), Want: []string{"cert.copy-stale pair"}, Says: []string{serial(now.Leaf), serial(old.Leaf)}},
			"without its issuer":      {Host: machine(lineage(now), copied(bare.chain, now.key)), Want: []string{"cert.chain-incomplete fullchain.pem"}, Says: []string{"the certificate alone", "CN=Test Intermediate"}},
			"with more than it needs": {Host: machine(lineage(now), copied(append(bytes.Clone(now.chain), old.chain...), now.key)), Want: []string{"cert.copy-stale fullchain.pem"}, Says: []string{"a chain of 2 certificates"}},
			"the lineage's is worse":  {Host: machine(lineage(&bare), copied(now.chain, now.key))},
			"as the lineage's":        {Host: machine(lineage(&bare), copied(bare.chain, now.key))},
			"no lineage to compare":   {Host: copied(now.chain, now.key)},
			"lineage is not readable": {Host: with(hosttest.Unreadable(live, fs.ErrPermission)), Err: "read the certificate"},
			"links in a circle":       {Host: with(hosttest.Link(copies, "/etc/keycloak/certs")), Err: "too many links"},
		},
	}.Run(t)
}

func TestServed(t *testing.T) {
	a := newAuthority()
	now, old := a.leaf(80*day, name), a.leaf(20*day, name)
	foreign := a.leaf(80*day, "other.example.org")
	on := func(shown *pairOf, more ...[]hosttest.Option) []hosttest.Option {
		return machine(append([][]hosttest.Option{lineage(now), copied(now.chain, now.key), one(serving(tls.VersionTLS13, shown, shown))}, more...)...)
	}
	at := func(code string) string { return code + " " + address }
	probetest.Suite{
		Probe: Served{Address: address, Service: "keycloak", Name: name, File: copies + "/fullchain.pem", Lineage: live + "/fullchain.pem", RenewBefore: 21 * day},
		Cases: map[string]probetest.Case{
			"right":               {Host: on(now)},
			"old one, and ending": {Host: on(old), Want: []string{at("cert.served-stale"), at("cert.expiring")}, Says: []string{serial(now.Leaf), serial(old.Leaf)}},
			"not read yet":        {Host: on(old, one(hosttest.Node(copies+"/fullchain.pem", &host.Node{Mode: 0o640, Data: now.chain, ModTime: hosttest.Noon.Add(-59 * time.Second)})))},
			"another name":        {Host: on(foreign), Want: []string{at("cert.served-stale"), at("cert.name-mismatch")}, Says: []string{"other.example.org"}},
			"what is on disk is ending: not its to tell": {Host: on(old, lineage(old), copied(old.chain, old.key))},
			"nothing on disk":             {Host: one(serving(tls.VersionTLS13, now, now))},
			"nothing on disk, and ending": {Host: one(serving(tls.VersionTLS13, old, old)), Want: []string{at("cert.expiring")}},
			"another's key":               {Host: one(serving(tls.VersionTLS13, now, old)), Want: []string{at("cert.key-mismatch")}, Says: []string{"invalid signature"}},
			"another's key, TLS 1.2":      {Host: one(serving(tls.VersionTLS12, now, old)), Want: []string{at("cert.key-mismatch")}},
			"plain HTTP": {
				Host: one(hosttest.Serve(address, hosttest.Say("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"))), Want: []string{"tls.plain-http keycloak"},
			},
			"something else":  {Host: one(hosttest.Serve(address, hosttest.Say("SSH-2.0-OpenSSH_9.2\r\n"))), Err: "first record does not look like a TLS handshake"},
			"nobody":          {Err: "connection refused"},
			"closes":          {Host: one(hosttest.Serve(address, hosttest.Close)), Err: "look at the certificate"},
			"hangs":           {Host: one(hosttest.Serve(address, hosttest.Hang)), Err: "deadline", Deadline: 200 * time.Millisecond},
			"file unreadable": {Host: on(now, one(hosttest.Unreadable(copies, fs.ErrPermission))), Err: "permission"},
		},
	}.Run(t)
}

func TestHook(t *testing.T) {
	const path, text = "/etc/letsencrypt/renewal-hooks/deploy/20-watchdog-keycloak.sh", "#!/bin/sh\nset -eu\nexit 0\n"
	file := func(mode fs.FileMode, data string) []hosttest.Option {
		return one(owned(path, mode, "root", "root", []byte(data)))
	}
	probetest.Suite{
		Probe: Hook{Path: path, Text: text},
		Cases: map[string]probetest.Case{
			"right":                   {Host: file(0o755, text)},
			"gone":                    {Want: []string{"hook.missing"}},
			"not executable":          {Host: file(0o644, text), Want: []string{"hook.not-executable"}, Says: []string{"0644 root:root"}},
			"edited":                  {Host: file(0o755, "#!/bin/sh\nset -eu\ncurl -u me:"+probetest.Secret+" x\n"), Want: []string{"hook.drift"}, Says: []string{path + ":3", "exit 0"}},
			"longer":                  {Host: file(0o755, text+"reboot\n"), Want: []string{"hook.drift"}, Says: []string{path + ":4"}},
			"emptied, not executable": {Host: file(0o600, ""), Want: []string{"hook.not-executable", "hook.drift"}},
			"a link":                  {Host: one(hosttest.Link(path, "/bin/true")), Want: []string{"hook.drift"}},
			"not readable":            {Host: one(hosttest.Unreadable(path, fs.ErrPermission)), Err: "read the renewal hook"},
		},
	}.Run(t)
}

func TestPort80(t *testing.T) {
	answers := func(status int, header ...string) hosttest.Option {
		return hosttest.Serve("["+public.String()+"]:80", hosttest.HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Host != name || !strings.HasPrefix(r.URL.Path, "/.well-known/acme-challenge/") {
				status = http.StatusTeapot
			}
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
		})))
	}
	rules := func(file string) hosttest.Option {
		data, err := os.ReadFile("../format/nftjson/testdata/" + file + ".json")
		if err != nil {
			t.Fatal(err)
		}
		return hosttest.Output("nft -j list ruleset", string(data))
	}
	webroot := answers(404, "Server", "nginx/1.22.1")
	with := func(opts ...hosttest.Option) []hosttest.Option { return opts }
	blocked := []string{"acme.port-80-blocked"}
	probetest.Suite{
		Probe: Port80{Public: public, Name: name},
		Cases: map[string]probetest.Case{
			"webroot":            {Host: with(webroot, rules("watchdog"))},
			"of a silent server": {Host: with(answers(404), rules("watchdog"))},
			"redirected": {
				Host: with(answers(301, "Server", "nginx/1.22.1", "Location", "https://"+name+"/x"), rules("watchdog")),
				Want: blocked, Says: []string{"301 Moved Permanently to https://" + name},
			},
			"taken by another":        {Host: with(answers(404, "Server", "SimpleHTTP/0.6 Python/3.11.2"), rules("watchdog")), Want: blocked, Says: []string{"from SimpleHTTP"}},
			"nobody":                  {Host: with(rules("watchdog")), Want: blocked, Says: []string{"connection refused"}},
			"filtered":                {Host: with(webroot, rules("no-80")), Want: blocked, Says: []string{"policy drop of chain inet watchdog_edge input"}},
			"both":                    {Host: with(rules("no-80")), Want: blocked, Says: []string{"connection refused", "policy drop"}},
			"filter can't be read":    {Host: with(webroot), Err: "list the packet filter's rules"},
			"filter not understood":   {Host: with(webroot, rules("iptables")), Err: "aren't understood"},
			"hangs":                   {Host: with(hosttest.Serve("["+public.String()+"]:80", hosttest.Hang), rules("watchdog")), Err: "ask for a challenge", Deadline: 200 * time.Millisecond},
			"refused, filter unknown": {Want: blocked},
		},
	}.Run(t)
}
