//go:build live

package hands

// Run where systemd is PID 1, as in a host of the lab:
// go test -c -tags live ./remedies/hands, and the binary there as root with
// -test.run Live. The lab's drills prove the same verbs on the real services.

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"watchdog/probes/host/hosttest"
	"watchdog/remedies"
)

// TestServiceLive does all verbs to a unit of its own, where systemd runs.
func TestServiceLive(t *testing.T) {
	const unit, path = "watchdog-hands-test.service", "/run/systemd/system/watchdog-hands-test.service"
	write := func(command string) {
		t.Helper()
		text := "[Service]\nType=exec\nExecStart=" + command + "\nExecReload=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	h := hosttest.New()
	w := New(h, Options{})
	do := func(v remedies.Verb) error {
		if v == remedies.Reread {
			return w.Service(t.Context(), "", v)
		}
		return w.Service(t.Context(), unit, v)
	}
	t.Cleanup(func() {
		_, _ = do(remedies.Stop), do(remedies.Disable)
		_ = os.Remove(path)
		_ = w.Service(context.Background(), "", remedies.Reread)
	})
	write("/bin/sleep 1000")
	for _, v := range []remedies.Verb{
		remedies.Reread, remedies.Unmask, remedies.Enable, remedies.Start, remedies.Reload, remedies.Restart, remedies.Kill,
	} {
		if err := do(v); err != nil {
			t.Fatal(err)
		}
	}
	for range 50 { // until the kill is known
		out, _ := exec.Command("systemctl", "is-failed", unit).Output()
		if strings.TrimSpace(string(out)) == "failed" {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	write("/nonexistent/program")
	for _, v := range []remedies.Verb{remedies.ResetFailed, remedies.Reread, remedies.Disable} {
		if err := do(v); err != nil {
			t.Fatal(err)
		}
	}
	err := do(remedies.Start)
	if err == nil || !strings.Contains(err.Error(), `the job ended as "failed" (the unit is failed, exit-code)`) {
		t.Errorf("start of a broken unit = %v", err)
	}
	err = w.Service(t.Context(), "watchdog-hands-nonesuch.service", remedies.Start)
	if err == nil || !strings.Contains(err.Error(), "not found") {
		t.Errorf("start of no unit = %v", err)
	}
}
