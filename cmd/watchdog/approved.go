package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"

	"watchdog/rules"
)

// approvedMost bounds the file of approvals, in bytes.
const approvedMost = 1 << 20

// readApproved reads the approvals that still count. A file that can't be read,
// or that is not root's alone, approves nothing; that there is none is no error.
func readApproved(path string, now time.Time) (map[rules.Ref]rules.Approval, error) {
	// Without O_NONBLOCK opening a pipe would wait for its writer.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil, nil // without root nothing is done either
	}
	if err != nil {
		return nil, fmt.Errorf("read approvals: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read approvals: %w", err)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o022 != 0 {
		return nil, fmt.Errorf("read approvals: %s is %s; others may have written it", path, info.Mode())
	}
	data, err := io.ReadAll(io.LimitReader(f, approvedMost))
	if err != nil {
		return nil, fmt.Errorf("read approvals: %w", err)
	}
	var written map[string]rules.Approval
	if err := json.Unmarshal(data, &written); err != nil {
		return nil, fmt.Errorf("read approvals in %s: %w", path, err)
	}
	out := map[rules.Ref]rules.Approval{}
	for fault, a := range written {
		if age := now.Sub(a.At); age <= rules.ApprovalLasts && age >= -clockSlack {
			out[rules.ParseRef(fault)] = a
		}
	}
	return out, nil
}

// clockSlack is how far ahead of the clock an approval may be: one that is
// further was given before the clock was set back, and would count for too long.
const clockSlack = time.Minute

// writeApproved adds an approval to those that still count.
func writeApproved(path string, fault rules.Ref, yes rules.Approval) error {
	known, err := readApproved(path, yes.At)
	if err != nil { // it approves nothing: nothing is lost with it
		known = nil
	}
	written := map[string]rules.Approval{fault.String(): yes}
	for ref, a := range known {
		if ref != fault {
			written[ref.String()] = a
		}
	}
	data, err := json.MarshalIndent(written, "", "  ")
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err == nil {
		err = renameio.WriteFile(path, append(data, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("write approval: %w", err)
	}
	return nil
}
