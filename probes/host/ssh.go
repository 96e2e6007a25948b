package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
)

// SSHPorts finds the TCP ports by which people reach this machine: those of
// sshd's configuration and those that an sshd of root's listens on, loopback
// aside, in order. Too many are a smaller harm here than one too few. Those who
// judge the firewall and those who write it both go by it.
func (h *Host) SSHPorts(ctx context.Context) ([]uint16, error) {
	ports, err := h.configuredSSH(ctx)
	if err != nil {
		return nil, err
	}
	listeners, err := h.Net.Listeners(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for sshd: %w", err)
	}
	for _, l := range listeners {
		if l.Program != "sshd" || l.PID == 0 || l.Addr.Addr().IsLoopback() {
			continue
		}
		// Anybody may call a program sshd; only root's opens the firewall.
		n, err := h.FS.Node("/proc/" + strconv.Itoa(l.PID))
		if err != nil {
			return nil, err
		}
		if n != nil && n.Owner == "root" {
			ports = append(ports, l.Addr.Port())
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports), nil
}

const sshdConfig = "/etc/ssh/sshd_config"

// configuredSSH asks sshd itself, which does not answer before it has been
// started once; then its files are read. Without sshd there are none.
func (h *Host) configuredSSH(ctx context.Context) ([]uint16, error) {
	out, err := h.Exec.Run(ctx, "sshd", "-T")
	if err == nil {
		return listenLines(string(out))
	}
	if ctx.Err() != nil {
		return nil, err
	}
	files := []string{sshdConfig}
	names, err := h.FS.ReadDir(sshdConfig + ".d")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, name := range names {
		if path.Ext(name) == ".conf" {
			files = append(files, sshdConfig+".d/"+name)
		}
	}
	var ports []uint16
	for i, name := range files {
		data, err := h.FS.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) && i == 0 {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		ports = append(ports, portLines(string(data))...)
	}
	if len(ports) == 0 {
		ports = []uint16{22}
	}
	return ports, nil
}

// listenLines reads where sshd -T says that it listens.
func listenLines(text string) ([]uint16, error) {
	var ports []uint16
	for l := range strings.Lines(text) {
		address, ok := strings.CutPrefix(strings.TrimSpace(l), "listenaddress ")
		if !ok {
			continue
		}
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return nil, fmt.Errorf("read sshd -T: listenaddress %q: %w", address, err)
		}
		if !at.Addr().IsLoopback() {
			ports = append(ports, at.Port())
		}
	}
	return ports, nil
}

// portLines reads the Port keywords of sshd_config(5), and the ports that
// ListenAddress lines may give.
func portLines(text string) []uint16 {
	var ports []uint16
	for l := range strings.Lines(text) {
		w := strings.Fields(strings.Replace(l, "=", " ", 1))
		if len(w) < 2 {
			continue
		}
		number := ""
		switch strings.ToLower(w[0]) {
		case "port":
			number = w[1]
		case "listenaddress":
			if i := strings.LastIndexByte(w[1], ':'); i >= 0 && (w[1][0] == '[' || strings.Count(w[1], ":") == 1) {
				number = w[1][i+1:]
			}
		}
		if n, err := strconv.ParseUint(number, 10, 16); err == nil && n != 0 {
			ports = append(ports, uint16(n))
		}
	}
	return ports
}
