package probes_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"syscall"
	"testing"

	"watchdog/probes"
)

func TestHowConnectionsEnd(t *testing.T) {
	system := func(op string, e syscall.Errno) error {
		return &net.OpError{Op: op, Net: "tcp6", Err: os.NewSyscallError(op, e)}
	}
	for _, c := range []struct {
		err               error
		late, unreachable bool
		ending            string // empty for err's own words
	}{
		{system("connect", syscall.ECONNREFUSED), false, true, ""},
		{system("connect", syscall.ENETUNREACH), false, true, ""},
		{system("connect", syscall.EPERM), false, true, ""}, // a firewall's reject of what goes out
		{system("connect", syscall.ETIMEDOUT), true, false, ""},
		{system("socket", syscall.EMFILE), false, false, ""},
		{system("read", syscall.ECONNRESET), false, true, "closes the connection"},
		{fmt.Errorf("handshake: %w", system("write", syscall.EPIPE)), false, false, "closes the connection"},
		{&url.Error{Op: "Get", URL: "https://[::1]/", Err: io.EOF}, false, false, "closes the connection"},
		{io.ErrUnexpectedEOF, false, false, "closes the connection"},
		{&net.OpError{Op: "read", Net: "tcp6", Err: os.ErrDeadlineExceeded}, true, false, ""},
		{&url.Error{Op: "Get", URL: "https://[::1]/", Err: fmt.Errorf("wait: %w", context.DeadlineExceeded)}, true, false, ""},
		{context.Canceled, false, false, ""},
		{tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, false, false, ""},
		{errors.New("two\nlines"), false, false, "two lines"},
	} {
		want := c.ending
		if want == "" {
			want = c.err.Error()
		}
		if late, no, ending := probes.Late(c.err), probes.Unreachable(c.err), probes.Ending(c.err); late != c.late || no != c.unreachable || ending != want {
			t.Errorf("%v: late %t, unreachable %t, %q; want %t, %t, %q", c.err, late, no, ending, c.late, c.unreachable, want)
		}
	}
}
