package hands

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"time"

	"golang.org/x/sys/unix"

	"watchdog/remedies"
)

// maxDownload bounds an archive, in bytes; firstByte is how long a server may
// think before it sends one.
const (
	maxDownload = 1 << 30
	firstByte   = 30 * time.Second
)

// download gets an archive into the artifact directory, where it appears whole
// and verified or not at all, and opens it.
func (w *Hands) download(ctx context.Context, a remedies.Archive, want []byte) (*os.File, error) {
	dir := w.path(artifacts)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	part := path.Join(dir, "."+a.Name+".part")
	os.Remove(part) // of a run that was killed
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o644)
	if err != nil {
		return nil, err
	}
	if err = w.fetch(ctx, a, want, f); err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(part, path.Join(dir, a.Name))
	}
	if err == nil {
		err = rewind(f)
	}
	if err != nil {
		f.Close()
		os.Remove(part)
		return nil, fmt.Errorf("download %s: %w (or put it into %s by hand)", a.URL, err, artifacts)
	}
	return f, nil
}

// fetch writes what the archive's address gives into f, and verifies it.
func (w *Hands) fetch(ctx context.Context, a remedies.Archive, want []byte, f io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL, nil)
	if err != nil {
		return err
	}
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		TLSClientConfig:       &tls.Config{RootCAs: w.h.Roots},
		TLSHandshakeTimeout:   firstByte,
		ResponseHeaderTimeout: firstByte,
		DisableCompression:    true,
		ForceAttemptHTTP2:     true,
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: secureRedirect}
	resp, err := client.Do(req)
	if err != nil {
		return errors.Unwrap(err) // its address is in ours
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", resp.Status)
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum), io.LimitReader(resp.Body, maxDownload+1))
	switch {
	case err != nil:
		return err
	case n > maxDownload:
		return fmt.Errorf("it is larger than %d MiB", maxDownload>>20)
	}
	return verify(sum, want)
}

// secureRedirect follows a few steps to a mirror, by https only.
func secureRedirect(req *http.Request, via []*http.Request) error {
	switch {
	case req.URL.Scheme != "https":
		return fmt.Errorf("redirected to %s, which is not https", req.URL)
	case len(via) >= 5:
		return errors.New("redirected too often")
	}
	return nil
}
