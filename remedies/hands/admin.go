package hands

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"watchdog/probes/host"
)

// maxReply bounds what Keycloak may answer, in bytes.
const maxReply = 4 << 20

// realms is where the admin interface has its realms.
const realms = "/admin/realms/"

// Admin implements [remedies.Keycloak].
func (w *Hands) Admin(ctx context.Context, a host.Admin, method, path string, body, reply any) (string, error) {
	if !slices.Contains([]string{http.MethodPost, http.MethodPut, http.MethodDelete}, method) {
		return "", fmt.Errorf("%s %s: not a method that changes a realm", method, path)
	}
	if method == http.MethodDelete && !strings.Contains(path, "/") {
		return "", fmt.Errorf("%s %q: realms are not deleted", method, path)
	}
	if strings.HasPrefix(path, "/") || slices.Contains(strings.Split(path, "/"), "..") || path == "" && method != http.MethodPost {
		return "", fmt.Errorf("%s %q: want a path that begins with a realm's name", method, path)
	}
	data := []byte(nil)
	if body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			return "", fmt.Errorf("%s %s: encode what is sent: %w", method, path, err)
		}
	}
	location, err := w.admin(ctx, a, method, path, data, reply)
	if host.AdminStatus(err) == http.StatusUnauthorized {
		// Nothing was done: a database put back does not know old sessions.
		w.h.AdminForget(a)
		location, err = w.admin(ctx, a, method, path, data, reply)
	}
	return location, err
}

func (w *Hands) admin(ctx context.Context, a host.Admin, method, path string, data []byte, reply any) (string, error) {
	token, err := w.h.AdminToken(ctx, a)
	if err != nil {
		return "", err
	}
	target := strings.TrimSuffix(a.Public+realms+path, "/")
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(data))
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+token.Reveal())
	req.Header.Set("Accept", "application/json")
	if data != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	// A connection of its own: a kept one may be dead, and a request that
	// changes something is not sent twice by guess.
	resp, err := w.h.HTTPClient(a.Dial, req.URL.Hostname(), host.Fresh).Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxReply+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("%s %s: read the answer: %w", method, path, err)
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return "", host.NewAdminError(resp, answer, a)
	case len(answer) > maxReply:
		return "", fmt.Errorf("%s %s: read the answer: more than %d bytes", method, path, maxReply)
	}
	if reply != nil {
		if err := json.Unmarshal(answer, reply); err != nil {
			return "", fmt.Errorf("%s %s: decode the answer: %w", method, path, err)
		}
	}
	return location(resp), nil
}

// location is the path of what was created, as Admin takes it.
func location(resp *http.Response) string {
	u, err := url.Parse(resp.Header.Get("Location"))
	if err != nil {
		return ""
	}
	path, ok := strings.CutPrefix(u.EscapedPath(), realms)
	if !ok {
		return ""
	}
	return path
}
