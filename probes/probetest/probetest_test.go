package probetest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"watchdog/probes"
	"watchdog/probes/host"
	"watchdog/probes/host/hosttest"
)

// A fake is a probe that answers as told. Zero, it reads one file.
type fake struct {
	observe func(ctx context.Context, h *host.Host) ([]probes.Finding, error)
	codes   []probes.Code
}

func (f fake) Spec() probes.Spec {
	s := probes.Spec{ID: "test.file", Summary: "one file", Codes: []probes.Code{"test.wrong"}, Every: time.Second, Timeout: time.Second}
	s.Codes = append(s.Codes, f.codes...)
	return s
}

func (f fake) Observe(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
	if f.observe != nil {
		return f.observe(ctx, h)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	data, err := h.FS.ReadFile("/etc/test")
	if err != nil {
		return nil, err
	}
	if string(data) == "right" {
		return nil, nil
	}
	return []probes.Finding{wrong("got it")}, nil
}

func wrong(got string) probes.Finding {
	return probes.Finding{Code: "test.wrong", Subject: "x", Summary: "it is wrong", Evidence: []probes.Evidence{{Source: "/etc/test", Got: got}}}
}

// always answers with f, whatever the machine and the context.
func always(f ...probes.Finding) func(context.Context, *host.Host) ([]probes.Finding, error) {
	return func(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
		return f, nil
	}
}

// onFile answers with f where the file is readable and the context is not over.
func onFile(f func() []probes.Finding) func(context.Context, *host.Host) ([]probes.Finding, error) {
	return func(ctx context.Context, h *host.Host) ([]probes.Finding, error) {
		if _, err := h.FS.ReadFile("/etc/test"); err != nil || ctx.Err() != nil {
			return nil, errors.Join(err, ctx.Err())
		}
		return f(), nil
	}
}

func suite(p probes.Probe) Suite {
	return Suite{Probe: p, Cases: map[string]Case{
		"wrong": {Host: []hosttest.Option{hosttest.File("/etc/test", "left")}, Want: []string{"test.wrong x"}, Says: []string{"got it"}},
	}}
}

func TestGoodProbePasses(t *testing.T) {
	s := suite(fake{})
	s.Cases["right"] = Case{Host: []hosttest.Option{hosttest.File("/etc/test", "right")}}
	s.Cases["none"] = Case{Err: "/etc/test"}
	s.Run(t)
}

// bad holds probes that each break one rule, and what the suite says of it.
var bad = map[string]struct {
	suite Suite
	says  string
}{
	"says well on a blind machine": {suite(fake{observe: always()}), "nothing can be read there"},
	"finds on a blind machine":     {suite(fake{observe: always(wrong("got it"))}), "nothing can be read there"},
	"deaf to its context": {suite(fake{observe: func(context.Context, *host.Host) ([]probes.Finding, error) {
		select {}
	}}), "still looks after"},
	"an answer after the end": {suite(fake{observe: func(_ context.Context, h *host.Host) ([]probes.Finding, error) {
		return fake{}.Observe(context.Background(), h)
	}}), "with a cancelled context"},
	"undeclared code": {suite(fake{observe: onFile(func() []probes.Finding {
		f := wrong("got it")
		f.Code = "test.other"
		return []probes.Finding{f}
	})}), "is not declared"},
	"code without a case": {suite(fake{codes: []probes.Code{"test.never"}}), "no case finds test.never"},
	"another answer each time": {suite(fake{observe: onFile(func() []probes.Finding {
		return []probes.Finding{wrong("got it at " + time.Now().String())}
	})}), "a second look finds something else"},
	"long evidence": {suite(fake{observe: onFile(func() []probes.Finding {
		return []probes.Finding{wrong("got it" + strings.Repeat("x", maxEvidence))}
	})}), "at most 1024"},
	"no evidence": {suite(fake{observe: onFile(func() []probes.Finding {
		f := wrong("")
		f.Evidence = nil
		return []probes.Finding{f}
	})}), "no evidence"},
	"a secret in evidence": {suite(fake{observe: onFile(func() []probes.Finding {
		return []probes.Finding{wrong("got it: " + Secret)}
	})}), "hold a secret"},
	"a goroutine left": {suite(fake{observe: onFile(func() []probes.Finding {
		go func() { select {} }()
		return []probes.Finding{wrong("got it")}
	})}), "found unexpected goroutines"},
	"not the wanted finding": {Suite{Probe: fake{}, Cases: map[string]Case{
		"wrong": {Host: []hosttest.Option{hosttest.File("/etc/test", "right")}, Want: []string{"test.wrong x"}},
	}}, "findings (-want +got)"},
}

// TestBadProbesFail runs the suite on each bad probe in a process of its own,
// which has to fail and to say why.
func TestBadProbesFail(t *testing.T) {
	const name = "PROBETEST_BAD"
	if b, ok := bad[os.Getenv(name)]; ok {
		b.suite.Run(t)
		return
	}
	for n, b := range bad {
		t.Run(n, func(t *testing.T) {
			c := exec.Command(os.Args[0], "-test.run=^TestBadProbesFail$", "-test.v")
			c.Env = append(os.Environ(), name+"="+n)
			out, err := c.CombinedOutput()
			if err == nil {
				t.Errorf("the suite passed; want it to say %q:\n%s", b.says, out)
			}
			if !strings.Contains(string(out), b.says) {
				t.Errorf("the suite doesn't say %q:\n%s", b.says, out)
			}
		})
	}
}
