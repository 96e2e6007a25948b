package lab

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// The archive that `watchdog install` is pinned to, too. The hash was computed
// here over the download and agrees with the .sha256 beside it on Maven Central.
const (
	keycloakVersion = "26.7.0"
	keycloakName    = "keycloak-quarkus-dist-" + keycloakVersion + ".tar.gz"
	keycloakURL     = "https://repo1.maven.org/maven2/org/keycloak/keycloak-quarkus-dist/" + keycloakVersion + "/" + keycloakName
	keycloakSHA256  = "f771df0aa1e4820f57d56f7d6d015beb6415487b43f8de7e5a6d48f8a7fe118a"

	artifactDir = "var/cache/watchdog/artifacts"
)

// keycloakLayer is a directory that is laid over the root file system of idp: the
// archive is in the host without a copy of its 176 MB, yet an ordinary file there.
func (l *Lab) keycloakLayer() string { return l.cached("layers", "keycloak-"+keycloakVersion) }

// fetchKeycloak downloads the archive once and keeps it only if it is the one.
func (l *Lab) fetchKeycloak(ctx context.Context) error {
	dir := filepath.Join(l.keycloakLayer(), artifactDir)
	final := filepath.Join(dir, keycloakName)
	if _, err := os.Stat(final); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make artifact directory: %w", err)
	}
	l.say.line("Keycloak: fetching %s", keycloakURL)
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, 15*time.Minute)
	defer cancel()
	part := filepath.Join(l.cached("layers"), "part-"+l.name)
	defer os.Remove(part)
	sum, err := l.download(ctx, keycloakURL, part)
	if err != nil {
		return fmt.Errorf("fetch Keycloak: %w; when Maven Central cannot be reached, put the file at %s", err, final)
	}
	if sum != keycloakSHA256 {
		return fmt.Errorf("fetch Keycloak: %s has SHA-256 %s, pinned is %s", keycloakURL, sum, keycloakSHA256)
	}
	if err := os.Rename(part, final); err != nil {
		return fmt.Errorf("keep Keycloak: %w", err)
	}
	l.say.line("Keycloak: fetched in %.1f s", time.Since(began).Seconds())
	return nil
}

// download writes a URL to a file and gives the SHA-256 of what it wrote.
func (l *Lab) download(ctx context.Context, url, name string) (sum string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("get %s: %s", url, resp.Status)
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return "", err
	}
	defer f.Close()
	var seen counter
	stop := l.heartbeat("Keycloak", func() string {
		return fmt.Sprintf("%d of %d MB", seen.Load()>>20, resp.ContentLength>>20)
	})
	defer stop()
	h := sha256.New()
	if _, err := io.Copy(io.MultiWriter(f, h, &seen), resp.Body); err != nil {
		return "", fmt.Errorf("read %s: %w", url, err)
	}
	return hex.EncodeToString(h.Sum(nil)), f.Close()
}

type counter struct{ atomic.Int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.Add(int64(len(p)))
	return len(p), nil
}
