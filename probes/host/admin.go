package host

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// An Admin reaches one realm's admin REST interface as a service account. It
// dials the listener on the loopback, so that healing needs no DNS and no edge,
// and asks for the public name, so that the certificate is still checked.
type Admin struct {
	Public string // https://idp.example.org, as in the issuer
	Dial   string // "[::1]:8443"
	Realm  string // where the client lives and whose tokens it gets: "breath", "master"
	Client string
	Secret Secret
}

// An AdminError is an answer that was not the one asked for.
type AdminError struct {
	Status       int
	Method, Path string // Path is that of the URL
	Body         string // its first 512 bytes
}

func (e *AdminError) Error() string {
	return fmt.Sprintf("%s %s: status %d: %s", e.Method, e.Path, e.Status, e.Body)
}

// Bounds of what Keycloak may answer, in bytes: a reply, and the part of an
// error's text that is kept.
const (
	maxReply     = 4 << 20
	maxErrorBody = 512
)

// tokenSlack is how long before its end a token is no longer used: the request
// it is for must still arrive.
const tokenSlack = 10 * time.Second

type adminToken struct {
	token Secret
	until time.Time
}

// AdminToken returns an access token of a's service account, by the client
// credentials grant. It is kept until shortly before it expires. A refusal is
// an [*AdminError].
func (h *Host) AdminToken(ctx context.Context, a Admin) (Secret, error) {
	now := h.Now()
	h.web.Lock()
	t, ok := h.tokens[a]
	h.web.Unlock()
	if ok && now.Before(t.until) {
		return t.token, nil
	}
	form := url.Values{
		"grant_type":    {"client_credentials"},
		"client_id":     {a.Client},
		"client_secret": {a.Secret.Reveal()},
	}
	path := "/realms/" + url.PathEscape(a.Realm) + "/protocol/openid-connect/token"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.Public+path, strings.NewReader(form.Encode()))
	if err != nil {
		return Secret{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var reply struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"` // seconds
	}
	if err := h.adminDo(req, a, &reply); err != nil {
		return Secret{}, fmt.Errorf("get a token for %s in realm %s: %w", a.Client, a.Realm, err)
	}
	if reply.AccessToken == "" {
		return Secret{}, fmt.Errorf("get a token for %s in realm %s: the answer has none", a.Client, a.Realm)
	}
	t = adminToken{NewSecret(reply.AccessToken), now.Add(time.Duration(reply.ExpiresIn)*time.Second - tokenSlack)}
	h.web.Lock()
	defer h.web.Unlock()
	for k, old := range h.tokens {
		if !now.Before(old.until) {
			delete(h.tokens, k)
		}
	}
	if h.tokens == nil {
		h.tokens = map[Admin]adminToken{}
	}
	h.tokens[a] = t
	return t.token, nil
}

// AdminForget drops a's kept token. Whoever is told 401 with it calls this
// before trying once more: a database put back does not know old sessions.
func (h *Host) AdminForget(a Admin) {
	h.web.Lock()
	defer h.web.Unlock()
	delete(h.tokens, a)
}

// AdminGet decodes the answer to GET /admin/realms/<path> into reply. Path
// begins with a realm's name ("breath/clients?clientId=x"). Any status but 200
// is an [*AdminError]; after a 401 it asks once more with a new token.
func (h *Host) AdminGet(ctx context.Context, a Admin, path string, reply any) error {
	for again := true; ; again = false {
		token, err := h.AdminToken(ctx, a)
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.Public+"/admin/realms/"+path, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+token.Reveal())
		err = h.adminDo(req, a, reply)
		if !again || AdminStatus(err) != http.StatusUnauthorized {
			return err
		}
		h.AdminForget(a)
	}
}

func (h *Host) adminDo(req *http.Request, a Admin, reply any) error {
	req.Header.Set("Accept", "application/json")
	resp, err := h.HTTPClient(a.Dial, req.URL.Hostname(), Kept).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply+1))
	switch {
	case err != nil:
		return fmt.Errorf("%s %s: read the answer: %w", req.Method, req.URL.Path, err)
	case resp.StatusCode != http.StatusOK:
		return NewAdminError(resp, body, a)
	case len(body) > maxReply:
		return fmt.Errorf("%s %s: read the answer: more than %d bytes", req.Method, req.URL.Path, maxReply)
	}
	if reply == nil {
		return nil
	}
	if err := json.Unmarshal(body, reply); err != nil {
		return fmt.Errorf("%s %s: decode the answer: %w", req.Method, req.URL.Path, err)
	}
	return nil
}
