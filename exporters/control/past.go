package control

import (
	"fmt"
	"net/http"
	"time"

	"watchdog/rules/ledger"
)

// incidents answers ?since=RFC3339 and ?id=PREFIX.
func (s *Server) incidents(w http.ResponseWriter, r *http.Request) {
	q := ledger.Query{ID: r.URL.Query().Get("id")}
	if since := r.URL.Query().Get("since"); since != "" {
		var err error
		if q.Since, err = time.Parse(time.RFC3339, since); err != nil {
			http.Error(w, "since is no time of RFC 3339", http.StatusBadRequest)
			return
		}
	}
	if s.History == nil {
		http.Error(w, noLedger, http.StatusServiceUnavailable)
		return
	}
	s.past.Lock()
	h, err := s.History(q)
	s.past.Unlock()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, h)
}

const noLedger = "the engine runs without its ledger"

// recording gives one recording to root: it holds all that was seen.
func (s *Server) recording(w http.ResponseWriter, r *http.Request) {
	if !isRoot(r.Context()) {
		http.Error(w, "recordings are for root", http.StatusForbidden)
		return
	}
	if s.Recording == nil {
		http.Error(w, noLedger, http.StatusServiceUnavailable)
		return
	}
	s.past.Lock()
	data, err := s.Recording(r.PathValue("id"))
	s.past.Unlock()
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	case data == nil:
		http.Error(w, fmt.Sprintf("there is no recording %q", r.PathValue("id")), http.StatusNotFound)
	default:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(data) // an error is the reader's going away
	}
}
