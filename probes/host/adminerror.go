package host

import (
	"errors"
	"net/http"
	"strings"
)

// NewAdminError describes an answer whose body was read; whoever writes
// through [Host.HTTPClient] makes its errors with it. A secret of a's that the
// body repeats is redacted.
func NewAdminError(resp *http.Response, body []byte, a Admin) *AdminError {
	text := string(body)
	if !a.Secret.Missing() {
		text = strings.ReplaceAll(text, a.Secret.Reveal(), redacted)
	}
	if len(text) > maxErrorBody {
		text = text[:maxErrorBody]
	}
	return &AdminError{
		Status: resp.StatusCode,
		Method: resp.Request.Method,
		Path:   resp.Request.URL.Path,
		Body:   strings.ToValidUTF8(text, ""),
	}
}

// AdminStatus is the HTTP status of an [*AdminError] in err's chain, 0 when
// there is none.
func AdminStatus(err error) int {
	var e *AdminError
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}
