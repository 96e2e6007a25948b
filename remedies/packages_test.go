package remedies_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"watchdog/probes/host/hosttest"
	"watchdog/remedies"
	"watchdog/remedies/remedytest"
)

const dpkg = "Package: nginx-light\nStatus: install ok installed\n\nPackage: certbot\nStatus: deinstall ok config-files\n\n"

func TestPackageSet(t *testing.T) {
	const policy, status = "/usr/sbin/policy-rc.d", "/var/lib/dpkg/status"
	r := remedies.PackageSet{Uses: []string{"postgresql", "nginx", "certbot"}}
	installs := []string{"packages-repair", "packages-update", "packages-install postgresql libnginx-mod-stream certbot"}
	m := remedytest.New(hosttest.File(status, dpkg), hosttest.Dir("/usr/sbin"))
	held, fails := "", error(nil)
	m.Handle("packages-install", func(c remedies.Command) ([]byte, error) {
		held = content(m, policy)
		all := dpkg
		for _, p := range c.Args {
			all += "Package: " + p + "\nStatus: install ok installed\n\n"
		}
		if fails == nil {
			m.Change(hosttest.File(status, all))
		}
		return nil, fails
	})
	same(t, "done", installs, mend(t, r, m))
	if !strings.HasSuffix(held, "\nexit 101\n") {
		t.Errorf("while packages were installed, services were started by the policy:\n%s", held)
	}
	same(t, policy, "(none)", content(m, policy))
	again(t, r, m)
	left := hosttest.Node(policy, remedies.File([]byte(held), "root", "root", 0o755))

	t.Run("what a killed run left goes", func(t *testing.T) {
		m.Change(left)
		same(t, "done", []string(nil), mend(t, r, m))
		same(t, policy, "(none)", content(m, policy))
	})
	t.Run("and is not in the way of the next", func(t *testing.T) {
		m.Change(left, hosttest.File(status, dpkg))
		same(t, "done", installs, mend(t, r, m))
		same(t, policy, "(none)", content(m, policy))
	})
	t.Run("a policy of somebody else's stays", func(t *testing.T) {
		const theirs = "#!/bin/sh\nexit 0\n"
		m.Change(hosttest.File(policy, theirs), hosttest.File(status, dpkg))
		mend(t, r, m)
		same(t, "while installing", theirs, held)
		same(t, policy, theirs, content(m, policy))
		m.Set(policy, nil)
	})
	t.Run("a failure leaves no policy", func(t *testing.T) {
		m.Change(hosttest.File(status, dpkg))
		fails = errNo
		_, err := tryMend(t, r, m)
		if !errors.Is(err, errNo) || !strings.Contains(err.Error(), "install packages postgresql, libnginx-mod-stream, certbot") {
			t.Errorf("applied with error %v", err)
		}
		same(t, policy, "(none)", content(m, policy))
	})
}

// TestPackagesAfterAKill: what a killed dpkg left half configured is finished
// before anything else, or apt would refuse all, and services do not start
// meanwhile either.
func TestPackagesAfterAKill(t *testing.T) {
	const policy, status = "/usr/sbin/policy-rc.d", "/var/lib/dpkg/status"
	const half = "Package: certbot\nStatus: install ok half-configured\n\n"
	whole := strings.Replace(half, "half-configured", "installed", 1)
	r := remedies.PackageSet{Uses: []string{"nginx", "certbot"}}
	broken := func(repair error) *remedytest.Machine {
		m := remedytest.New(hosttest.File(status, half), hosttest.Dir("/usr/sbin"))
		m.Handle("packages-repair", func(remedies.Command) ([]byte, error) {
			if !strings.HasSuffix(content(m, policy), "\nexit 101\n") {
				t.Error("services are started while packages are configured")
			}
			if repair == nil {
				m.Change(hosttest.File(status, whole))
			}
			return nil, repair
		})
		m.Handle("packages-install", func(c remedies.Command) ([]byte, error) {
			now := content(m, status)
			if now != whole {
				return nil, errors.New("dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem")
			}
			for _, p := range c.Args {
				if p != "certbot" {
					now += "Package: " + p + "\nStatus: install ok installed\n\n"
				}
			}
			m.Change(hosttest.File(status, now))
			return nil, nil
		})
		return m
	}
	m := broken(nil)
	did := mend(t, r, m)
	var order []string
	for _, call := range did {
		name, _, _ := strings.Cut(call, " ")
		order = append(order, name)
	}
	same(t, "order", []string{"packages-repair", "packages-update", "packages-install"}, order)
	same(t, policy, "(none)", content(m, policy))
	again(t, r, m)

	m = broken(errNo)
	did, err := tryMend(t, r, m)
	if !errors.Is(err, errNo) {
		t.Errorf("applied with error %v, want that packages can't be repaired", err)
	}
	same(t, "done", []string{"packages-repair"}, slices.Compact(did))
	same(t, policy, "(none)", content(m, policy))
}
