package lab

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// packageProxy lets apt inside the hosts reach the machine's own registries and
// nothing else, and keeps what cannot change: packages, and lists named by hash.
type packageProxy struct {
	allowed map[string]string // host as in the machine's sources, and the scheme to use
	cache   string
	client  *http.Client
	log     *log.Logger
}

// newPackageProxy connects from the namespace of the calling process, whatever
// namespace it is listened in.
func newPackageProxy(allowed map[string]string, cache string, upstream *url.URL, logger *log.Logger) *packageProxy {
	through := http.ProxyFromEnvironment
	if upstream != nil {
		through = http.ProxyURL(upstream)
	}
	return &packageProxy{allowed: allowed, cache: cache, log: logger, client: &http.Client{
		Transport: &http.Transport{
			Proxy: through, DisableCompression: true, MaxIdleConnsPerHost: 8, IdleConnTimeout: 30 * time.Second,
			DialContext:           (&net.Dialer{Timeout: 15 * time.Second}).DialContext,
			TLSHandshakeTimeout:   15 * time.Second,
			ResponseHeaderTimeout: 60 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// ServeHTTP implements http.Handler.
func (p *packageProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	scheme, ok := p.allowed[r.URL.Host]
	switch {
	case r.Method == http.MethodConnect:
		http.Error(w, "this proxy makes no tunnels", http.StatusForbidden)
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		http.Error(w, "this proxy only fetches", http.StatusMethodNotAllowed)
		return
	case !ok || r.URL.Scheme != "http":
		http.Error(w, "this proxy serves only the machine's package sources, not "+r.URL.Host, http.StatusForbidden)
		return
	}
	final := immutable(r.URL.Path)
	if final {
		if name, ok := p.find(r.URL); ok {
			http.ServeFile(w, withoutQuery(r), name)
			return
		}
	}
	if err := p.fetch(w, r, scheme, final); err != nil {
		p.log.Printf("package proxy: %s: %v", r.URL, err)
	}
}

// immutable tells paths whose content never changes from those it may.
func immutable(name string) bool {
	return strings.HasSuffix(name, ".deb") || strings.Contains(name, "/by-hash/")
}

// withoutQuery keeps http.ServeFile from redirecting by what the path looks like.
func withoutQuery(r *http.Request) *http.Request {
	c := r.Clone(r.Context())
	c.URL = &url.URL{Path: "/package"}
	return c
}

// slot is the place of a URL in the cache; the file in it is named by its size,
// so that a torn copy is known as one.
func (p *packageProxy) slot(u *url.URL) string {
	host := strings.ReplaceAll(u.Host, ":", "_")
	return filepath.Join(p.cache, host, filepath.FromSlash(path.Clean("/"+u.Path)))
}

func (p *packageProxy) find(u *url.URL) (name string, ok bool) {
	entries, err := os.ReadDir(p.slot(u))
	if err != nil {
		return "", false
	}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() && e.Name() == strconv.FormatInt(info.Size(), 10) {
			return filepath.Join(p.slot(u), e.Name()), true
		}
	}
	return "", false
}

func (p *packageProxy) fetch(w http.ResponseWriter, r *http.Request, scheme string, final bool) error {
	u := *r.URL
	u.Scheme = scheme
	req, err := http.NewRequestWithContext(r.Context(), r.Method, u.String(), nil)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return err
	}
	for _, h := range []string{"Accept", "User-Agent", "Cache-Control", "If-Modified-Since", "If-None-Match", "Range", "If-Range"} {
		// What is kept is fetched whole.
		if v := r.Header.Get(h); v != "" && !(final && (h == "Range" || h == "If-Range")) {
			req.Header.Set(h, v)
		}
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return p.stale(w, r, err)
	}
	defer resp.Body.Close()
	for _, h := range []string{"Content-Type", "Content-Length", "Content-Range", "Last-Modified", "ETag", "Location", "Accept-Ranges"} {
		if v := resp.Header.Get(h); v != "" {
			w.Header().Set(h, v)
		}
	}
	w.WriteHeader(resp.StatusCode)
	if r.Method == http.MethodHead {
		return nil
	}
	if resp.StatusCode != http.StatusOK || resp.ContentLength < 0 {
		_, err = io.Copy(w, resp.Body)
		return err
	}
	return p.keep(w, r.URL, resp)
}

// stale answers with the last copy of a list when the registry cannot be reached:
// a warm lab needs no network.
func (p *packageProxy) stale(w http.ResponseWriter, r *http.Request, cause error) error {
	if name, ok := p.find(r.URL); ok {
		http.ServeFile(w, withoutQuery(r), name)
		return fmt.Errorf("serve the copy in the cache: %w", cause)
	}
	http.Error(w, "reach the registry: "+cause.Error(), http.StatusBadGateway)
	return cause
}

// keep passes the body on and into the cache.
func (p *packageProxy) keep(w io.Writer, u *url.URL, resp *http.Response) error {
	dir := p.slot(u)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		_, copied := io.Copy(w, resp.Body)
		return errors.Join(err, copied)
	}
	f, err := os.CreateTemp(dir, ".part-")
	if err != nil {
		_, copied := io.Copy(w, resp.Body)
		return errors.Join(err, copied)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	n, err := io.Copy(io.MultiWriter(w, f), resp.Body)
	if err != nil {
		return err
	}
	if n != resp.ContentLength {
		return fmt.Errorf("got %d of %d bytes", n, resp.ContentLength)
	}
	size := strconv.FormatInt(n, 10)
	old, _ := os.ReadDir(dir)
	if err := errors.Join(f.Close(), os.Rename(f.Name(), filepath.Join(dir, size))); err != nil {
		return err
	}
	// A list that changed its size leaves only its newest copy.
	for _, e := range old {
		if e.Name() != size && !strings.HasPrefix(e.Name(), ".part-") {
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
	return nil
}
