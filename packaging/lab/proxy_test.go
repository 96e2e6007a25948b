package lab

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// registry is a package registry behind a proxy; hits counts what reaches it.
type registry struct {
	*httptest.Server
	hits  atomic.Int32
	cache string
	get   func(method, url string, header ...string) (int, string)
}

func newRegistry(t *testing.T) *registry {
	r := &registry{cache: t.TempDir()}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.hits.Add(1)
		switch {
		case strings.HasSuffix(q.URL.Path, "torn.deb"):
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "half")
		case strings.HasSuffix(q.URL.Path, "gone.deb"):
			http.NotFound(w, q)
		case strings.HasSuffix(q.URL.Path, "moved"):
			http.Redirect(w, q, "http://elsewhere.example/", http.StatusFound)
		default:
			body := fmt.Sprintf("%s %s range=%s", q.Method, q.URL.Path, q.Header.Get("Range"))
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
			io.WriteString(w, body)
		}
	}))
	t.Cleanup(r.Server.Close)
	host := strings.TrimPrefix(r.URL, "http://")
	proxy := httptest.NewServer(newPackageProxy(map[string]string{host: "http"}, r.cache, nil, log.New(io.Discard, "", 0)))
	t.Cleanup(proxy.Close)
	through, _ := url.Parse(proxy.URL)
	transport := &http.Transport{Proxy: http.ProxyURL(through), DisableKeepAlives: true}
	c := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r.get = func(method, url string, header ...string) (int, string) {
		t.Helper()
		req, err := http.NewRequest(method, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+1 < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body)
	}
	return r
}

func TestProxyAllows(t *testing.T) {
	r := newRegistry(t)
	for _, c := range []struct {
		method, url string
		code        int
	}{
		{"GET", r.URL + "/debian/dists/bookworm/InRelease", 200},
		{"HEAD", r.URL + "/debian/dists/bookworm/InRelease", 200},
		{"GET", r.URL + "/debian/pool/gone.deb", 404},
		{"GET", r.URL + "/moved", 302},
		{"POST", r.URL + "/debian/x", 405},
		{"PUT", r.URL + "/debian/x", 405},
		{"GET", "http://example.org/debian/x.deb", 403},
		{"GET", "http://127.0.0.1:1/x.deb", 403},
		{"GET", "http://localhost/x.deb", 403},
	} {
		if code, body := r.get(c.method, c.url); code != c.code {
			t.Errorf("%s %s: %d %s, want %d", c.method, c.url, code, body, c.code)
		}
	}
	// A tunnel is refused even to a host that is allowed.
	proxy := httptest.NewServer(newPackageProxy(map[string]string{"deb.example:443": "https"}, t.TempDir(), nil, log.New(io.Discard, "", 0)))
	defer proxy.Close()
	conn, err := net.Dial("tcp", proxy.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "CONNECT deb.example:443 HTTP/1.1\r\nHost: deb.example:443\r\nConnection: close\r\n\r\n")
	answer, _ := io.ReadAll(conn)
	if !strings.HasPrefix(string(answer), "HTTP/1.1 403 ") {
		t.Errorf("CONNECT: %q", answer)
	}
}

func TestProxyKeepsPackages(t *testing.T) {
	r := newRegistry(t)
	deb := r.URL + "/debian/pool/main/n/nginx/nginx_1%3a2_amd64.deb"
	_, first := r.get("GET", deb, "Range", "bytes=3-")
	if strings.Contains(first, "bytes") {
		t.Errorf("asked the registry for a part: %q", first)
	}
	hits := r.hits.Load()
	if code, again := r.get("GET", deb); code != 200 || again != first || r.hits.Load() != hits {
		t.Errorf("second: %d %q, %d more hits", code, again, r.hits.Load()-hits)
	}
	if code, part := r.get("GET", deb, "Range", "bytes=4-"); code != 206 || part != first[4:] {
		t.Errorf("part from the cache: %d %q", code, part)
	}
	// A copy that is not of its size is none.
	var kept string
	filepath.WalkDir(r.cache, func(path string, d os.DirEntry, _ error) error {
		if !d.IsDir() {
			kept = path
		}
		return nil
	})
	if err := os.WriteFile(kept, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, again := r.get("GET", deb); again != first || r.hits.Load() != hits+1 {
		t.Errorf("torn copy: %q, %d more hits", again, r.hits.Load()-hits)
	}
}

func TestProxyKeepsNothingTorn(t *testing.T) {
	r := newRegistry(t)
	for range 2 {
		before := r.hits.Load()
		r.get("GET", r.URL+"/torn.deb")
		r.get("GET", r.URL+"/gone.deb")
		if n := r.hits.Load() - before; n != 2 {
			t.Errorf("%d hits, want 2: a torn or missing package was kept", n)
		}
	}
}

func TestProxyServesListsWithoutNetwork(t *testing.T) {
	r := newRegistry(t)
	list := r.URL + "/debian/dists/bookworm/InRelease"
	_, first := r.get("GET", list)
	if _, again := r.get("GET", list); again != first || r.hits.Load() != 2 {
		t.Errorf("a list must be asked for each time: %d hits", r.hits.Load())
	}
	r.Server.Close()
	if code, again := r.get("GET", list); code != 200 || again != first {
		t.Errorf("without network: %d %q", code, again)
	}
	if code, _ := r.get("GET", r.URL+"/debian/dists/other"); code != 502 {
		t.Errorf("never seen, without network: %d", code)
	}
}

func TestProxyCachePaths(t *testing.T) {
	p := newPackageProxy(nil, "/cache", nil, nil)
	for _, path := range []string{"/../../etc/passwd.deb", "/a/../../b.deb", "//x.deb"} {
		if slot := p.slot(&url.URL{Host: "h:80", Path: path}); !strings.HasPrefix(slot, "/cache/h_80/") {
			t.Errorf("%s: %s", path, slot)
		}
	}
}
