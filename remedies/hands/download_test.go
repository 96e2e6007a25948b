package hands

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"watchdog/probes/host/hosttest"
)

// mirror serves an archive by https and counts what it is asked.
func mirror(t *testing.T, serve http.HandlerFunc) (*Hands, string, *httptest.Server, *int) {
	t.Helper()
	config, roots := certificate(t, "127.0.0.1", time.Now())
	asked := new(int)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked++
		serve(w, r)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{Certificates: config.Certificates}
	s.StartTLS()
	t.Cleanup(s.Close)
	root := t.TempDir()
	mkdirs(t, root+"/opt", root+"/var/cache")
	h := hosttest.New()
	h.Roots = roots
	return New(h, Options{Root: root}), root, s, asked
}

func TestUnpackDownloads(t *testing.T) {
	data := pack(t, good...)
	w, root, s, asked := mirror(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/kc" {
			http.Redirect(w, r, "/mirror/kc", http.StatusFound)
			return
		}
		_, _ = w.Write(data)
	})
	a := archive(data)
	a.URL = s.URL + "/kc"
	for _, dir := range []string{"/opt/one", "/opt/two"} {
		if err := w.Unpack(t.Context(), a, dir); err != nil {
			t.Fatal(err)
		}
		if node(t, root+dir+"/bin/kc.sh") == nil {
			t.Errorf("%s is not unpacked", dir)
		}
	}
	if *asked != 2 { // and its redirection
		t.Errorf("the server was asked %d times", *asked)
	}
	if got := strings.Join(names(t, root+artifacts), " "); got != a.Name {
		t.Errorf("among the artifacts there is %s", got)
	}
}

func TestUnpackDownloadRefused(t *testing.T) {
	data := pack(t, good...)
	tests := map[string]struct {
		serve http.HandlerFunc
		want  string
	}{
		"other bytes": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(data[1:]) }, "not the pinned"},
		"not there":   {http.NotFound, "status 404"},
		"not secure": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/kc", http.StatusFound)
		}, "which is not https"},
		"round": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) }, "redirected too often"},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "99999")
			_, _ = w.Write(data)
		}, "unexpected EOF"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w, root, s, _ := mirror(t, tt.serve)
			a := archive(data)
			a.URL = s.URL + "/kc"
			err := w.Unpack(t.Context(), a, "/opt/kc-1")
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), a.URL) {
				t.Errorf("Unpack = %v; want %s", err, tt.want)
			}
			if got := append(names(t, root+artifacts), names(t, root+"/opt")...); len(got) != 0 {
				t.Errorf("left behind: %v", got)
			}
		})
	}
	t.Run("certificate of nobody", func(t *testing.T) {
		w, _, s, asked := mirror(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(data) })
		w.h.Roots = nil
		a := archive(data)
		a.URL = s.URL
		if err := w.Unpack(t.Context(), a, "/opt/kc-1"); err == nil || *asked != 0 {
			t.Errorf("Unpack = %v; want that it is not trusted", err)
		}
	})
}
