// Package probetest is the conformance suite that every probe's test runs. It
// checks the expected answer on each made-up machine, and on each of them what
// holds for all probes:
//
//   - a cancelled context ends the look at once, with an error;
//   - the same machine looked at twice gives the same findings;
//   - only declared codes come, and every declared code comes in some case;
//   - each piece of evidence is text of at most 1 KiB, without planted secrets;
//   - no look leaves a goroutine behind;
//   - a machine nothing can be read of gives an error, neither findings nor
//     "well"; a bare machine gives an error or a finding.
//
// A test is a table:
//
//	probetest.Suite{
//		Probe: Ready{Address: "[::1]:9000"},
//		Cases: map[string]probetest.Case{
//			"up":      {Host: []hosttest.Option{hosttest.Serve("[::1]:9000", hosttest.Say(up))}},
//			"nothing": {Want: []string{"keycloak.unreachable"}},
//		},
//	}.Run(t)
//
// The suite counts goroutines, so neither it nor the test around it may be run
// in parallel with others.
package probetest

import (
	"context"
	"strings"
	"testing"
	"time"

	"watchdog/probes"
	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
)

// A Suite is one probe and the machines it is shown.
type Suite struct {
	Probe probes.Probe
	// BareIsWell says why "well" is a true answer on a machine with nothing on
	// it. When empty it is not.
	BareIsWell string
	Cases      map[string]Case
}

// A Case is one made-up machine and the answer it has to get.
type Case struct {
	// Probe is asked in place of the suite's, when not nil: for other fields.
	Probe probes.Probe
	// Host makes the machine. Secrets are planted on it first ([Secret]).
	Host []hosttest.Option
	// Want lists the findings in order, as "code subject", or "code" for one
	// without subject. Empty, with Err empty, means "well".
	Want []string
	// Says lists what summaries and evidence have to contain somewhere.
	Says []string
	// Err is part of the error of a probe that could not look.
	Err string
	// Deadline of a look in place of 2 s, for machines that hang.
	Deadline time.Duration
}

// Secret is part of every secret planted on the machines: each file of
// [host.SecretDir] holds it. Cases plant it wherever else a probe reads
// secrets; no finding and no error may contain it.
const Secret = "planted-7Qx9-secret"

// Secrets is what a case's machine starts with.
func Secrets() []hosttest.Option {
	var opts []hosttest.Option
	for _, name := range []string{"keycloak-db", "keycloak-admin", "keycloak-service"} {
		opts = append(opts, hosttest.Node(host.SecretDir+"/"+name, &host.Node{
			Mode: 0o600, Owner: "root", Group: "root", Data: []byte(Secret + "-" + name), ModTime: hosttest.Noon,
		}))
	}
	return opts
}

// Bounds of the suite: deadline of a look, and the time within which a look
// ends once its context has.
const (
	deadline = 2 * time.Second
	atOnce   = time.Second
)

// Run runs the suite.
func (s Suite) Run(t *testing.T) {
	t.Run("spec", func(t *testing.T) { checkSpec(t, s.Probe.Spec()) })
	t.Run("blind machine", func(t *testing.T) {
		found, err := look(t, s.Probe, hosttest.New(hosttest.Blind()), deadline)
		if err == nil || len(found) > 0 {
			t.Errorf("got findings %v and error %v; want an error alone: nothing can be read there", names(found), err)
		}
		checkError(t, err)
	})
	t.Run("bare machine", func(t *testing.T) {
		found, err := look(t, s.Probe, hosttest.New(), deadline)
		if s.BareIsWell == "" && err == nil && len(found) == 0 {
			t.Error(`got "well"; want an error, or a finding about what is missing`)
		}
		checkFindings(t, s.Probe.Spec(), found)
		checkError(t, err)
	})
	for name, c := range s.Cases {
		t.Run(name, func(t *testing.T) { s.check(t, c) })
	}
	s.checkCovered(t)
}

// check shows the probe one machine, in every way the suite knows.
func (s Suite) check(t *testing.T, c Case) {
	p := s.Probe
	if c.Probe != nil {
		p = c.Probe
	}
	within := deadline
	if c.Deadline > 0 {
		within = c.Deadline
	}
	h := hosttest.New(append(Secrets(), c.Host...)...)

	found, err := look(t, p, h, within)
	compare(t, c, found, err)
	checkFindings(t, p.Spec(), found)
	checkError(t, err)
	checkAgain(t, p, h, within, found, err)
	checkCancelled(t, p, h)
}

// checkCovered wants a case for every declared code: a code that no machine
// brings out is dead, or its test is missing.
func (s Suite) checkCovered(t *testing.T) {
	wanted := map[string]bool{}
	for _, c := range s.Cases {
		for _, w := range c.Want {
			code, _, _ := strings.Cut(w, " ")
			wanted[code] = true
		}
	}
	for _, code := range s.Probe.Spec().Codes {
		if !wanted[string(code)] {
			t.Errorf("no case finds %s, which probe %s declares", code, s.Probe.Spec().ID)
		}
	}
}

// look asks p once, and fails the test when it outlives its deadline.
func look(t *testing.T, p probes.Probe, h *host.Host, within time.Duration) ([]probes.Finding, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	return observe(t, ctx, p, h, within+atOnce)
}

// observe asks p and fails the test at once when there is no answer within
// limit.
func observe(t *testing.T, ctx context.Context, p probes.Probe, h *host.Host, limit time.Duration) ([]probes.Finding, error) {
	t.Helper()
	type answer struct {
		found []probes.Finding
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		found, err := p.Observe(ctx, h)
		answers <- answer{found, err}
	}()
	select {
	case a := <-answers:
		return a.found, a.err
	case <-time.After(limit):
		t.Fatalf("probe %s still looks after %s", p.Spec().ID, limit)
		return nil, nil
	}
}
