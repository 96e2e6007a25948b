package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

const netnsDir = "/run/netns"

// onThread runs f on a thread of its own whose network namespace f may change.
// The thread is given back only if it could be put into its old namespace; one
// that could not stays locked to the ending goroutine, and so dies with it.
func onThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		home, err := netns.Get()
		if err != nil {
			runtime.UnlockOSThread()
			done <- fmt.Errorf("open own network namespace: %w", err)
			return
		}
		defer home.Close()
		err = f()
		back := netns.Set(home)
		if back == nil {
			runtime.UnlockOSThread()
		} else if err == nil {
			err = fmt.Errorf("return to own network namespace: %w", back)
		}
		done <- err
	}()
	return <-done
}

// within runs f in a named network namespace. f must do its system calls on the
// calling goroutine: sockets, /proc/sys/net and started processes follow the thread.
func within(name string, f func() error) error {
	return onThread(func() error {
		target, err := netns.GetFromPath(filepath.Join(netnsDir, name))
		if err != nil {
			return fmt.Errorf("open network namespace %s: %w", name, err)
		}
		defer target.Close()
		if err := netns.Set(target); err != nil {
			return fmt.Errorf("enter network namespace %s: %w", name, err)
		}
		return f()
	})
}

// namespacesAllowed tells whether this process may make network namespaces.
func namespacesAllowed() error {
	return onThread(func() error { return unix.Unshare(unix.CLONE_NEWNET) })
}

// addNamespace makes a network namespace that `ip netns` knows too.
func addNamespace(name string) error {
	err := onThread(func() error {
		h, err := netns.NewNamed(name)
		if err != nil {
			return err
		}
		return h.Close()
	})
	if err != nil {
		return fmt.Errorf("add network namespace %s: %w", name, err)
	}
	return nil
}

// shareNamespaces does what `ip netns add` does before all else: it makes the
// directory of named namespaces a mount of its own, whose changes others see. Were
// that left to somebody else's `ip netns add` while a lab is up, their mount would
// hide ours, and nothing could unmount what is hidden.
func shareNamespaces() error {
	if err := os.MkdirAll(netnsDir, 0o755); err != nil {
		return fmt.Errorf("make %s: %w", netnsDir, err)
	}
	err := unix.Mount("", netnsDir, "", unix.MS_SHARED|unix.MS_REC, "")
	if errors.Is(err, unix.EINVAL) { // no mount yet
		if err = unix.Mount(netnsDir, netnsDir, "", unix.MS_BIND|unix.MS_REC, ""); err == nil {
			err = unix.Mount("", netnsDir, "", unix.MS_SHARED|unix.MS_REC, "")
		}
	}
	if err != nil {
		return fmt.Errorf("share %s: %w", netnsDir, err)
	}
	return nil
}

// removeNamespaces forgets named namespaces; the kernel frees each with its last
// process. The directory's own mount goes when nobody else's namespace is in it.
func removeNamespaces(names []string) error {
	var err error
	for range 5 { // as many mounts may lie over each other
		err = nil
		for _, name := range names {
			err = errors.Join(err, removeNamespace(name))
		}
		if others := otherNamespaces(names); len(others) > 0 {
			if errors.Is(err, unix.EBUSY) {
				err = fmt.Errorf("%w; they were hidden when another program added %s: remove that first", err, strings.Join(others, ", "))
			}
			return err
		}
		if unix.Unmount(netnsDir, 0) != nil {
			break
		}
	}
	_ = os.Remove(netnsDir)
	return err
}

func otherNamespaces(ours []string) []string {
	var others []string
	entries, _ := os.ReadDir(netnsDir)
	for _, e := range entries {
		if !slices.Contains(ours, e.Name()) {
			others = append(others, e.Name())
		}
	}
	return others
}

func removeNamespace(name string) error {
	path := filepath.Join(netnsDir, name)
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("unmount %s: %w", path, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove network namespace: %w", err)
	}
	return nil
}

// setSysctl writes a net.* key of a namespace, named as a path below /proc/sys/net.
func setSysctl(ns, key, value string) error {
	return within(ns, func() error {
		if err := os.WriteFile(filepath.Join("/proc/sys/net", key), []byte(value), 0o644); err != nil {
			return fmt.Errorf("set sysctl net.%s in %s: %w", strings.ReplaceAll(key, "/", "."), ns, err)
		}
		return nil
	})
}

// dialWithin is a DialContext for literal addresses in a namespace.
func dialWithin(ns string) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (conn net.Conn, err error) {
		err = within(ns, func() error {
			var e error
			conn, e = (&net.Dialer{}).DialContext(ctx, network, address)
			return e
		})
		return conn, err
	}
}
